"""What a training sees: augmented batches, in an order that seed and epoch draw, so that every model of a seed sees the same ones."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from archbench.data import Split
from archbench.data.augment import translate_and_flip
from archbench.data.preprocessing import Preprocessing
from archbench.execution import LAYOUTS
from archbench.training import seeds
from archbench.training.recipe import TrainingConfig


class Batches:
    """The batches of one epoch; `draws` is where the generator of the augmentation stands.

    Only whole batches: the shapes of a compiled step stay fixed.
    """

    def __init__(self, split: Split, config: TrainingConfig, seed: int, epoch: int, memory_format: str, prepare: Preprocessing) -> None:
        self.split, self.config, self.layout, self.prepare = split, config, LAYOUTS[memory_format], prepare
        self.draws = torch.Generator().manual_seed(seeds.derive(seed, "order", epoch))
        order = torch.randperm(len(split), generator=self.draws)
        self.mirrored = _alternating(len(split), seed, epoch)[order] if config.flip_alternates else None
        self.order = order.to(split.labels.device)

    def after(self, step: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Images, float32 in the layout asked for, and labels of each step that is left after so many."""
        size = self.config.batch_size
        for number in range(step, len(self.split) // size):
            places = slice(number * size, (number + 1) * size)
            flip = self.config.flip if self.mirrored is None else self.mirrored[places]
            batch = self.split.take(self.order[places])
            yield self.prepare(translate_and_flip(batch.images, self.config.translate, flip, self.draws), self.layout), batch.labels


def _alternating(n: int, seed: int, epoch: int) -> torch.Tensor:
    """Which images are mirrored, bool `(n,)`: half by chance in the first epoch, the other half in the next, and so on.

    So that two epochs show both sides of each image (airbench, arXiv:2404.00498, section 3.6).
    """
    generator = torch.Generator().manual_seed(seeds.derive(seed, "flip"))
    return (torch.rand(n, generator=generator) < 0.5) ^ bool(epoch % 2)

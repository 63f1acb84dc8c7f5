"""What a training sees: augmented batches, in an order that seed and epoch draw, so that every model of a seed sees the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from archbench.data import Images
from archbench.data.augment import Amounts, draw, translate_and_flip
from archbench.data.preprocessing import Preprocessing
from archbench.data.split import Rate
from archbench.execution import LAYOUTS
from archbench.training import seeds
from archbench.training.ranks import ALONE, Ranks
from archbench.training.recipe import TrainingConfig


class Batches:
    """The batches of one epoch; `draws` is where the generator of the augmentation stands.

    Only whole batches: the shapes of a compiled step stay fixed. Where images are decoded anew each time, the part that is cut out of one
    hangs on seed, epoch and image alone, and takes the place of moving it; whatever lies on the disk is read ahead, and `draws` is not
    drawn from for it. `before_waiting` is called before a wait for images. Of each batch `ranks` takes its part; what is drawn is the same.
    """

    def __init__(
        self,
        split: Images,
        config: TrainingConfig,
        seed: int,
        epoch: int,
        memory_format: str,
        prepare: Preprocessing,
        before_waiting: Callable[[], object] = lambda: None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks = ranks
        self.split, self.config, self.layout, self.prepare = split, config, LAYOUTS[memory_format], prepare
        self.draws = torch.Generator().manual_seed(seeds.derive(seed, "order", epoch))
        order = torch.randperm(len(split), generator=self.draws)
        self.mirrored = _alternating(len(split), seed, epoch)[order] if config.flip_alternates else None
        self.order = order.to(split.labels.device)
        self.translate = 0 if split.crop else config.translate
        self.crops, self.before_waiting = seeds.derive(seed, "crop", epoch), before_waiting
        self.rate: Rate | None = None  # of what was read so far

    def after(self, step: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Images, float32 in the layout asked for, and labels of each step that is left after so many: this process's part of them."""
        size = self.config.batch_size
        places = [slice(number * size, (number + 1) * size) for number in range(step, len(self.split) // size)]
        stream = self.split.stream([self.ranks.part(self.order[place]) for place in places], self.crops, self.before_waiting)
        for place, batch in zip(places, stream, strict=True):
            self.rate = stream.rate
            flip = self.config.flip if self.mirrored is None else self.mirrored[place]
            amounts = Amounts(*map(self.ranks.part, draw(size, self.translate, flip, self.draws)))
            yield self.prepare(translate_and_flip(batch.images, self.translate, amounts), self.layout), batch.labels


def _alternating(n: int, seed: int, epoch: int) -> torch.Tensor:
    """Which images are mirrored, bool `(n,)`: half by chance in the first epoch, the other half in the next, and so on.

    So that two epochs show both sides of each image (airbench, arXiv:2404.00498, section 3.6).
    """
    generator = torch.Generator().manual_seed(seeds.derive(seed, "flip"))
    return (torch.rand(n, generator=generator) < 0.5) ^ bool(epoch % 2)

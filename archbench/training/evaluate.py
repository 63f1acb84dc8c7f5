"""What a trained network says about each image of a split."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from archbench.data import Images
from archbench.data.preprocessing import Preprocessing
from archbench.device import Device
from archbench.execution import LAYOUTS, ExecutionPlan
from archbench.stats import Interval, wilson


@dataclass(frozen=True)
class Predictions:
    """Per image: the class with the largest logit (int64), its label, the negative log-likelihood of the label, and the logits.

    `(N,)` each, in float32 where it is no class; `logits` are `(N, classes)`, None where they were not asked for.
    """

    predicted: torch.Tensor
    labels: torch.Tensor
    nll: torch.Tensor
    logits: torch.Tensor | None = None

    @property
    def error_pct(self) -> Interval:
        """Top-1 error with Wilson's interval."""
        return wilson(int((self.predicted != self.labels).sum()), len(self.labels))


@torch.inference_mode()
def predict(
    model: nn.Module,
    split: Images,
    prepare: Preprocessing,
    plan: ExecutionPlan,
    device: Device,
    batch: int,
    with_logits: bool = False,
    mirror: bool = False,
) -> Predictions:
    """Predictions for a split that `prepare.once` was applied to, in evaluation mode, in order, without augmentation.

    With `mirror`, an image's logits are the mean of its own and of its mirror image's.
    """
    was_training = model.training
    model.eval()
    predicted, losses, all_logits = [], [], []
    for part in split.chunks(batch):
        prepared = prepare(part.images, LAYOUTS[plan.memory_format])
        with plan.autocast(device):
            logits = model(prepared)
            logits = (logits + model(prepared.flip(-1))) / 2 if mirror else logits
        predicted.append(logits.argmax(1))
        losses.append(F.cross_entropy(logits.float(), part.labels, reduction="none"))
        if with_logits:
            all_logits.append(logits.float().cpu())
    model.train(was_training)
    return Predictions(
        torch.cat(predicted).cpu(), split.labels.cpu(), torch.cat(losses).cpu(), torch.cat(all_logits) if with_logits else None
    )

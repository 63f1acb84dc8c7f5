"""What batch norm remembers of the images that several processes see, each its part of every batch.

DistributedDataParallel goes on with what the first process saw. Here all hold what one process would that sees their parts one after the
other, so that a network trained on several devices answers as one trained in as many parts does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archbench.training.ranks import Ranks


@contextlib.contextmanager
def joined(network: nn.Module, ranks: Ranks) -> Iterator[None]:
    """Inside, each process goes through its part of a batch; afterwards every batch norm of each remembers all parts."""
    remembered = [Remembered.of(layer) for layer in network.modules() if is_local(layer)] if ranks.world > 1 else []
    yield
    if remembered:
        added = torch.cat([each.added(ranks) for each in remembered])
        distributed.all_reduce(added)
        for each, total in zip(remembered, added.split([len(each.before) for each in remembered]), strict=True):
            each.take(total, ranks)


def is_local(layer: nn.Module) -> TypeGuard[_BatchNorm]:
    """Whether it keeps statistics of what its own process sees alone."""
    return isinstance(layer, _BatchNorm) and layer.track_running_stats and not isinstance(layer, nn.SyncBatchNorm)


@dataclass(frozen=True)
class Remembered:
    """A layer, its running mean and variance, `(2 channels)`, and its count of batches before a step."""

    layer: _BatchNorm
    before: torch.Tensor
    count: torch.Tensor

    @classmethod
    def of(cls, layer: _BatchNorm) -> Remembered:
        """As it is now."""
        return cls(layer, statistics(layer), counted(layer).clone())

    def added(self, ranks: Ranks) -> torch.Tensor:
        """What this process saw, with the weight that it has when those after it have seen theirs, `(2 channels)`."""
        parts = counted(self.layer) - self.count
        return self._weight(parts, ranks) * (statistics(self.layer) - self._kept(parts) * self.before)

    def take(self, total: torch.Tensor, ranks: Ranks) -> None:
        """Remember what all have added."""
        assert self.layer.running_mean is not None and self.layer.running_var is not None
        parts = ranks.world * (counted(self.layer) - self.count)
        mean, variance = (self._kept(parts) * self.before + total).chunk(2)
        self.layer.running_mean.copy_(mean)
        self.layer.running_var.copy_(variance)
        counted(self.layer).copy_(self.count + parts)

    def _kept(self, parts: torch.Tensor) -> torch.Tensor:
        """The weight of what was before so many parts: a mean that moves forgets with each, one over all batches gives each the same."""
        if self.layer.momentum is None:
            return self.count / (self.count + parts).clamp(min=1)
        return (1 - self.layer.momentum) ** parts

    def _weight(self, parts: torch.Tensor, ranks: Ranks) -> torch.Tensor:
        """The weight of what this process saw."""
        if self.layer.momentum is None:
            return (self.count + parts) / (self.count + ranks.world * parts).clamp(min=1)
        return (1 - self.layer.momentum) ** ((ranks.world - 1 - ranks.rank) * parts)


def statistics(layer: _BatchNorm) -> torch.Tensor:
    """Its running mean, then its variance, `(2 channels)`."""
    assert layer.running_mean is not None and layer.running_var is not None
    return torch.cat([layer.running_mean, layer.running_var])


def counted(layer: _BatchNorm) -> torch.Tensor:
    """How many batches it has seen, as it counts them itself."""
    assert layer.num_batches_tracked is not None
    return layer.num_batches_tracked

"""Several processes that train one network together, each on a device of its own (DistributedDataParallel).

Each sees its part of every batch, and gradients are averaged over them, so an update is that of the whole batch. The first decides and
tells: it reports, keeps checkpoints, tests and ends early; the others follow step by step, and are ended from outside where it ends early.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from archbench.device import Device


@dataclass(frozen=True)
class Ranks:
    """Which of so many processes this one is, from 0."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one decides and tells."""
        return self.rank == 0

    def part(self, batch: torch.Tensor) -> torch.Tensor:
        """This process's of a batch's rows or amounts, `(N, ...)`: as many for each, side by side."""
        size = len(batch) // self.world
        return batch[self.rank * size : (self.rank + 1) * size]

    def wrapped(self, network: nn.Module, device: Device, synchronised: bool) -> nn.Module:
        """The network whose gradients are averaged over all; `synchronised` lets batch norm see the images of all devices (CUDA)."""
        if self.world == 1:
            return network
        if synchronised:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        places = [device.index] if device.kind == "cuda" else None
        return DistributedDataParallel(network, device_ids=places, find_unused_parameters=True)  # a network may leave some out

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean over all processes of a number that each has."""
        if self.world > 1:
            distributed.all_reduce(value)
            value /= self.world
        return value


ALONE = Ranks()


@contextlib.contextmanager
def averaged_later(network: nn.Module) -> Iterator[None]:
    """Inside, gradients are summed up here alone, as for all parts of a batch but its last."""
    with network.no_sync() if isinstance(network, DistributedDataParallel) else contextlib.nullcontext():
        yield

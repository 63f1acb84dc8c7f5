"""Networks of the zoo for telling_apart.py: `slowed.py:COPY_NAME`, and `slower_COPY_NAME`, which waits for 5 % of the time it took."""

from __future__ import annotations

import functools
import time

import torch
from torch import nn

import zoo

PREFIX, SLOWER = "slower_", 0.05


class Waiting(nn.Module):
    """A network, and a busy wait of a share of the time that it took."""

    def __init__(self, network: nn.Module, share: float) -> None:
        super().__init__()
        self.network, self.share = network, share

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        started = time.perf_counter()
        logits: torch.Tensor = self.network(images)
        now = time.perf_counter()
        until = now + self.share * (now - started)
        while time.perf_counter() < until:
            pass
        return logits


def _waiting(name: str, share: float, num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    return Waiting(zoo.create(name, num_classes, in_channels, image_size), share)


def __getattr__(function: str) -> functools.partial[nn.Module]:
    copy, _, name = function.removeprefix(PREFIX).partition("_")
    if len(copy) != 1 or name not in zoo.names():
        raise AttributeError(function)
    return functools.partial(_waiting, name, SLOWER if function.startswith(PREFIX) else 0.0)

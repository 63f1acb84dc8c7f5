"""Networks of the zoo that wait after each forward pass, for telling_apart.py: `slowed.py:NAME` not at all, `slower_NAME` 5 % of its time."""

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


def __getattr__(name: str) -> functools.partial[nn.Module]:
    plain = name.removeprefix(PREFIX)
    if plain not in zoo.names():
        raise AttributeError(name)
    return functools.partial(_waiting, plain, 0.0 if plain == name else SLOWER)

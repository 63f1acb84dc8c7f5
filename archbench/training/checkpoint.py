"""A training's state at the end of an epoch, kept so that an interrupted run goes on from there."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archbench.errors import ArchbenchError
from archbench.records.store import write_atomically

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """After `epoch` whole epochs: weights, optimizer, curves so far, and the execution plan that must be kept.

    Order, augmentation and dropout are drawn anew from (seed, epoch), so no random state is needed.
    """

    key: str
    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    curves: dict[str, list[float]]
    plan: dict[str, Any]
    scaler: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        write_atomically(path, lambda file: torch.save({"format": FORMAT, **vars(self)}, file))


def load(path: Path, key: str) -> Checkpoint | None:
    """The checkpoint of this key, or None when there is none. Raises ArchbenchError when it is damaged or another run's."""
    if not path.exists():
        return None
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError):
        raise ArchbenchError(f"the checkpoint {path} is damaged; --rerun starts over") from None
    if not isinstance(stored, dict) or stored.pop("format", None) != FORMAT or stored.get("key") != key:
        raise ArchbenchError(f"the checkpoint {path} belongs to another run or version; --rerun starts over")
    return Checkpoint(**stored)


def plan_of(path: Path) -> dict[str, Any] | None:
    """The execution plan that a checkpoint keeps; None where there is no checkpoint or it cannot be read."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return dict(stored["plan"])
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError):
        return None

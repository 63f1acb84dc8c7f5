"""A training's state between two steps, kept so that an interrupted run goes on from there as if nothing had happened."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from archbench.errors import ArchbenchError
from archbench.records.store import write_atomically

FORMAT = 2
DIGEST_BYTES = 32


@dataclass(frozen=True)
class Position:
    """Where in an epoch a training stands: steps taken, the sum of their losses, seconds spent, and the states of what is drawn from.

    `draws` is the state of the data's own generator, `random` torch's, `device_random` the device's where it has its own.
    """

    step: int
    loss: float
    seconds: float
    draws: torch.Tensor
    random: torch.Tensor
    device_random: torch.Tensor | None = None


@dataclass(frozen=True)
class Checkpoint:
    """After `epoch` whole epochs, and `position` in the next: weights, optimizer, curves so far, and the execution plan to be kept.

    At the end of an epoch there is no position: order, augmentation and dropout are drawn anew from (seed, epoch).
    """

    key: str
    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    curves: dict[str, list[float]]
    plan: dict[str, Any]
    scaler: dict[str, Any]
    position: Position | None = None

    def save(self, path: Path) -> None:
        """Write it whole or not at all, behind the SHA-256 of its bytes: torch reads a damaged file without a word."""
        position = vars(self.position) if self.position else None
        content = torch_bytes({"format": FORMAT, **vars(self), "position": position})
        write_atomically(path, lambda file: file.write(hashlib.sha256(content).digest() + content))


def torch_bytes(value: Any) -> bytes:
    """What torch.save would write. Written by us, a full disk is an OSError; written by torch, it is none."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def load(path: Path, key: str) -> Checkpoint | None:
    """The checkpoint of this key, or None when there is none. Raises ArchbenchError when it is damaged or another run's."""
    if not path.exists():
        return None
    stored = _read(path)
    if stored is None:
        raise ArchbenchError(f"the checkpoint {path} is damaged; --rerun starts over")
    if stored.pop("format", None) != FORMAT or stored.get("key") != key:
        raise ArchbenchError(f"the checkpoint {path} belongs to another run or version; --rerun starts over")
    position = stored.pop("position")
    return Checkpoint(**stored, position=Position(**position) if position else None)


def plan_of(path: Path, key: str) -> dict[str, Any] | None:
    """The execution plan that a checkpoint keeps; None where there is no checkpoint, or none that `load` would take."""
    try:
        kept = load(path, key)
    except ArchbenchError:  # load says so again when the run begins, and it becomes that run's Record
        return None
    return kept.plan if kept else None


def _read(path: Path) -> dict[str, Any] | None:
    """What is stored; None where the bytes are not those that were written."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, content = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None
    stored: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return stored

"""A training's state between two steps, kept so that an interrupted run goes on from there as if nothing had happened."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from archbench.device import Device
from archbench.errors import ArchbenchError

if TYPE_CHECKING:
    from archbench.records.store import Store
    from archbench.training.stepper import Stepper

FORMAT = 4
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

    @classmethod
    def at(cls, step: int, total: torch.Tensor, begun: float, draws: torch.Generator, device: Device) -> Self:
        """Where things stand now; `begun` is when the epoch would have begun if nothing had interrupted it."""
        states = (draws.get_state(), torch.get_rng_state(), device.random_state())
        return cls(step, total.item(), time.perf_counter() - begun, *states)

    def restore(self, draws: torch.Generator, device: Device) -> None:
        """Give the generators their states back."""
        draws.set_state(self.draws)
        torch.set_rng_state(self.random)
        if self.device_random is not None:
            device.set_random_state(self.device_random)


@dataclass(frozen=True)
class Checkpoint:
    """After `epoch` whole epochs, and `position` in the next: weights, their average, optimizer, curves so far, the execution plan, and how
    many images, `part`, went through the network at once.

    At the end of an epoch there is no position: order, augmentation and dropout are drawn anew from (seed, epoch).
    """

    key: str
    epoch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    curves: dict[str, list[float]]
    plan: dict[str, Any]
    scaler: dict[str, Any]
    part: int
    average: dict[str, Any] | None = None
    position: Position | None = None

    @classmethod
    def of(cls, stepper: Stepper, key: str, epoch: int, curves: dict[str, list[float]], position: Position | None) -> Self:
        """What `stepper` holds now."""
        states = (stepper.model.state_dict(), stepper.optimizer.state_dict(), curves, stepper.plan.model_dump())
        average = stepper.average.state() if stepper.average else None
        return cls(key, epoch, *states, stepper.scaler.state_dict(), stepper.part, average, position)

    def restore(self, stepper: Stepper) -> None:
        """Give it back to a stepper that was made with the same settings."""
        stepper.model.load_state_dict(self.model)
        stepper.optimizer.load_state_dict(self.optimizer)
        stepper.scaler.load_state_dict(self.scaler)
        stepper.part = self.part
        if stepper.average is not None and self.average is not None:
            stepper.average.load(self.average)

    def save(self, store: Store) -> None:
        """Keep it in a store, in place of the one before."""
        store.keep_checkpoint(self.key, self.stored())

    def stored(self) -> bytes:
        """What a file of it holds, behind the SHA-256 of its bytes: torch reads a damaged file without a word."""
        position = vars(self.position) if self.position else None
        content = torch_bytes({"format": FORMAT, **vars(self), "position": position})
        return hashlib.sha256(content).digest() + content


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

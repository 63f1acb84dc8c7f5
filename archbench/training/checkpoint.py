"""A training's state between two steps, kept so that an interrupted run goes on from there as if nothing had happened."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from archbench import chance
from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.records.checkpoints import BEGAN, DIGEST_BYTES, MAGIC, MOST_COUNTED, began, is_finished

if TYPE_CHECKING:
    from archbench.records.store import Store
    from archbench.training.stepper import Stepper

FORMAT = 5


@dataclass(frozen=True)
class Position:
    """Where in an epoch a training stands: steps taken, the sum of their losses, seconds spent, and the states of what is drawn from.

    `draws` is the state of the data's own generator, `random` torch's, `device_random` the device's where it has its own,
    `global_random` numpy's and Python's.
    """

    step: int
    loss: float
    seconds: float
    draws: torch.Tensor
    random: torch.Tensor
    device_random: torch.Tensor | None = None
    global_random: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, step: int, total: torch.Tensor, begun: float, draws: torch.Generator, device: Device) -> Self:
        """Where things stand now; `begun` is when the epoch would have begun if nothing had interrupted it."""
        states = (draws.get_state(), torch.get_rng_state(), device.random_state(), chance.state())
        return cls(step, total.item(), time.perf_counter() - begun, *states)

    def restore(self, draws: torch.Generator, device: Device) -> None:
        """Give the generators their states back."""
        draws.set_state(self.draws)
        torch.set_rng_state(self.random)
        chance.restore(self.global_random)
        if self.device_random is not None:
            device.set_random_state(self.device_random)


@dataclass(frozen=True)
class Checkpoint:
    """After `epoch` whole epochs, and `position` in the next: weights, their average, optimizer, curves so far, the execution plan, and how
    many images, `part`, went through the network at once.

    `spent_s` is the time of all processes up to here, `parts` says of each where it began and on what. `rerun` and `records` are as in
    `records.checkpoints.Began`.

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
    spent_s: float = 0.0
    parts: list[dict[str, Any]] = field(default_factory=list)
    rerun: bool = False
    records: int = 0

    @classmethod
    def of(cls, stepper: Stepper, key: str, epoch: int, curves: dict[str, list[float]], position: Position | None) -> Self:
        """What `stepper` holds now."""
        states = (stepper.model.state_dict(), stepper.optimizer.state_dict(), curves, stepper.plan.model_dump())
        average = stepper.average.state() if stepper.average else None
        return cls(key, epoch, *states, stepper.scaler.state_dict(), stepper.part, average, position)

    def steps(self, per_epoch: int) -> int:
        """How many were made, of so many an epoch."""
        return self.epoch * per_epoch + (self.position.step if self.position else 0)

    def restore(self, stepper: Stepper) -> None:
        """Give it back to a stepper that was made with the same settings."""
        stepper.model.load_state_dict(self.model)
        stepper.optimizer.load_state_dict(self.optimizer)
        stepper.scaler.load_state_dict(self.scaler)
        if stepper.plan.micro_batch_auto:
            stepper.part = self.part
        if stepper.average is not None and self.average is not None:
            stepper.average.load(self.average)

    def save(self, store: Store) -> None:
        """Keep it in a store, in place of the one before."""
        store.keep_checkpoint(self.key, self.stored())

    def stored(self) -> bytes:
        """What a file of it holds, behind the SHA-256 of its bytes: torch reads a damaged file without a word."""
        position = vars(self.position) if self.position else None
        head = BEGAN.pack(MAGIC, self.rerun, min(self.records, MOST_COUNTED))
        content = head + torch_bytes({"format": FORMAT, **vars(self), "position": position})
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


def left(path: Path, key: str, rerun: bool, records: int) -> Checkpoint | None:
    """The checkpoint from which a run goes on: the key's; for `--rerun` only one of an interrupted `--rerun`, which has no Record yet.

    `records` is how many with a result the key has. Raises ArchbenchError as `load` does, unless it is a rerun, which starts over.
    """
    if not rerun:
        return load(path, key)
    start = began(path)
    if start is None or not start.rerun or is_finished(path, records):
        return None
    try:
        return load(path, key)
    except ArchbenchError:
        return None


def readable(path: Path, key: str, rerun: bool = False, records: int = 0) -> Checkpoint | None:
    """What `left` gives; None where there is none, or a damaged one."""
    try:
        return left(path, key, rerun, records)
    except ArchbenchError:  # load says so again when the run begins, and it becomes that run's Record
        return None


def _read(path: Path) -> dict[str, Any] | None:
    """What is stored; None where the bytes are not those that were written."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, content = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None
    if not content.startswith(MAGIC):
        return {}
    stored: dict[str, Any] = torch.load(io.BytesIO(content[BEGAN.size :]), map_location="cpu", weights_only=True)
    return stored

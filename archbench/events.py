"""What happens while jobs run, as plain data that can cross a process. Views and trackers listen; nothing below them prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Loading:
    """`done` of `total` images of a data set are decoded."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Notice:
    """Something the user should know, in one line."""

    message: str


@dataclass(frozen=True)
class Waiting:
    """Nothing has happened for a while in the processes that work; whoever listens may end the run."""


@dataclass(frozen=True)
class Started:
    """A job begins; `steps` is how many steps it will report, the first `done` of them taken in an earlier run."""

    job: str
    steps: int
    done: int = 0


@dataclass(frozen=True)
class Memory:
    """Bytes that a job takes, and `of` what: `resident` of its process, or `GPU peak` of its tensors since it began."""

    of: str
    bytes: int


@dataclass(frozen=True)
class Input:
    """Images/s that can be read from the disk, and those that the model takes when it has not to wait: the smaller makes the other wait."""

    images_per_s: float
    model_images_per_s: float


@dataclass(frozen=True)
class Step:
    """A job has taken `done` of its steps; the rest is the latest, where it is known: the mean loss and the images/s of the epoch so
    far, the learning rate, memory, and what is read from the disk.
    """

    job: str
    done: int
    loss: float | None = None
    images_per_s: float | None = None
    lr: float | None = None
    memory: Memory | None = None
    input: Input | None = None


@dataclass(frozen=True)
class Epoch:
    """A training has finished an epoch (counted from 1)."""

    job: str
    epoch: int
    epochs: int
    loss: float
    images_per_s: float
    val_error_pct: float | None = None
    input: Input | None = None


@dataclass(frozen=True)
class Finished:
    """A job has left a Record (a trial of `archbench tune` leaves none, its id is empty).

    `summary` is a short line about it, `figures` those of its measurements that a name alone tells apart.
    """

    job: str
    status: str
    record_id: str
    duration_s: float
    summary: str
    figures: Mapping[str, float] = field(default_factory=dict)


Event = Loading | Notice | Waiting | Started | Step | Epoch | Finished
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener that does nothing."""

"""What a tracker is told of a run, and what it must be able to do."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from archbench.records.store import write_atomically

if TYPE_CHECKING:
    from archbench.job import Job

Scalar = str | int | float | bool
ID_LENGTH = 12


@dataclass(frozen=True)
class Run:
    """One Record to be. `job` is its name in events, `id` tells it from every other run, `params` is its resolved configuration.

    An interrupted run that goes on keeps its id, and begins with the step that it had reached.
    """

    job: str
    name: str
    id: str
    params: Mapping[str, Scalar]
    step: int = 0


@dataclass(frozen=True)
class Point:
    """Values of curves at a step, and the time at which they were known, in seconds since 1970."""

    step: int
    time_s: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """How a run ended: the status and id of its Record, and its figures."""

    status: str
    record_id: str
    figures: Mapping[str, float]


class Log(Protocol):
    """One run in a tracker."""

    def add(self, points: Sequence[Point]) -> None:
        """Write points, oldest first."""

    def end(self, result: Result) -> None:
        """Write how it ended, and close it."""

    def leave(self) -> None:
        """Close what may go on later."""


class Tracker(Protocol):
    """A tool that keeps runs. All its methods and those of its logs may raise whatever the tool raises."""

    def begin(self, run: Run) -> Log:
        """The log of a run; what the tool had of it before stays."""


class Unfinished:
    """Ids of runs that have begun and left no Record yet, a small file for each key, so that they go on under the same id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, job: Job, step: int) -> Run:
        """The job as a run from a step on: with the id that it had when it was interrupted, else a new one."""
        path = self.folder / job.key
        if not path.exists():
            new = uuid.uuid4().hex[:ID_LENGTH]
            write_atomically(path, lambda file: file.write(new.encode()))
        return Run(job.label, name_of(job), path.read_text(), params_of(job), step)

    def finished(self, key: str) -> None:
        """Forget an id: another run of this key is a new one."""
        (self.folder / key).unlink(missing_ok=True)


def name_of(job: Job) -> str:
    """Model, data set, recipe and seed, as a reader knows the run."""
    data = [job.data.name] if job.data else []
    how = [job.training.name, f"seed {job.seed}"] if job.training else ["published weights"]
    return " · ".join([job.model.label, *data, *how])


def params_of(job: Job) -> dict[str, Scalar]:
    """The resolved configuration, one level deep: `training.lr`, `data.name`, `execution.precision`; what is not set is left out."""
    about = {"model": job.model.label, "key": job.key, "group": job.group, "input": dataclasses.asdict(job.shape)}
    return flat({**about, "device": job.device.name, **job.config()})


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Nested settings under dotted names; lists as text."""
    found: dict[str, Scalar] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif value is not None:
            found[prefix + name] = value if isinstance(value, Scalar) else ", ".join(map(str, value))
    return found

"""What a worker process has at hand for its orders, and what it says: plain data, both ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archbench.data import Dataset, Origin, load_again
from archbench.device import Device
from archbench.engines.base import work
from archbench.errors import ArchbenchError
from archbench.events import Listener
from archbench.job import Job, failure
from archbench.records.schema import Record
from archbench.records.store import Store


@dataclass(frozen=True)
class Order:
    """`call(bench, *arguments)` is what a worker shall do; a function at the top of a module. `job` is what it does it for."""

    job: Job
    call: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Answer:
    """What an order came to."""

    value: Any


@dataclass(frozen=True)
class Broken:
    """The results folder cannot be written, in a line: no other order can do better."""

    message: str


class Bench:
    """A worker's own: the results folder, data sets that it has loaded, each once, and who listens."""

    def __init__(self, root: Path, emit: Listener) -> None:
        self.store, self.emit = Store(root), emit
        self._datasets: dict[str, Dataset] = {}

    def dataset(self, origin: Origin) -> Dataset:
        """The data set, loaded when it is first asked for. Raises ArchbenchError where it is not the same any more."""
        if origin.fingerprint not in self._datasets:
            self._datasets[origin.fingerprint] = load_again(origin)
        return self._datasets[origin.fingerprint]


def carry_out(bench: Bench, job: Job, origin: Origin) -> Record:
    """The Record of a Job, also where its images or its code are not what they were when it was planned."""
    try:
        dataset = bench.dataset(origin)
        placed = placed_here(job, "workers")
    except (ArchbenchError, OSError, MemoryError) as error:
        return failure(job, error, 0.0)
    return work(placed, dataset, bench.store, bench.emit)


def placed_here(job: Job, engine: str) -> Job:
    """The Job on the only GPU that this process may see. Raises ArchbenchError where the code here builds another network."""
    device = Device(job.device.kind) if job.device.kind == "cuda" else job.device
    placed = dataclasses.replace(job, device=device, engine=engine)
    check_same(job)
    return placed


def check_same(job: Job) -> None:
    """Raise ArchbenchError where the code here builds another network than the one that was planned."""
    if dataclasses.replace(job).key != job.key:  # worked out anew
        raise ArchbenchError(f"the code of {job.model.label} was edited during the run, or is another where it runs")

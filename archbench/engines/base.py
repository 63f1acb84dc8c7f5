"""What every engine is: Jobs go in as there is room for them, a Record of each comes out."""

from __future__ import annotations

import abc
from collections.abc import Generator, Iterator
from typing import Self

from archbench.data import Dataset
from archbench.events import Listener
from archbench.explaining.scoring import explain
from archbench.job import Job, evaluate, train
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.training.ranks import ALONE, Ranks

TRIES = 3  # that a Job has whose process dies, each going on from its checkpoint
HEED_S = 0.25  # between two looks at what happens elsewhere; whoever listens may end the run as often


class Engine(abc.ABC):
    """A place where Jobs run that train or test; profiles do not, since nothing else may run beside them.

    A context: what it has opened ends with it, or with `close`.
    """

    def check(self, plan: Plan) -> None:  # noqa: B027 - most can carry out any
        """Raise ArchbenchError for a plan that it cannot carry out."""

    @abc.abstractmethod
    def records(self, jobs: Iterator[Job], plan: Plan, store: Store, emit: Listener) -> Generator[Record, None, None]:
        """A Record of each Job, in the order in which they end; its files are in the store by then, the Record itself is not.

        The next Job is taken when there is room for it. Whatever happens to one costs the others nothing. When the iterator is closed, or
        `emit` raises, the Jobs that run leave a checkpoint and end. Raises StorageError where the store cannot be written.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - most have opened nothing
        """End what was opened, before profiles are measured here; may be called again."""


def work(job: Job, dataset: Dataset, store: Store, emit: Listener, ranks: Ranks = ALONE) -> Record:
    """Do a Job that trains, tests or explains, in this process, which is the first where several train together."""
    if job.kind == "train":
        return train(job, dataset, store, emit, ranks)
    return (explain if job.kind == "explain" else evaluate)(job, dataset, store, emit)

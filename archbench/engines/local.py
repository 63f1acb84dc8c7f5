"""Jobs one after the other in this process."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from archbench.engines.base import Engine, work
from archbench.events import Listener
from archbench.job import Job
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import Store


class Local(Engine):
    """This process."""

    def records(self, jobs: Iterator[Job], plan: Plan, store: Store, emit: Listener) -> Generator[Record, None, None]:
        for job in jobs:
            assert job.data is not None
            yield work(job, plan.datasets[job.data.fingerprint], store, emit)

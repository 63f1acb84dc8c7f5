"""Jobs one after the other in this process: trainings first, then all profiles side by side while nothing else runs."""

from __future__ import annotations

from collections.abc import Iterator

from archbench.events import Listener
from archbench.job import evaluate, profile, train
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import SETTLED, Store


def execute(plan: Plan, store: Store, emit: Listener) -> Iterator[Record]:
    """A Record for each Job, saved before it is given out; only then does its checkpoint go.

    Raises StorageError when a Record cannot be saved.
    """
    for job in plan.jobs:
        if job.kind != "profile":
            work = train if job.kind == "train" else evaluate
            assert job.data is not None
            yield _saved(work(job, plan.datasets[job.data.fingerprint], store, emit), store)
    profiles = [job for job in plan.jobs if job.kind == "profile"]
    if profiles:
        for record in profile(profiles, emit):
            yield _saved(record, store)


def _saved(record: Record, store: Store) -> Record:
    store.save(record)
    if record.status in SETTLED:
        store.checkpoint_path(record.key).unlink(missing_ok=True)
    return record

"""Jobs one after the other in this process: trainings first, then all profiles side by side while nothing else runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from archbench.events import Listener, Notice
from archbench.job import Job, ended, evaluate, profile, train
from archbench.plan import Plan
from archbench.records.checkpoints import is_finished
from archbench.records.schema import Record
from archbench.records.store import SETTLED, Store, plain_name, with_result


def execute(plan: Plan, store: Store, emit: Listener, refuse: Callable[[str], object] = lambda line: None) -> Iterator[Record]:
    """A Record for each Job, saved before it is given out; only then does its checkpoint go.

    A Job that another process is at waits for the others, and is then tried once more: its Record is taken if it is there, the work is
    taken over if that process is gone, and else `refuse` gets a line. Raises StorageError when a Record cannot be saved.
    """
    for record in plan.done:
        _forget(record, store)
    waiting: list[Job] = []

    def wait(job: Job) -> None:
        emit(Notice(f"{job.label}: another process is at it; the other jobs go on"))
        waiting.append(job)

    def give_up(job: Job) -> None:
        refuse(f"{job.label} was not run: another process is at it still; the same command finds its Record later")

    yield from _carry_out(plan.jobs, plan, store, emit, wait)
    yield from _carry_out(waiting, plan, store, emit, give_up)


def _carry_out(jobs: Iterable[Job], plan: Plan, store: Store, emit: Listener, busy: Callable[[Job], object]) -> Iterator[Record]:
    """The Records of these Jobs; `busy` gets those that another process is at."""
    profiles: list[Job] = []
    with contextlib.ExitStack() as leases:
        for job in jobs:
            with contextlib.ExitStack() as lease:
                mine = lease.enter_context(store.lease(job.key))
                there = None if job.rerun else store.find(job.model.label, job.kind, job.key)
                if there is not None:
                    emit(Notice(f"{job.label}: another process has done it meanwhile · Record {there.id}"))
                    yield there
                elif not mine:
                    busy(job)
                elif job.kind == "profile":
                    profiles.append(job)
                    leases.push(lease.pop_all())
                else:
                    yield from _given_out(job, _work(job, plan, store, emit), store, emit)
        if profiles:
            by_key = {job.key: job for job in profiles}
            for record in profile(profiles, emit):
                yield from _given_out(by_key[record.key], record, store, emit)


def _work(job: Job, plan: Plan, store: Store, emit: Listener) -> Record:
    work = train if job.kind == "train" else evaluate
    assert job.data is not None
    return work(job, plan.datasets[job.data.fingerprint], store, emit)


def _given_out(job: Job, record: Record, store: Store, emit: Listener) -> Iterator[Record]:
    """Save a Record, give it out, and only then tell of it: whoever listens may end the run."""
    store.save(record)
    if record.status in SETTLED:
        store.checkpoint_path(record.key).unlink(missing_ok=True)
    yield record
    emit(ended(job, record))


def _forget(record: Record, store: Store) -> None:
    """Remove the checkpoint of a run that has its Record, as one leaves that is killed between the two, if no process is at it.

    That of a `--rerun` which was interrupted stays.
    """
    if store.checkpoint_path(record.key).exists():
        there = store.load(f"{plain_name(record.model.label)}-{record.kind}-*.json")[0]
        with store.lease(record.key) as mine:
            if mine and is_finished(store.checkpoint_path(record.key), with_result(there)[record.key]):
                store.checkpoint_path(record.key).unlink(missing_ok=True)

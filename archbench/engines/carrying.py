"""What is the same on every engine: leases, saving before giving out, and the profiles, which run alone when all else is done."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

from archbench.engines.base import Engine
from archbench.events import Listener, Notice
from archbench.job import Job, ended, profile
from archbench.plan import Plan
from archbench.records.checkpoints import is_finished
from archbench.records.schema import Record
from archbench.records.store import SETTLED, Store, plain_name, with_result


def execute(
    plan: Plan, engine: Engine, store: Store, emit: Listener, refuse: Callable[[str], object] = lambda line: None
) -> Generator[Record, None, None]:
    """A Record for each Job, saved before it is given out; only then its checkpoint goes and its end is told, which may end all.

    Profiles come last, when the engine has ended what it opened, so that nothing of it runs beside them.
    What a training leads to is done as soon as there is room for it. A Job that another process is at waits for the others, and is then
    tried once more: its Record is taken if it is there, the work is taken over if that process is gone, and else `refuse` gets a line.
    Raises StorageError when a Record cannot be saved.
    """
    for record in plan.done:
        _forget(record, store)
    waiting: list[Job] = []

    def wait(job: Job) -> None:
        emit(Notice(f"{job.label}: another process is at it; the other jobs go on"))
        waiting.append(job)

    def give_up(job: Job) -> None:
        refuse(f"{job.label} was not run: another process is at it still; the same command finds its Record later")

    def carry_out(jobs: Iterable[Job], taking: Taking) -> Iterator[Record]:
        following: deque[Job] = deque()
        todo: Iterable[Job] = jobs
        while todo:
            for record in _carried_out(_in_turn(todo, following), plan, engine, taking):
                following.extend(_after(record, plan, refuse))
                yield record
            todo = list(following)  # of trainings that ended when no more Jobs were asked for
            following.clear()

    with contextlib.closing(Taking(store, emit, wait)) as taking:
        yield from carry_out(plan.jobs, taking)
        if waiting:
            taking.busy = give_up
            yield from carry_out(list(waiting), taking)
        if taking.profiles:
            engine.close()
            for record in profile(taking.profiles, emit):
                yield from taking.ended(record)


def _carried_out(jobs: Iterable[Job], plan: Plan, engine: Engine, taking: Taking) -> Iterator[Record]:
    """The Records of these Jobs that the engine makes, and those that are there meanwhile; profiles are left with `taking`."""
    with contextlib.closing(engine.records(taking.take(jobs), plan, taking.store, taking.emit)) as records:
        for record in records:
            yield from taking.given_out()
            yield from taking.ended(record)
    yield from taking.given_out()


def _in_turn(jobs: Iterable[Job], following: deque[Job]) -> Iterator[Job]:
    """The Jobs, and before each next one those that have come up meanwhile."""
    for job in jobs:
        while following:
            yield following.popleft()
        yield job
    while following:
        yield following.popleft()


def _after(record: Record, plan: Plan, refuse: Callable[[str], object]) -> list[Job]:
    """The Jobs that a Record leads to; `refuse` hears why there are none where there should be."""
    jobs, missing = plan.after(record)
    for line in missing:
        refuse(line)
    return jobs


@dataclass
class Taking:
    """Jobs that are taken one by one, each with its lease, which ends when its Record is saved.

    `profiles` holds the profiles among them, `there` Records that other processes have left meanwhile, `jobs` by key what is not saved yet.
    """

    store: Store
    emit: Listener
    busy: Callable[[Job], object]
    profiles: list[Job] = field(default_factory=list)
    there: list[Record] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    leases: dict[str, contextlib.ExitStack] = field(default_factory=dict)

    def take(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Those that are to be run at once."""
        for job in jobs:
            if self._is_ours(job):
                yield job

    def _is_ours(self, job: Job) -> bool:
        with contextlib.ExitStack() as lease:
            mine = lease.enter_context(self.store.lease(job.key))
            there = None if job.rerun else self.store.find(job.model.label, job.kind, job.key)
            if there is not None:
                self.emit(Notice(f"{job.label}: another process has done it meanwhile · Record {there.id}"))
                self.there.append(there)
                return False
            if not mine:
                self.busy(job)
                return False
            self.leases[job.key], self.jobs[job.key] = lease.pop_all(), job
        if job.kind == "profile":
            self.profiles.append(job)
            return False
        return True

    def given_out(self) -> Iterator[Record]:
        """Records that are there already, each once."""
        while self.there:
            yield self.there.pop(0)

    def ended(self, record: Record) -> Iterator[Record]:
        """Save a Record; then its checkpoint and its lease go, it is given out, and its end is told."""
        self.store.save(record)
        if record.status in SETTLED:
            self.store.checkpoint_path(record.key).unlink(missing_ok=True)
        self.leases.pop(record.key).close()
        yield record
        self.emit(ended(self.jobs.pop(record.key), record))

    def close(self) -> None:
        """Give every lease up."""
        for lease in self.leases.values():
            lease.close()


def _forget(record: Record, store: Store) -> None:
    """Remove the checkpoint of a run that has its Record, as one leaves that is killed between the two, if no process is at it.

    That of a `--rerun` which was interrupted stays.
    """
    if store.checkpoint_path(record.key).exists():
        there = store.load(f"{plain_name(record.model.label)}-{record.kind}-*.json")[0]
        with store.lease(record.key) as mine:
            if mine and is_finished(store.checkpoint_path(record.key), with_result(there)[record.key]):
                store.checkpoint_path(record.key).unlink(missing_ok=True)

"""A process for each Job that runs, cores and GPUs shared out among them."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator, Iterator
from typing import Any

from archbench import device as devices
from archbench.config import Settings
from archbench.engines.base import HEED_S, TRIES, Engine
from archbench.engines.bench import Answer, Broken, Order, carry_out
from archbench.engines.crew import DEAD, Crew
from archbench.engines.shares import Machine
from archbench.errors import StorageError
from archbench.events import Listener, Notice, Waiting
from archbench.job import Job, failure
from archbench.measure.process import ModelError
from archbench.placing import Placing
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import Store


class Workers(Engine):
    """Processes that live as long as there are Jobs for them. Raises ArchbenchError for more of them than there are cores or GPUs."""

    def __init__(self, placing: Placing, settings: Settings) -> None:
        self.placing = placing
        self.machine = Machine.here(devices.choose(settings.device), settings.device)
        self.machine.shares(placing, jobs=1)

    def records(self, jobs: Iterator[Job], plan: Plan, store: Store, emit: Listener) -> Generator[Record, None, None]:
        def ordered() -> Iterator[Order]:
            for job in jobs:
                assert job.data is not None
                yield Order(job, carry_out, (job, plan.datasets[job.data.fingerprint].origin))

        for order, value, seconds in self.answers(ordered(), len(plan.jobs), store, emit):
            yield failure(order.job, value, seconds) if isinstance(value, ModelError) else value

    def answers(
        self, orders: Iterator[Order], expected: int, store: Store, emit: Listener
    ) -> Generator[tuple[Order, Any, float], None, None]:
        """What each order comes to, or the ModelError of the last of its tries where its process died each time; and the seconds.

        `expected` is about how many there will be.
        """
        again: deque[Order] = deque()
        deaths: Counter[str] = Counter()
        with Crew(self.machine.shares(self.placing, expected), store.root) as crew:
            while _filled(crew, again, orders):
                is_silent = True
                for number, said in crew.heard(HEED_S):
                    is_silent, worker = False, crew.workers[number]
                    order, seconds = worker.order, time.perf_counter() - worker.begun_s
                    if isinstance(said, Broken):
                        raise StorageError(said.message)
                    if isinstance(said, Answer):
                        assert order is not None
                        worker.order = None
                        yield order, said.value, seconds
                    elif said is not DEAD:
                        emit(said)
                    elif order is None:
                        crew.buried(number)
                    else:
                        error, key = crew.buried(number), order.job.key
                        deaths[key] += 1
                        if deaths[key] < TRIES:
                            emit(Notice(f"{error}; it goes on from its checkpoint"))
                            again.append(order)
                        else:
                            yield order, error, seconds
                if is_silent:
                    emit(Waiting())


def _filled(crew: Crew, again: deque[Order], orders: Iterator[Order]) -> bool:
    """Give every free share an order, as long as there are any; whether anything is being done."""
    for number in crew.free():
        order = again.popleft() if again else next(orders, None)
        if order is None:
            break
        crew.give(number, order)
    return crew.is_busy

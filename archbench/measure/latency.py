"""How long a forward pass takes: a process per model, rounds that go over all models in turn, until each interval is narrow enough.

Each process is launched several times, since two processes of one network can differ by more than their rounds tell.
"""

from __future__ import annotations

import functools
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from archbench import stats
from archbench.measure.forward import ROUND_S
from archbench.measure.process import Worker
from archbench.records.schema import Doubt, Scalar

NARROW = 0.02  # the interval is narrow enough within this share of the median
LEAST_ROUNDS, MOST_ROUNDS = 5, 400  # of a launch
ROUNDS = f"median of rounds of about {ROUND_S} s, interleaved over models, a process each"
LAUNCHES = f"geometric mean over launches of the {ROUNDS}; Student's t over launches"
ONE_LAUNCH = f"{ROUNDS}; bootstrap over rounds of one process, which says nothing about others"


@dataclass
class Launch:
    """The rounds of one process. `calls` are seconds a call, a list a round; `rounds` their medians."""

    calls: list[list[float]] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)
    warm_up: dict[str, Any] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether its own interval is as narrow as asked for."""
        return len(self.rounds) >= LEAST_ROUNDS and narrow(stats.bootstrap_median(self.rounds))


@dataclass
class Series:
    """What is timed of one model at one batch size and mode, over the launches of its process."""

    batch: int
    mode: str
    launches: list[Launch] = field(default_factory=list)
    error: Exception | None = None

    def launch(self, worker: Worker) -> None:
        """Build, compile and warm up in a new process."""
        warm_up = worker.ask("warm_up", batch=self.batch, mode=self.mode)
        self.launches.append(Launch(warm_up=warm_up))

    def round(self, worker: Worker) -> None:
        """One round more."""
        calls = worker.ask("round", batch=self.batch, mode=self.mode)
        self.launches[-1].calls.append(calls)
        self.launches[-1].rounds.append(statistics.median(calls))

    @property
    def at(self) -> dict[str, Scalar]:
        """What qualifies its figures."""
        return {"batch": self.batch, "mode": self.mode}

    @functools.cached_property
    def seconds(self) -> stats.Interval:
        """Seconds a pass with the interval, when all launches are done: what is independent of each other are the launches alone."""
        if len(self.launches) == 1:
            return stats.bootstrap_median(self.launches[0].rounds)
        return stats.geometric_t([statistics.median(launch.rounds) for launch in self.launches])

    @property
    def method(self) -> str:
        """How `seconds` came about."""
        return ONE_LAUNCH if len(self.launches) == 1 else LAUNCHES

    def samples(self) -> dict[str, Any]:
        """All that was timed."""
        return {"batch": self.batch, "mode": self.mode, "launches": [asdict(launch) for launch in self.launches]}

    def doubts(self) -> list[Doubt]:
        """What makes the figure doubtful: an interval that stayed wide, a time that moved while it was taken."""
        found, where = [], f"at batch {self.batch}" + (f", {self.mode}," if self.mode != "eager" else "")
        if not narrow(self.seconds):
            wide = f"the interval of the time {where} is wider than {100 * NARROW:.0f} % on either side"
            found.append(Doubt(code="noisy", message=wide, at=self.at))
        drift = stats.drift([launch.rounds for launch in self.launches])
        if abs(drift) > NARROW:
            moved = f"the time {where} {'rose' if drift > 0 else 'fell'} by {100 * abs(drift):.0f} % while it was measured"
            found.append(Doubt(code="drift", message=moved, at=self.at))
        if not all(launch.warm_up.get("stable", True) for launch in self.launches):
            found.append(Doubt(code="not_warm", message=f"the time {where} was not stable after the warm-up", at=self.at))
        return found


def narrow(seconds: stats.Interval) -> bool:
    """Whether an interval lies within 2 % of its median."""
    return seconds.high - seconds.value <= NARROW * seconds.value and seconds.value - seconds.low <= NARROW * seconds.value


def measure(
    series: Sequence[tuple[Series, Worker]], limit_s: float, seed: int = 0, progress: Callable[[Series], None] = lambda _: None
) -> None:
    """Launch each series in its new process, then go round them until each has settled or `limit_s` for each is over.

    The order within a round is drawn anew by `seed`, so that none always follows the same other. A series that fails keeps its error and
    is left out of further rounds; the others go on.
    """
    order = random.Random(seed)
    active = [(each, worker) for each, worker in series if each.error is None and _attempt(each, each.launch, worker)]
    deadline = time.perf_counter() + limit_s * len(active)
    for number in range(1, MOST_ROUNDS + 1):
        for each, worker in order.sample(active, len(active)):
            if _attempt(each, each.round, worker):
                progress(each)
        active = [(each, worker) for each, worker in active if each.error is None and not each.launches[-1].settled]
        if not active or (number >= LEAST_ROUNDS and time.perf_counter() > deadline):
            return


def _attempt(series: Series, call: Callable[[Worker], None], worker: Worker) -> bool:
    try:
        call(worker)
    except Exception as error:  # what a model's process answers or dies of is that model's alone; the caller records it
        series.error = error
        return False
    return True

"""How long a run will still take."""

from __future__ import annotations

from collections.abc import Mapping

PRIOR_S = 5.0  # planned work whose pace is taken to be as planned, so that the first steps do not count for too much


class TimeLeft:
    """Planned seconds of each job by name, of the steps that an earlier run has left, times the pace: how much longer than planned the work
    took that is done.

    Times are those of one clock, in seconds.
    """

    def __init__(self, planned: Mapping[str, float]) -> None:
        self.planned = planned
        self.steps: dict[str, int] = {}
        self.before: dict[str, int] = {}  # steps that an earlier run had done
        self.share = dict.fromkeys(planned, 0.0)
        self.begun_s: float | None = None

    def started(self, job: str, steps: int, done: int, now_s: float) -> None:
        """A job begins with so many of its steps done."""
        if self.begun_s is None:
            self.begun_s = now_s
        self.steps[job] = steps
        self.before.setdefault(job, done)  # where its process has died meanwhile, what was done before that counts
        self.stepped(job, done)

    def stepped(self, job: str, done: int) -> None:
        """A job has taken so many of its steps."""
        before = self.before.get(job, 0)
        if job in self.share and (left := self.steps.get(job, 0) - before) > 0:
            self.share[job] = min((done - before) / left, 1.0)

    def finished(self, job: str) -> None:
        """A job has ended, however it went."""
        if job in self.share:
            self.share[job] = 1.0

    def seconds(self, now_s: float) -> float | None:
        """About how long all jobs will still take; None before the first begins."""
        if self.begun_s is None:
            return None
        done_s = sum(planned * self.share[job] for job, planned in self.planned.items())
        pace = (now_s - self.begun_s + PRIOR_S) / (done_s + PRIOR_S)
        return pace * sum(planned * (1 - self.share[job]) for job, planned in self.planned.items())

"""A thread for each tracker, so that a server that hangs holds up no training."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from archbench.tracking.run import Log, Point, Result, Run, Tracker

WRITE_EVERY_S, MOST_POINTS = 5.0, 200


class Worker:
    """Hands what happens to one tracker, points some seconds' worth at a time. After its first error it does nothing more.

    `error` is that error.
    """

    def __init__(self, name: str, tracker: Tracker) -> None:
        self.name, self.tracker = name, tracker
        self.error: Exception | None = None
        self.logs: dict[str, Log] = {}
        self.points: dict[str, list[Point]] = {}
        self._written = time.monotonic()
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"archbench {name}", daemon=True)
        self._thread.start()

    def begin(self, run: Run) -> None:
        """Open a run's log."""
        self._orders.put(lambda: self._begin(run))

    def add(self, job: str, point: Point) -> None:
        """Add a point to a run that has begun."""
        self._orders.put(lambda: self._add(job, point))

    def end(self, job: str, result: Result) -> None:
        """Close a run's log with its result."""
        self._orders.put(lambda: self._end(job, result))

    def close(self, limit_s: float) -> bool:
        """Leave what has not ended, and stop; whether all was done within the seconds."""
        self._orders.put(self._leave)
        self._orders.put(None)
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            if self.error is None:
                try:
                    order()
                except Exception as error:  # of any kind that a tool has; whoever listens says so, and drops the tracker
                    self.error = error

    def _begin(self, run: Run) -> None:
        self.logs[run.job] = self.tracker.begin(run)

    def _add(self, job: str, point: Point) -> None:
        points = self.points.setdefault(job, [])
        points.append(point)
        if time.monotonic() - self._written >= WRITE_EVERY_S or len(points) >= MOST_POINTS:
            self._write()

    def _write(self) -> None:
        for job, points in self.points.items():
            self.logs[job].add(points)
        self.points = {}
        self._written = time.monotonic()

    def _end(self, job: str, result: Result) -> None:
        self._write()
        self.logs.pop(job).end(result)

    def _leave(self) -> None:
        self._write()
        for log in self.logs.values():
            log.leave()

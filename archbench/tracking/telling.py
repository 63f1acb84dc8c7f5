"""From events to trackers. A tracker that fails is dropped with a line, and the training goes on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archbench.errors import ArchbenchError, brief
from archbench.events import Epoch, Event, Finished, Listener, Loading, Notice, Started, Step, Waiting
from archbench.tracking.run import Point, Result, Unfinished
from archbench.tracking.tools import make
from archbench.tracking.worker import Worker

if TYPE_CHECKING:
    from archbench.job import Job

FINISH_S, LEAVE_S = 60.0, 5.0  # to write what is left: at the end, and where the run is interrupted


@contextlib.contextmanager
def listening(names: Sequence[str], results: Path, jobs: Sequence[Job], emit: Listener) -> Iterator[Listener]:
    """A listener that hands each event to the trackers and to `emit`. Profiles and scores of maps have no curves and are not tracked.

    Raises ArchbenchError, before anything runs, where a tracker cannot begin.
    """
    tracked = [job for job in jobs if job.kind not in ("profile", "explain")]
    if not names or not tracked:
        yield emit
        return
    folder = results / "tracking"
    trackers = {name: make(name, folder) for name in names}
    tracking = Tracking([Worker(*each) for each in trackers.items()], tracked, Unfinished(folder / "unfinished"), emit)
    try:
        yield tracking.listen
    except BaseException:
        tracking.close(LEAVE_S)
        raise
    tracking.close(FINISH_S)


class Tracking:
    """Listens, and passes every event on."""

    def __init__(self, workers: Sequence[Worker], jobs: Sequence[Job], unfinished: Unfinished, emit: Listener) -> None:
        self.workers, self.unfinished, self.emit = list(workers), unfinished, emit
        self.jobs = {job.label: job for job in jobs}
        self.steps: dict[str, int] = {}  # that each job has in all
        self.done: dict[str, int] = {}

    def listen(self, event: Event) -> None:
        """Tell the trackers, then whoever else listens."""
        try:
            self._tell(event)
        except (OSError, ArchbenchError) as error:  # the ids of runs could not be kept
            for worker in self.workers:
                worker.error = worker.error or error
        self._drop_failed()
        self.emit(event)

    def close(self, limit_s: float) -> None:
        """Wait until all is written, at most so many seconds for each tracker."""
        late = [worker for worker in self.workers if not worker.close(limit_s)]
        self._drop_failed()
        for worker in late:
            self.emit(Notice(f"{worker.name} has not taken all within {limit_s:.0f} s: its last points may be missing"))

    def _tell(self, event: Event) -> None:
        if isinstance(event, Loading | Notice | Waiting) or event.job not in self.jobs:
            return
        match event:
            case Started(job, steps, done):
                self._begin(job, steps, done)
            case Step(job, done):
                self.done[job] = done
                self._add(job, _values(event))
            case Epoch(job, epoch, epochs):
                self.done[job] = self.steps[job] * epoch // epochs
                error = {} if event.val_error_pct is None else {"val_error_pct": event.val_error_pct}
                self._add(job, {"epoch": epoch, **error})
            case Finished(job, status, record_id):
                if job not in self.done:  # it failed before its first step
                    self._begin(job, 0, 0)
                self.unfinished.finished(self.jobs[job].key)
                for worker in self.workers:
                    worker.end(job, Result(status, record_id, event.figures))

    def _begin(self, job: str, steps: int, done: int) -> None:
        self.steps[job], self.done[job] = steps, done
        run = self.unfinished.run(self.jobs[job], done)
        for worker in self.workers:
            worker.begin(run)

    def _add(self, job: str, values: dict[str, float]) -> None:
        point = Point(self.done[job], time.time(), values)
        for worker in self.workers:
            worker.add(job, point)

    def _drop_failed(self) -> None:
        for worker in [worker for worker in self.workers if worker.error is not None]:
            self.workers.remove(worker)
            assert worker.error is not None
            self.emit(Notice(f"{worker.name} is dropped, the run goes on: {brief(worker.error)}"))


def _values(step: Step) -> dict[str, float]:
    """What a step says, under the names of the curves."""
    told = {"loss": step.loss, "images_per_s": step.images_per_s, "lr": step.lr}
    if step.input is not None:
        told |= {"input_images_per_s": step.input.images_per_s, "model_images_per_s": step.input.model_images_per_s}
    if step.memory is not None:  # resident_bytes or gpu_peak_bytes
        told[f"{step.memory.of.lower().replace(' ', '_')}_bytes"] = step.memory.bytes
    return {name: value for name, value in told.items() if value is not None}

"""What the work on a Job found, and the Record made of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from archbench import environment
from archbench.device import is_out_of_memory
from archbench.events import Finished
from archbench.job.base import Job
from archbench.measure.process import ModelError
from archbench.records.schema import Doubt, Failure, Measurement, Record, StoredFile, Uncounted, seal


@dataclass
class Outcome:
    """The part of a Record that only the work can tell."""

    status: str = "ok"
    failure: Failure | None = None
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    environment: dict[str, Any] = dataclasses.field(default_factory=dict)
    measurements: list[Measurement] = dataclasses.field(default_factory=list)
    samples: dict[str, Any] = dataclasses.field(default_factory=dict)
    warnings: list[Doubt] = dataclasses.field(default_factory=list)
    uncounted: tuple[Uncounted, ...] = ()
    files: list[StoredFile] = dataclasses.field(default_factory=list)
    earlier_s: float = 0.0  # that went by in processes before this one

    def fail(self, error: BaseException) -> None:
        """Note what went wrong; what was measured before stays."""
        reason, out_of_memory = type(error).__name__, is_out_of_memory(error)
        if isinstance(error, ModelError):  # it happened in a process of its own
            reason, out_of_memory = error.reason, error.out_of_memory
        self.status = "out_of_memory" if out_of_memory else "failed"
        message = (str(error).strip().splitlines() or [f"{reason} without a word"])[0]
        self.failure = Failure(reason=reason, message=message[:500])


def record(job: Job, outcome: Outcome, duration_s: float) -> Record:
    """The Record of a job that took `duration_s` in this process and ends now."""
    return seal(
        key=job.key,
        group=job.group,
        kind=job.kind,
        status=outcome.status,
        failure=outcome.failure,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        duration_s=round(outcome.earlier_s + duration_s, 3),
        model=job.snapshot,
        config={**job.config(), **outcome.config},
        environment={**environment.describe(job.device), "engine": job.engine, **outcome.environment},
        measurements=tuple(outcome.measurements),
        samples=outcome.samples,
        warnings=tuple(outcome.warnings),
        uncounted=outcome.uncounted,
        files=tuple(outcome.files),
    )


def failure(job: Job, error: BaseException, duration_s: float) -> Record:
    """The Record of a job that ended before or outside its own work: its process died, its images are not there."""
    outcome = Outcome()
    outcome.fail(error)
    return record(job, outcome, duration_s)


def ended(job: Job, finished: Record) -> Finished:
    """The event that tells of a Record; for whoever has saved it, since a listener may end the run."""
    return Finished(job.label, finished.status, finished.id, finished.duration_s, summary(finished), figures(finished))


def summary(finished: Record) -> str:
    """The Record's result in a few words."""
    if finished.failure is not None:
        return f"{finished.status.replace('_', ' ')}: {finished.failure.message}"
    error = finished.measurement("test_error_pct")
    if error is not None and error.value is not None:
        return f"test error {error.value:.2f} %"
    time_s = finished.measurement("latency_s", batch=1)
    return f"{1e3 * time_s.value:.2f} ms an image" if time_s is not None and time_s.value else "counted"


def figures(finished: Record) -> dict[str, float]:
    """What was measured once, by its name."""
    rows = finished.measurements
    names = Counter(row.name for row in rows)
    return {row.name: row.value for row in rows if row.value is not None and names[row.name] == 1}

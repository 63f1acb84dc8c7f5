"""Jobs of kind profile: counts, latency, throughput and memory, with the timing of all models interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from archbench.events import Finished, Listener, Notice, Started, Step
from archbench.execution import numerics, preserved_random_state
from archbench.job.base import Job
from archbench.job.outcome import Outcome, record, summary
from archbench.measure import complexity, latency, memory, operator_time
from archbench.records.schema import Doubt, Measurement, Record, Scalar

LATENCY_LIMIT_S, THROUGHPUT_LIMIT_S = 3.0, 4.0
STEPS = 2 * latency.LEAST_ROUNDS + 1  # what a profile reports at least: rounds at both batch sizes, and memory


def profile(jobs: Sequence[Job], emit: Listener) -> Iterator[Record]:
    """Profile models side by side, their rounds interleaved; a Record each, in order. One that fails costs the others nothing."""
    for job in jobs:
        emit(Started(job.label, STEPS))
    benches = [Bench(job, emit) for job in jobs]
    for step in (Bench.build, Bench.count):
        _each(benches, step)
    with numerics(jobs[0].plan), preserved_random_state(jobs[0].device):
        _time(benches, 1, LATENCY_LIMIT_S)
        if jobs[0].batch > 1:
            _time(benches, jobs[0].batch, THROUGHPUT_LIMIT_S)
        for bench in benches:
            if bench.job.time:
                _each([bench], Bench.measure_operators)
    for bench in benches:
        bench.network = None  # the memory of one is measured with none of the others on the device
    for bench in benches:
        bench.job.device.release_memory()
        with numerics(bench.job.plan):
            _each([bench], Bench.measure_memory)
        finished = record(bench.job, bench.outcome, bench.spent_s)
        emit(Finished(bench.job.label, finished.status, finished.id, finished.duration_s, summary(finished)))
        yield finished


class Bench:
    """One model on the bench: its network, what is being timed, and what was found."""

    def __init__(self, job: Job, emit: Listener) -> None:
        self.job, self.emit, self.outcome = job, emit, Outcome()
        self.network: torch.nn.Module | None = None
        self.steps, self.spent_s = 0, 0.0

    def build(self) -> None:
        with preserved_random_state(self.job.device):
            torch.manual_seed(self.job.seed)
            self.network = self.job.model.build(self.job.shape)

    def count(self) -> None:
        counted = complexity.count(self.job.model, self.job.shape)
        self.outcome.measurements.extend(counted.rows())
        self.outcome.uncounted = counted.uncounted()

    def subject(self, batch: int) -> latency.Subject:
        assert self.network is not None
        return latency.Subject.of(self.job.label, self.network, self.job.shape, batch, self.job.device, self.job.plan)

    def advance(self) -> None:
        self.steps = min(self.steps + 1, STEPS - 1)
        self.emit(Step(self.job.label, self.steps))

    def keep(self, subject: latency.Subject) -> None:
        """Rows and samples of what was timed."""
        self.spent_s += sum(subject.samples)
        if subject.error is not None:
            self.outcome.fail(subject.error)
            return
        batch = len(subject.images)
        at: dict[str, Scalar] = {"batch": batch, "precision": self.job.plan.precision, "memory_format": self.job.plan.memory_format}
        at["mode"] = "eager"
        at["threads"] = torch.get_num_threads()
        seconds, method = subject.seconds, f"median of rounds of about {latency.ROUND_S} s, interleaved over models"
        per_s = {"value": batch / seconds.value, "low": batch / seconds.high, "high": batch / seconds.low}
        self.outcome.measurements.append(
            Measurement(name="latency_s", value=seconds.value, low=seconds.low, high=seconds.high, n=seconds.n, method=method, at=at)
        )
        if batch == self.job.batch:
            self.outcome.measurements.append(Measurement(name="infer_images_per_s", n=seconds.n, method=method, at=at, **per_s))
        self.outcome.samples[f"latency_s_batch{batch}"] = {"calls": subject.samples, "rounds": subject.rounds}
        if not subject.settled:
            message = f"the time at batch {batch} did not settle within {100 * latency.NARROW:.0f} % in the time allowed"
            self.outcome.warnings.append(Doubt(code="noisy", message=message))

    def measure_operators(self) -> None:
        assert self.network is not None
        job = self.job
        images = job.plan.lay_out(job.shape.example(job.batch, job.device.torch))
        times = operator_time.measure(job.plan.place(self.network, job.device), images, job.model.spec.head, job.device, job.plan)
        self.outcome.measurements.extend(times.rows(batch=job.batch, precision=job.plan.precision, threads=torch.get_num_threads()))
        self.outcome.samples["time_s"] = {"by_class": times.by_class, "whole": times.whole}

    def measure_memory(self) -> None:
        batch = self.job.batch
        at: dict[str, Scalar] = {"batch": batch, "precision": "fp32"}
        peaks = memory.peaks(self.job.model, self.job.shape, batch, self.job.device)
        method = "largest resident size of a process of its own, less what it had before the network"
        method = "CUDA allocator" if self.job.device.has_allocator_peak else method
        self.outcome.measurements.extend(Measurement(name=name, value=value, method=method, at=at) for name, value in peaks.items())
        if not peaks:
            self.emit(Notice(f"peak memory cannot be measured on {self.job.device.kind}"))
            self.outcome.warnings.append(Doubt(code="memory_unmeasured", message="the device does not tell its peak memory"))


def _each(benches: Sequence[Bench], step: Callable[[Bench], None]) -> None:
    """Do a step on each bench that still stands; an error is kept in its outcome."""
    for bench in benches:
        if bench.outcome.status != "ok":
            continue
        started = time.perf_counter()
        try:
            step(bench)
        except (Exception, SystemExit) as error:  # as in train: it becomes this model's Record
            bench.outcome.fail(error)
        bench.spent_s += time.perf_counter() - started


def _time(benches: Sequence[Bench], batch: int, limit_s: float) -> None:
    subjects: list[tuple[Bench, latency.Subject]] = []

    def prepare(bench: Bench) -> None:
        subjects.append((bench, bench.subject(batch)))

    _each(benches, prepare)

    def advance() -> None:
        for bench, _ in subjects:
            bench.advance()

    latency.measure([subject for _, subject in subjects], limit_s, advance)
    for bench, subject in subjects:
        bench.keep(subject)

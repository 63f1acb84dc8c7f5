"""Jobs of kind profile: counts, latency, time by operator and memory; a process a model, the timing of all models interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from archbench import conditions
from archbench.events import Finished, Listener, Notice, Started, Step
from archbench.execution import numerics
from archbench.job.base import Job
from archbench.job.outcome import Outcome, record, summary
from archbench.measure import complexity, latency, memory
from archbench.measure.complexity import Complexity
from archbench.measure.latency import Series
from archbench.measure.operator_time import OperatorTimes
from archbench.measure.peaks import Peaks, peaks
from archbench.measure.process import Subject, Worker
from archbench.models import Input
from archbench.records.schema import Doubt, Measurement, Record, Scalar

FLOAT_BYTES = 4
LIMIT_S = 6.0  # of rounds, for each batch size and mode of each model
PROCESS_BYTES = 400 * 2**20  # what a process takes beside its network, seen with PyTorch's build for CUDA; its CPU build takes less


def profile(jobs: Sequence[Job], emit: Listener) -> Iterator[Record]:
    """Profile models side by side, their rounds interleaved; a Record each, in order. One that fails costs the others nothing.

    Where not all fit into memory at once, those of one input that do are measured together, then the next.
    """
    benches = [Bench(job, emit) for job in jobs]
    for bench in benches:
        emit(Started(bench.job.label, bench.expected_steps))
    _each(benches, Bench.count)
    groups = list(_groups(benches, jobs[0].device.free_bytes()))
    if len(groups) > 1:
        emit(Notice(f"{len(benches)} models do not fit into memory at once: their rounds are interleaved in {len(groups)} groups"))
    for group in groups:
        yield from _together(group, emit)


class Bench:
    """One model on the bench: its process, what is being timed, and what was found."""

    def __init__(self, job: Job, emit: Listener) -> None:
        self.job, self.emit, self.outcome = job, emit, Outcome()
        self.counted: Complexity | None = None
        self.worker: Worker | None = None
        self.series = [Series(batch, mode) for mode in job.modes for batch in job.batches]
        self.steps, self.spent_s = 0, 0.0

    @property
    def expected_steps(self) -> int:
        """Rounds that there are at least, and memory."""
        return latency.LEAST_ROUNDS * len(self.series) * self.job.launches + 1

    @property
    def needed_bytes(self) -> int:
        """About what its process takes at most while others run too: weights, a copy that a library may lay out anew, activations."""
        if self.counted is None:
            return 0
        return PROCESS_BYTES + FLOAT_BYTES * (2 * self.counted.params + self.counted.activations * max(self.job.batches))

    def count(self) -> None:
        self.counted = complexity.count(self.job.model, self.job.shape)
        self.outcome.measurements.extend(self.counted.rows())
        self.outcome.uncounted = self.counted.uncounted()

    def start(self) -> None:
        """A new process, which ends the one before."""
        self.stop()
        self.worker = self._new_worker()

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None

    def advance(self) -> None:
        self.steps = min(self.steps + 1, self.expected_steps - 1)
        self.emit(Step(self.job.label, self.steps))

    def keep_latency(self) -> None:
        """Rows and samples of what was timed. A mode besides the first that fails is a doubt; the first is the model's own failure."""
        for series in self.series:
            self.spent_s += sum(sum(calls) for launch in series.launches for calls in launch.calls)
            if series.error is None:
                self._keep(series)
            elif series.mode == self.job.modes[0]:
                raise series.error
            else:
                message = f"{series.mode} at batch {series.batch} is not measured: {series.error}"
                self.outcome.warnings.append(Doubt(code="mode_failed", message=message))

    def _keep(self, series: Series) -> None:
        batch, seconds = series.batch, series.seconds
        at = {**self._at(batch), "memory_format": self.job.plan.memory_format, "mode": series.mode}
        per_s = {"value": batch / seconds.value, "low": batch / seconds.high, "high": batch / seconds.low}
        row = Measurement(name="latency_s", **seconds._asdict(), method=latency.METHOD, at=at)
        self.outcome.measurements.append(row)
        if batch == self.job.batch:
            self.outcome.measurements.append(Measurement(name="infer_images_per_s", n=seconds.n, method=latency.METHOD, at=at, **per_s))
        self.outcome.samples.setdefault("latency", []).append(series.samples())
        self.outcome.warnings.extend(series.doubts())

    def measure_operators(self, machine: Peaks) -> None:
        """Time of a training step by operator class, and each class beside the machine's peaks."""
        assert self.worker is not None
        times = OperatorTimes(**self.worker.ask("operators", batch=self.job.batch))
        at = self._at(self.job.batch)
        self.outcome.measurements.extend([*times.rows(**at), *times.roofline(machine, **at)])
        self.outcome.measurements.extend(machine.rows(self.job.plan.precision, torch.get_num_threads()))
        self.outcome.samples["time_s"] = {"by_class": times.by_class, "whole": times.whole}
        self.outcome.warnings.extend(times.doubts())
        self.stop()  # gradients and activations would stay with it

    def measure_memory(self) -> None:
        """In a process that has done nothing else."""
        with self._new_worker() as worker:
            measured = worker.ask("memory", batch=self.job.batch)
        self.outcome.measurements.extend(memory.rows(measured, batch=self.job.batch, precision="fp32"))

    def _new_worker(self) -> Worker:
        job = self.job
        return Worker(Subject.of(job.model, job.shape, job.device, job.plan, job.seed))

    def _at(self, batch: int) -> dict[str, Scalar]:
        return {"batch": batch, "precision": self.job.plan.precision, "threads": torch.get_num_threads()}


def _groups(benches: Sequence[Bench], free_bytes: int) -> Iterator[list[Bench]]:
    """Benches whose processes fit into memory together, those of one input together before others; too large a one is tried alone."""
    group: list[Bench] = []
    for same in _by_input(benches):
        if group and _needed_bytes([*group, *same]) > free_bytes:
            yield group
            group = []
        for bench in same:
            if group and _needed_bytes([*group, bench]) > free_bytes:
                yield group
                group = []
            group.append(bench)
    yield group


def _by_input(benches: Sequence[Bench]) -> list[list[Bench]]:
    """Those that stand in one table, together."""
    found: dict[Input, list[Bench]] = {}
    for bench in benches:
        found.setdefault(bench.job.shape, []).append(bench)
    return list(found.values())


def _needed_bytes(benches: Sequence[Bench]) -> int:
    return sum(bench.needed_bytes for bench in benches)


def _together(benches: Sequence[Bench], emit: Listener) -> Iterator[Record]:
    """Time all benches of a group, then weigh each, and give their Records."""
    watch = conditions.Watch(benches[0].job.device)
    try:
        _time(benches)
    finally:
        for bench in benches:
            bench.stop()
    seen = watch.stop()
    for bench in benches:
        bench.outcome.environment = {"conditions": seen}
        bench.outcome.config = {"interleaved_with": [other.job.label for other in benches if other is not bench]}
        bench.outcome.warnings.extend(conditions.doubts(seen, bench.job.device.kind))
        _each([bench], Bench.measure_memory)
        finished = record(bench.job, bench.outcome, bench.spent_s)
        emit(Finished(bench.job.label, finished.status, finished.id, finished.duration_s, summary(finished)))
        yield finished


def _time(benches: Sequence[Bench]) -> None:
    owners = {id(series): bench for bench in benches for series in bench.series}
    launches = benches[0].job.launches
    for _ in range(launches):
        _each(benches, Bench.start)
        running = [(series, bench.worker) for bench in benches if bench.worker is not None for series in bench.series]
        latency.measure(running, LIMIT_S / launches, lambda each: owners[id(each)].advance())
    _each(benches, Bench.keep_latency)
    asked = [bench for bench in benches if bench.job.time and bench.outcome.status == "ok"]
    if asked:
        job = asked[0].job
        with numerics(job.plan):
            machine = peaks(job.device, job.plan.precision)
        _each(asked, lambda bench: bench.measure_operators(machine))


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

"""Jobs of kind profile: counts, latency, time by operator and memory; a process a model and mode, all models interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from archbench import conditions
from archbench.errors import UntrainableError
from archbench.events import Listener, Notice, Started, Step
from archbench.job.base import Job
from archbench.job.outcome import Outcome, record
from archbench.measure import complexity, latency, memory
from archbench.measure.complexity import Complexity
from archbench.measure.latency import Series
from archbench.measure.operator_time import OperatorTimes, StepTimes
from archbench.measure.peaks import Peaks, peaks
from archbench.measure.process import ModelError, Subject, Worker
from archbench.models import Input
from archbench.records.schema import Doubt, Measurement, Record, Scalar

FLOAT_BYTES = 4
LIMIT_S = 6.0  # of rounds, for each batch size and mode of each model
PROCESS_BYTES = 400 * 2**20  # what a process takes beside its network, seen with PyTorch's build for CUDA; its CPU build takes less
STEP_COPIES = 3  # of weights and written elements that a training step takes, at most


def profile(jobs: Sequence[Job], emit: Listener) -> Iterator[Record]:
    """Profile models side by side, their rounds interleaved; a Record each. One that fails costs the others nothing.

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
        yield from _together(group)


class Bench:
    """One model on the bench: its processes, what is being timed, and what was found."""

    def __init__(self, job: Job, emit: Listener) -> None:
        self.job, self.emit, self.outcome = job, emit, Outcome()
        self.counted: Complexity | None = None
        self.subject = Subject.of(job.model, job.shape, job.device, job.plan, job.seed)
        self.workers: dict[str, Worker] = {}
        self.series = [Series(batch, mode) for mode in job.modes for batch in job.batches]
        self.steps: list[StepTimes] = []
        self.done, self.spent_s = 0, 0.0

    @property
    def expected_steps(self) -> int:
        """Rounds that there are at least, and memory."""
        return latency.LEAST_ROUNDS * len(self.series) * self.job.launches + 1

    @property
    def needed_bytes(self) -> int:
        """About what its processes take at most while others run too: weights, a copy that a library may lay out anew, activations."""
        if self.counted is None:
            return 0
        network = FLOAT_BYTES * (2 * self.counted.params + self.counted.activations * max(self.job.batches))
        return len(self.job.modes) * (PROCESS_BYTES + network)

    @property
    def step_bytes(self) -> int:
        """About what a training step takes more, while no other takes one."""
        if self.counted is None or not self.job.time:
            return 0
        return FLOAT_BYTES * STEP_COPIES * (self.counted.params + self.counted.activations * self.job.batch)

    def count(self) -> None:
        self.counted = complexity.count(self.job.model, self.job.shape)
        self.outcome.measurements.extend(self.counted.rows())
        self.outcome.uncounted = self.counted.uncounted()

    def start(self) -> None:
        """New processes, which end the ones before: a mode that crashes takes no other with it."""
        self.stop()
        self.workers = {mode: Worker(self.subject, self.heed) for mode in self.job.modes}

    def stop(self) -> None:
        for worker in self.workers.values():
            self.spent_s += worker.busy_s
            worker.close()
        self.workers = {}

    def advance(self) -> None:
        self.done = min(self.done + 1, self.expected_steps - 1)
        self.heed()

    def heed(self) -> None:
        """Say how far it is, also while nothing is new: whoever listens may end the run."""
        self.emit(Step(self.job.label, self.done))

    def keep_latency(self) -> None:
        """Rows and samples of what was timed. A swept batch size or further mode that failed is a doubt, else the model has failed."""
        failed = [series for series in self.series if series.error is not None]
        for series in failed:
            if len(failed) == len(self.series) or (series.batch, series.mode) == (self.job.batch, self.job.modes[0]):
                assert series.error is not None
                raise series.error
            message = f"{series.mode} at batch {series.batch} is not measured: {series.error}"
            self.outcome.warnings.append(Doubt(code="not_measured", message=message))
        for series in self.series:
            if series.error is None:
                self._keep(series)

    def _keep(self, series: Series) -> None:
        batch, seconds = series.batch, series.seconds
        at = {**self._at(batch), "memory_format": self.job.plan.memory_format, "mode": series.mode}
        per_s = {"value": batch / seconds.value, "low": batch / seconds.high, "high": batch / seconds.low}
        self.outcome.measurements.append(Measurement(name="latency_s", **seconds._asdict(), method=series.method, at=at))
        if batch == self.job.batch:
            self.outcome.measurements.append(Measurement(name="infer_images_per_s", n=seconds.n, method=series.method, at=at, **per_s))
        self.outcome.samples.setdefault("latency", []).append(series.samples())
        self.outcome.warnings.extend(series.doubts())

    def time_operators(self) -> None:
        """Training steps of this launch, by operator class; its process ends, since gradients and activations would stay with it."""
        worker = self.workers[self.job.modes[0]]
        try:
            self.steps.append(StepTimes(**worker.ask("operators", batch=self.job.batch)))
        except ModelError as error:
            if error.reason != UntrainableError.__name__:
                raise
            self._not_trained("time by operator")
        self.stop()

    def keep_operators(self, machine: Peaks) -> None:
        """Rows of the training steps, and each class beside the machine's peaks."""
        times, at = OperatorTimes(self.steps), self._at(self.job.batch)
        self.outcome.measurements.extend([*times.rows(**at), *times.roofline(machine, **at)])
        self.outcome.measurements.extend(machine.rows(self.job.plan.precision, torch.get_num_threads()))
        self.outcome.samples["time_s"] = times.samples()
        self.outcome.warnings.extend(times.doubts())

    def measure_memory(self) -> None:
        """In a process that has done nothing else."""
        with Worker(self.subject, self.heed) as worker:
            measured = worker.ask("memory", batch=self.job.batch)
            self.spent_s += worker.busy_s
        if "train_bytes" not in measured:
            self._not_trained("memory of a training step")
        on_gpu = self.job.device.has_allocator_peak
        self.outcome.measurements.extend(memory.rows(measured, on_gpu, batch=self.job.batch, precision="fp32"))

    def _not_trained(self, what: str) -> None:
        message = f"{what} is not measured: no gradient reaches a parameter"
        if all(doubt.message != message for doubt in self.outcome.warnings):
            self.outcome.warnings.append(Doubt(code="not_measured", message=message))

    def _at(self, batch: int) -> dict[str, Scalar]:
        return {"batch": batch, "precision": self.job.plan.precision, "threads": torch.get_num_threads()}


def _groups(benches: Sequence[Bench], free_bytes: int | None) -> Iterator[list[Bench]]:
    """Benches whose processes fit into memory together, those of one input together before others; too large a one is tried alone.

    Where it is not known how much is free, all are tried together.
    """
    if free_bytes is None:
        yield list(benches)
        return
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
    return sum(bench.needed_bytes for bench in benches) + max(bench.step_bytes for bench in benches)


def _together(benches: Sequence[Bench]) -> Iterator[Record]:
    """Time all benches of a group, then weigh each, and give their Records."""
    device = benches[0].job.device
    machine = _peaks(benches)
    watch = conditions.Watch(device)
    try:
        _time(benches)
        seen = watch.stop()
    finally:
        for bench in benches:
            bench.stop()
    _each(benches, Bench.keep_latency)
    if machine is not None:
        _each([bench for bench in benches if bench.steps], lambda bench: bench.keep_operators(machine))
    for bench in benches:
        bench.outcome.environment = {"conditions": seen}
        bench.outcome.config = {"interleaved_with": [other.job.label for other in benches if other is not bench]}
        bench.outcome.warnings.extend(conditions.doubts(seen, device.kind))
        _each([bench], Bench.measure_memory)
        yield record(bench.job, bench.outcome, bench.spent_s)


def _peaks(benches: Sequence[Bench]) -> Peaks | None:
    """The machine's, before any process takes its memory; where they cannot be had, that is a doubt of each that asked."""
    asked = [bench for bench in benches if bench.job.time]
    if not asked:
        return None
    try:
        return peaks(asked[0].job.device, asked[0].job.plan.precision)
    except (RuntimeError, MemoryError) as error:
        for bench in asked:
            bench.outcome.warnings.append(Doubt(code="not_measured", message=f"no peaks of the machine, so no roofline: {error}"))
        return None


def _time(benches: Sequence[Bench]) -> None:
    """All launches: rounds over all series, then training steps one model after the other."""
    owners = {id(series): bench for bench in benches for series in bench.series}
    launches = benches[0].job.launches
    for launch in range(launches):
        _each(benches, Bench.start)
        running = [(each, bench.workers[each.mode]) for bench in benches for each in bench.series if each.mode in bench.workers]
        latency.measure(running, LIMIT_S / launches, launch, lambda each: owners[id(each)].advance())
        _each([bench for bench in benches if bench.job.time and bench.workers], Bench.time_operators)


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

"""Where the time of a training step goes, by operator class, forward and backward: kernel time as torch.profiler sees it.

Each operation of the forward pass runs in a range of its own, whose label leads to its class. The backward pass of an operation is found
by the number that autograd gives to both. The whole pass is timed without profiler and labels beside. How many bytes an operation reads
and writes at least gives its arithmetic intensity, and with the machine's peaks the time that it could not go below (roofline.py).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._pytree import tree_leaves

from archbench.device import Device
from archbench.execution import ExecutionPlan, TrainingStep
from archbench.measure import roofline
from archbench.measure.head import Head
from archbench.measure.operators import Operation, OperatorCounter
from archbench.measure.peaks import Peaks
from archbench.records.schema import Doubt, Measurement, Scalar
from archbench.stats import Interval, over_launches

ALLOCATIONS = {torch.ops.aten.empty, torch.ops.aten.empty_like, torch.ops.aten.new_empty, torch.ops.aten.empty_strided}
PHASES = ("forward", "backward")
REPEATS, WARM_UP = 3, 1  # steps of a process
LABEL = re.compile(r"archbench::(\d+)")
NODE = "autograd::engine::evaluate_function: "
MICROSECOND_S = 1e-6
FAR_PCT = 20
METHOD = f"torch.profiler, {REPEATS} training steps a process; geometric mean and Student's t over processes, median over steps of one"
WHOLE = "the whole phase, without a profiler"
EXPLAINED = "sum over the classes, beside the whole phase without a profiler"
COST = "the phase under the profiler and labels, beside without"

Seconds = dict[str, list[float]]  # seconds by operator class, a value a repeat


class LabelledCounter(OperatorCounter):
    """An operator counter that puts each operation into a range of the profiler, named by its place in `operations`.

    `traffic` holds the bytes of what each reads and writes, by the same place.
    """

    def __init__(self, head: Iterable[torch.Tensor] = ()) -> None:
        super().__init__(head)
        self.traffic: dict[int, int] = {}

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        place = len(self.operations)
        with record_function(f"archbench::{place}"):
            out = super().run(func, args, kwargs)
        read_and_written = (args, kwargs) if func.overloadpacket in ALLOCATIONS else (args, kwargs, out)
        self.traffic[place] = sum(_bytes(leaf) for leaf in tree_leaves(read_and_written) if isinstance(leaf, torch.Tensor))
        return out


def _bytes(tensor: torch.Tensor) -> int:
    """What is there of a tensor: one that was expanded holds less than its shape says."""
    return min(tensor.nbytes, tensor.untyped_storage().nbytes())


@dataclass(frozen=True)
class StepTimes:
    """Of one process: seconds by phase and operator class, a value a repeat; of each whole phase without a profiler, and under it.

    `work` holds multiply-adds and bytes of the forward pass by class, `unknown` operators that the counter does not know.
    """

    by_class: Mapping[str, Seconds]
    whole: Mapping[str, list[float]]
    profiled: Mapping[str, list[float]]
    work: Mapping[str, tuple[int, int]]
    unknown: Sequence[str]


@dataclass(frozen=True)
class OperatorTimes:
    """Times of training steps by operator class, over the processes that measured them."""

    launches: Sequence[StepTimes]

    def seconds(self, phase: str, operator_class: str | None = None) -> Interval:
        """Of one class, or of the whole phase without a profiler."""
        return over_launches([self._repeats(launch, phase, operator_class) for launch in self.launches])

    def classes(self, phase: str) -> list[str]:
        """Those that took time."""
        return sorted({kind for launch in self.launches for kind in launch.by_class[phase]})

    def explained_pct(self, phase: str) -> float:
        """What part of the whole phase the classes add up to."""
        return 100 * sum(self.seconds(phase, kind).value for kind in self.classes(phase)) / self.seconds(phase).value

    def profiler_pct(self, phase: str) -> float:
        """The phase under the profiler, beside without."""
        return 100 * over_launches([launch.profiled[phase] for launch in self.launches]).value / self.seconds(phase).value

    def rows(self, **at: Scalar) -> list[Measurement]:
        """A row for each phase and class, and for each whole phase; how far the classes add up to it, and what the profiler costs."""
        rows = []
        for phase in PHASES:
            here: dict[str, Scalar] = {"phase": phase, **at}
            rows += [
                _row(self.seconds(phase, kind), METHOD, {**here, "operator_class": kind})
                for kind in self.classes(phase)
                if self.seconds(phase, kind).value > 0
            ]
            rows.append(_row(self.seconds(phase), WHOLE, here))
            rows.append(Measurement(name="time_explained_pct", value=self.explained_pct(phase), method=EXPLAINED, at=here))
            rows.append(Measurement(name="profiler_time_pct", value=self.profiler_pct(phase), method=COST, at=here))
        return rows

    def doubts(self) -> list[Doubt]:
        """Classes whose sum is far from the whole phase, and operators whose class is not known."""
        found = []
        for phase in PHASES:
            explained = self.explained_pct(phase)
            if abs(explained - 100) > FAR_PCT:
                message = f"the times by operator class add up to {explained:.0f} % of the {phase} pass"
                found.append(Doubt(code="time_unexplained", message=message))
        if unknown := sorted({name for launch in self.launches for name in launch.unknown}):
            found.append(Doubt(code="time_unknown", message=f"counted to the class other, since it is not known: {', '.join(unknown)}"))
        return found

    def roofline(self, peaks: Peaks, **at: Scalar) -> list[Measurement]:
        """For each class of the forward pass, and the whole: MAC/s, multiply-adds a byte, and the share of what the machine allows."""
        rows, work = [], self.launches[-1].work
        for kind, (macs, moved) in work.items():
            seconds = self.seconds("forward", kind)
            if seconds.value > 0:
                rows.extend(roofline.rows(macs, moved, seconds, peaks, phase="forward", operator_class=kind, **at))
        macs, moved = (sum(column) for column in zip(*work.values(), strict=True))
        return [*rows, *roofline.rows(macs, moved, self.seconds("forward"), peaks, phase="forward", **at)]

    def samples(self) -> dict[str, Any]:
        """All that was timed."""
        return {"launches": [{"by_class": launch.by_class, "whole": launch.whole} for launch in self.launches]}

    @staticmethod
    def _repeats(launch: StepTimes, phase: str, operator_class: str | None) -> list[float]:
        return launch.whole[phase] if operator_class is None else launch.by_class[phase].get(operator_class, [0.0])


def _row(seconds: Interval, method: str, at: dict[str, Scalar]) -> Measurement:
    return Measurement(name="time_s", **seconds._asdict(), method=method, at=at)


def measure(network: nn.Module, images: torch.Tensor, head: Head, device: Device, plan: ExecutionPlan) -> StepTimes:
    """Time training steps of a network on a batch `(N, C, H, W)`; `head` is its classifier head, as `complexity.head_of` knows it."""
    step = _Step(network, images, device, plan)
    for _ in range(WARM_UP):
        step.whole()
    whole: dict[str, list[float]] = {phase: [] for phase in PHASES}
    under: dict[str, list[float]] = {phase: [] for phase in PHASES}
    by_class: dict[str, Seconds] = {phase: defaultdict(list) for phase in PHASES}
    profiled = _Profiled(step, [network.get_parameter(name) for name in head.parameters])
    for _ in range(REPEATS):
        for phase, seconds in zip(PHASES, step.whole(), strict=True):
            whole[phase].append(seconds)
        for phase, found in profiled.once(under).items():
            for operator_class, seconds in found.items():
                by_class[phase][operator_class].append(seconds)
    plain = {phase: dict(found) for phase, found in by_class.items()}
    return StepTimes(plain, whole, under, profiled.work, sorted(profiled.unknown))


class _Step(TrainingStep):
    """Both passes apart."""

    def forward_pass(self) -> None:
        """The forward pass and the loss."""
        self.reached = self.loss()

    def backward_pass(self) -> None:
        self.reached.backward()

    def whole(self) -> tuple[float, float]:
        """Seconds of both passes, without a profiler; the gradients of the step before are dropped off the clock."""
        self.network.zero_grad()
        return self.device.time(self.forward_pass), self.device.time(self.backward_pass)


class _Profiled:
    """The same passes under the profiler; `work` holds multiply-adds and bytes of the last forward pass by class."""

    def __init__(self, step: _Step, head: list[nn.Parameter]) -> None:
        self.step, self.head = step, head
        self.work: dict[str, tuple[int, int]] = {}
        self.unknown: set[str] = set()

    def once(self, seconds: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
        """Seconds of kernels by phase and class, of one step; those of each whole phase are added to `seconds`."""
        device = self.step.device
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.kind == "cuda" else [])]
        counter = LabelledCounter(self.head)
        counter.begin(self.step.images)
        self.step.network.zero_grad()
        with profile(activities=activities) as profiler:
            with counter:
                seconds["forward"].append(device.time(self.step.forward_pass))
            seconds["backward"].append(device.time(self.step.backward_pass))
        operations = counter.operations
        self.work = _work(operations, counter.traffic)
        self.unknown |= {operation.operator for operation in operations if not operation.known}
        return attributed(list(profiler.events() or []), operations, on_device=device.kind == "cuda")


def _work(operations: list[Operation], traffic: Mapping[int, int]) -> dict[str, tuple[int, int]]:
    """Multiply-adds and bytes by class."""
    sums: dict[str, tuple[int, int]] = {}
    for place, operation in enumerate(operations):
        macs, moved = sums.get(operation.operator_class, (0, 0))
        sums[operation.operator_class] = macs + operation.macs, moved + traffic[place]
    return sums


def attributed(events: list[Any], operations: list[Operation], on_device: bool) -> dict[str, dict[str, float]]:
    """Seconds by phase and class from a profiler's events; those of the host alone, which know the kernels that they started."""
    events = [event for event in events if event.device_type == DeviceType.CPU]
    found: dict[str, dict[str, float]] = {phase: defaultdict(float) for phase in PHASES}
    classes: dict[int, tuple[float, str]] = {}  # by autograd's number: the longest operation that bears it, and its class
    for event, operation in _labelled(events, operations):
        seconds = _seconds(event, on_device)
        found["forward"][operation.operator_class] += seconds
        number = _number(event)
        if number < 0:  # autograd was not asked
            continue
        classes[number] = max(classes.get(number, (-1.0, "")), (seconds, operation.operator_class))
    for event in events:
        if event.name.startswith(NODE):
            found["backward"][classes.get(event.sequence_nr, (0.0, "other"))[1]] += _seconds(event, on_device)
    return found


def _labelled(events: list[Any], operations: list[Operation]) -> Iterator[tuple[Any, Operation]]:
    """The outermost range of each operation: what an operation calls on its own way belongs to it."""
    for event in events:
        label = LABEL.fullmatch(event.name)
        if label is not None and int(label[1]) < len(operations) and not _inside_a_range(event):
            yield event, operations[int(label[1])]


def _inside_a_range(event: Any) -> bool:
    parent = event.cpu_parent
    while parent is not None:
        if LABEL.fullmatch(parent.name):
            return True
        parent = parent.cpu_parent
    return False


def _number(event: Any) -> int:
    """The number that autograd gave to the operation around a range."""
    parent = event.cpu_parent
    while parent is not None and parent.sequence_nr < 0:
        parent = parent.cpu_parent
    return -1 if parent is None else int(parent.sequence_nr)


def _seconds(event: Any, on_device: bool) -> float:
    return MICROSECOND_S * float(event.device_time_total if on_device else event.cpu_time_total)

"""Where the time of a training step goes, by operator class, forward and backward: kernel time as torch.profiler sees it.

Each operation of the forward pass runs in a range of its own, whose label leads to its class. The backward pass of an operation is found
by the number that autograd gives to both. What the profiler and the labels cost lies outside the ranges; the whole pass is timed without
them beside. How many bytes an operation reads and writes at least gives its arithmetic intensity, and with the machine's peaks the time
that it could not go below: the roofline of Williams, Waterman & Patterson, Communications of the ACM 52 (2009).
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._pytree import tree_leaves

from archbench.device import Device
from archbench.execution import ExecutionPlan, training_loss
from archbench.measure import roofline
from archbench.measure.operators import Operation, OperatorCounter
from archbench.measure.peaks import Peaks
from archbench.records.schema import Doubt, Measurement, Scalar
from archbench.stats import median

PHASES = ("forward", "backward")
REPEATS, WARM_UP = 9, 2
LABEL = re.compile(r"archbench::(\d+)")
NODE = "autograd::engine::evaluate_function: "
MICROSECOND_S = 1e-6
FAR_PCT = 20
EXPLAINED = "sum over the classes, beside the whole phase without a profiler"
COST = "the phase under the profiler and labels, beside without"
METHOD = f"torch.profiler, median of {REPEATS} training steps"

Seconds = dict[str, list[float]]  # seconds by operator class, a value a repeat


class LabelledCounter(OperatorCounter):
    """An operator counter that puts each operation into a range of the profiler, named by its place in `operations`.

    `traffic` holds the bytes of what each reads and writes, by the same place.
    """

    def __init__(self, head: Iterable[torch.Tensor] | None = None) -> None:
        super().__init__(head)
        self.traffic: dict[int, int] = {}

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        place = len(self.operations)
        with record_function(f"archbench::{place}"):
            out = super().run(func, args, kwargs)
        self.traffic[place] = sum(leaf.nbytes for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor))
        return out


@dataclass(frozen=True)
class OperatorTimes:
    """Seconds by phase and operator class, a value a repeat; of each whole phase without a profiler, and under it.

    `work` holds multiply-adds and bytes of the forward pass by class.
    """

    by_class: Mapping[str, Seconds]
    whole: Mapping[str, list[float]]
    profiled: Mapping[str, list[float]]
    work: Mapping[str, tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def rows(self, **at: Scalar) -> list[Measurement]:
        """A row for each phase and class, and for each whole phase; how far the classes add up to it, and what the profiler costs."""
        rows = []
        for phase in PHASES:
            for operator_class, seconds in sorted(self.by_class[phase].items()):
                rows.append(_row("time_s", seconds, METHOD, phase=phase, operator_class=operator_class, **at))
            rows.append(_row("time_s", self.whole[phase], "the whole phase, without a profiler", phase=phase, **at))
            sums = [sum(repeat) for repeat in itertools.zip_longest(*self.by_class[phase].values(), fillvalue=0.0)]
            beside = {"time_explained_pct": (sums, EXPLAINED), "profiler_time_pct": (self.profiled[phase], COST)}
            for name, (seconds, method) in beside.items():
                percent = [100 * one / other for one, other in zip(seconds, self.whole[phase], strict=True)]
                rows.append(_row(name, percent, method, phase=phase, **at))
        return rows

    def doubts(self) -> list[Doubt]:
        """Classes whose sum is far from the whole phase."""
        found = []
        for phase in PHASES:
            explained = 100 * sum(median(seconds).value for seconds in self.by_class[phase].values()) / median(self.whole[phase]).value
            if abs(explained - 100) > FAR_PCT:
                message = f"the times by operator class add up to {explained:.0f} % of the {phase} pass"
                found.append(Doubt(code="time_unexplained", message=message))
        return found

    def roofline(self, peaks: Peaks, **at: Scalar) -> list[Measurement]:
        """For each class of the forward pass, and the whole: MAC/s, multiply-adds a byte, and the share of what the machine allows."""
        rows = []
        for operator_class, (macs, moved) in self.work.items():
            if operator_class in self.by_class["forward"]:
                seconds = median(self.by_class["forward"][operator_class])
                rows.extend(roofline.rows(macs, moved, seconds, peaks, phase="forward", operator_class=operator_class, **at))
        macs, moved = (sum(column) for column in zip(*self.work.values(), strict=True))
        return [*rows, *roofline.rows(macs, moved, median(self.whole["forward"]), peaks, phase="forward", **at)]


def _row(name: str, samples: list[float], method: str, **at: Scalar) -> Measurement:
    value, low, high, n = median(samples)
    return Measurement(name=name, value=value, low=low, high=high, n=n, method=method, at=at)


def measure(network: nn.Module, images: torch.Tensor, heads: Iterable[str], device: Device, plan: ExecutionPlan) -> OperatorTimes:
    """Time training steps of a network on a batch `(N, C, H, W)`; `heads` names the modules of the classifier head."""
    network.train()
    step = _Step(network, images, device, plan)
    for _ in range(WARM_UP):
        step.whole()
    whole: dict[str, list[float]] = {phase: [] for phase in PHASES}
    under: dict[str, list[float]] = {phase: [] for phase in PHASES}
    by_class: dict[str, Seconds] = {phase: defaultdict(list) for phase in PHASES}
    head = [parameter for name in heads for parameter in network.get_submodule(name).parameters()]
    profiled = _Profiled(step, head or None)
    for _ in range(REPEATS):
        for phase, seconds in zip(PHASES, step.whole(), strict=True):
            whole[phase].append(seconds)
        for phase, found in profiled.once(under).items():
            for operator_class, seconds in found.items():
                by_class[phase][operator_class].append(seconds)
    return OperatorTimes({phase: dict(found) for phase, found in by_class.items()}, whole, under, profiled.work)


class _Step:
    """A forward and a backward pass."""

    def __init__(self, network: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan) -> None:
        self.network, self.images, self.device, self.plan = network, images, device, plan
        self.labels = torch.zeros(len(images), dtype=torch.long, device=images.device)
        self.loss = torch.zeros(())

    def forward(self) -> None:
        self.network.zero_grad()
        with self.plan.autocast(self.device):
            self.loss = training_loss(self.network, self.network(self.images), self.labels)

    def backward(self) -> None:
        self.loss.backward()

    def whole(self) -> tuple[float, float]:
        """Seconds of both passes, without a profiler."""
        return self.device.time(self.forward), self.device.time(self.backward)


class _Profiled:
    """The same passes under the profiler; `work` holds multiply-adds and bytes of the last forward pass by class."""

    def __init__(self, step: _Step, head: list[nn.Parameter] | None) -> None:
        self.step, self.head = step, head
        self.work: dict[str, tuple[int, int]] = {}

    def once(self, seconds: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
        """Seconds of kernels by phase and class, of one step; those of each whole phase are added to `seconds`."""
        device = self.step.device
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.kind == "cuda" else [])]
        counter = LabelledCounter(self.head)
        counter.begin(self.step.images)
        with profile(activities=activities) as profiler:
            with counter:
                seconds["forward"].append(device.time(self.step.forward))
            seconds["backward"].append(device.time(self.step.backward))
        operations = counter.split_head()
        self.work = _work(operations, counter.traffic)
        return attributed(list(profiler.events() or []), operations, on_device=device.kind == "cuda")


def _work(operations: list[Operation], traffic: Mapping[int, int]) -> dict[str, tuple[int, int]]:
    """Multiply-adds and bytes by class."""
    sums: dict[str, tuple[int, int]] = {}
    for place, operation in enumerate(operations):
        macs, moved = sums.get(operation.operator_class, (0, 0))
        sums[operation.operator_class] = macs + operation.macs, moved + traffic[place]
    return sums


def attributed(events: list[Any], operations: list[Operation], on_device: bool) -> dict[str, dict[str, float]]:
    """Seconds by phase and class from a profiler's events."""
    found: dict[str, dict[str, float]] = {phase: defaultdict(float) for phase in PHASES}
    classes: dict[int, tuple[float, str]] = {}  # by autograd's number: the longest operation that bears it, and its class
    for event, operation in _labelled(events, operations):
        seconds = _seconds(event, on_device)
        found["forward"][operation.operator_class] += seconds
        number = _number(event)
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

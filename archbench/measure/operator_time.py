"""Where the time of a training step goes, by operator class, forward and backward: kernel time as torch.profiler sees it.

Each operation of the forward pass runs in a range of its own, whose label leads to its class. The backward pass of an operation is found
by the number that autograd gives to both. What the profiler and the labels cost lies outside the ranges; the whole pass is timed without
them beside.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from archbench.device import Device
from archbench.execution import ExecutionPlan, training_loss
from archbench.measure.operators import Operation, OperatorCounter
from archbench.records.schema import Measurement, Scalar
from archbench.stats import median

PHASES = ("forward", "backward")
REPEATS, WARM_UP = 9, 2
LABEL = re.compile(r"archbench::(\d+)")
NODE = "autograd::engine::evaluate_function: "
MICROSECOND_S = 1e-6
METHOD = f"torch.profiler, median of {REPEATS} training steps"

Seconds = dict[str, list[float]]  # seconds by operator class, a value a repeat


class LabelledCounter(OperatorCounter):
    """An operator counter that puts each operation into a range of the profiler, named by its place in `operations`."""

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        with record_function(f"archbench::{len(self.operations)}"):
            return super().run(func, args, kwargs)


@dataclass(frozen=True)
class OperatorTimes:
    """Seconds by phase and operator class, and seconds of each whole phase without a profiler; a value a repeat."""

    by_class: Mapping[str, Seconds]
    whole: Mapping[str, list[float]]

    def rows(self, **at: Scalar) -> list[Measurement]:
        """A row for each phase and class, and one for each whole phase."""
        rows = []
        for phase in PHASES:
            for operator_class, seconds in sorted(self.by_class[phase].items()):
                rows.append(_row(seconds, METHOD, phase=phase, operator_class=operator_class, **at))
            rows.append(_row(self.whole[phase], "the whole phase, without a profiler", phase=phase, **at))
        return rows


def _row(seconds: list[float], method: str, **at: Scalar) -> Measurement:
    value, low, high, n = median(seconds)
    return Measurement(name="time_s", value=value, low=low, high=high, n=n, method=method, at=at)


def measure(network: nn.Module, images: torch.Tensor, heads: Iterable[str], device: Device, plan: ExecutionPlan) -> OperatorTimes:
    """Time training steps of a network on a batch `(N, C, H, W)`; `heads` names the modules of the classifier head."""
    network.train()
    step = _Step(network, images, device, plan)
    for _ in range(WARM_UP):
        step.whole()
    whole: dict[str, list[float]] = {phase: [] for phase in PHASES}
    by_class: dict[str, Seconds] = {phase: defaultdict(list) for phase in PHASES}
    head = [parameter for name in heads for parameter in network.get_submodule(name).parameters()]
    for _ in range(REPEATS):
        for phase, seconds in zip(PHASES, step.whole(), strict=True):
            whole[phase].append(seconds)
        for phase, found in step.profiled(head or None).items():
            for operator_class, seconds in found.items():
                by_class[phase][operator_class].append(seconds)
    return OperatorTimes(by_class, whole)


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

    def profiled(self, head: list[nn.Parameter] | None) -> dict[str, dict[str, float]]:
        """Seconds of kernels by phase and class, of one step under the profiler."""
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self.device.kind == "cuda" else [])]
        counter = LabelledCounter(head)
        counter.begin(self.images)
        with _quiet_stderr(), profile(activities=activities) as profiler:
            with counter:
                self.forward()
            self.backward()
            self.device.synchronise()
        return attributed(list(profiler.events() or []), counter.split_head(), on_device=self.device.kind == "cuda")


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """The profiler's library reports its own start and stop on the process's stderr, whatever it is told; not inside the context."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


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

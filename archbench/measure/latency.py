"""How long a forward pass takes: warmed up, synchronised, in rounds that go over all models in turn, raw samples kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import nn

from archbench.device import Device
from archbench.execution import ExecutionPlan
from archbench.models import Input
from archbench.stats import Interval, median

WARM_UP_CALLS = 5
ROUND_S = 0.05
NARROW = 0.02  # the interval is narrow enough within this share of the median
LEAST_ROUNDS, MOST_ROUNDS = 10, 400


@dataclass
class Subject:
    """A network whose forward pass is timed at a batch size. `samples` are seconds a call, in the order they were taken."""

    label: str
    network: nn.Module
    images: torch.Tensor
    device: Device
    plan: ExecutionPlan
    samples: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)
    error: Exception | None = None

    @classmethod
    def of(cls, label: str, network: nn.Module, shape: Input, batch: int, device: Device, plan: ExecutionPlan) -> Subject:
        """A subject that times `network` on a batch of noise, in the plan's layout and precision, eager."""
        network = plan.place(network, device).eval()
        return cls(label, network, plan.lay_out(shape.example(batch, device.torch)), device, plan)

    @torch.inference_mode()
    def call(self) -> None:
        """One forward pass."""
        with self.plan.autocast(self.device):
            self.network(self.images)

    def warm_up(self) -> None:
        """Calls that are not timed."""
        for _ in range(WARM_UP_CALLS):
            self.call()
        self.device.synchronise()

    def round(self) -> None:
        """Time calls for about ROUND_S; the round's own figure is their median."""
        taken: list[float] = []
        while not taken or sum(taken) < ROUND_S:
            taken.append(self.device.time(self.call))
        self.samples.extend(taken)
        self.rounds.append(median(taken).value)

    @property
    def seconds(self) -> Interval:
        """Median over rounds with its interval: neighbouring samples are correlated, rounds much less."""
        return median(self.rounds)

    @property
    def settled(self) -> bool:
        """Whether the interval is as narrow as asked for."""
        if len(self.rounds) < LEAST_ROUNDS:
            return False
        value, low, high, _ = self.seconds
        return high - value <= NARROW * value and value - low <= NARROW * value


def measure(subjects: Iterable[Subject], limit_s: float, progress: Callable[[], None] = lambda: None) -> None:
    """Time all subjects in interleaved rounds until each has settled or `limit_s` for each is over.

    A subject that fails keeps its error and is left out of further rounds; the others go on.
    """
    active = [subject for subject in subjects if _attempt(subject.warm_up, subject)]
    deadline = time.perf_counter() + limit_s * len(active)
    for number in range(MOST_ROUNDS):
        active = [subject for subject in active if not subject.settled and _attempt(subject.round, subject)]
        progress()
        if not active or (number + 1 >= LEAST_ROUNDS and time.perf_counter() > deadline):
            return


def _attempt(call: Callable[[], None], subject: Subject) -> bool:
    try:
        call()
    except Exception as error:  # any error of a model's is that model's alone; its caller records it
        subject.error = error.with_traceback(None)  # a traceback would keep the activations alive
        subject.device.release_memory()
        return False
    return True

"""One forward pass as it is timed: eager, compiled or as a CUDA graph, warmed up until stable, some calls a round."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.execution import ExecutionPlan

ROUND_S, SAMPLE_S, MOST_SAMPLES = 0.05, 0.002, 25
GROUP_S, STABLE, WARM_UP_S, LEAST_CALLS = 0.02, 0.02, 2.0, 3


class Forward:
    """A network's forward pass on a batch `(N, C, H, W)`, in evaluation and inference mode."""

    def __init__(self, network: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan, mode: str) -> None:
        self.network, self.images, self.device, self.plan = network.eval(), images, device, plan
        self.call = self._made(mode)
        self.repeats = 1  # calls a sample

    def warm_up(self) -> dict[str, Any]:
        """Call until two neighbouring groups of calls differ by at most 2 %, or for 2 s: seconds of the first call, number of calls."""
        first, calls, before, started = self.device.time(self.call), 1, 0.0, time.perf_counter()
        while True:
            group = self._timed(GROUP_S)
            now, calls = statistics.median(group), calls + len(group)
            stable = abs(now - before) <= STABLE * now
            if calls >= LEAST_CALLS and (stable or time.perf_counter() - started > WARM_UP_S):
                self.repeats = 1 if self.device.kind == "cuda" else max(1, math.ceil(SAMPLE_S / now))
                return {"first_s": first, "calls": calls, "stable": stable}
            before = now

    def round(self) -> list[float]:
        """Seconds a call, for about ROUND_S, after one untimed call where a call is short: others ran since the last round.

        On a CPU a sample is the mean of as many calls as take 2 ms; on a GPU, where calls would overlap, it is one call.
        """
        first = self.device.time(self.call)
        return [first] if first > ROUND_S else self._timed(ROUND_S)

    def _timed(self, seconds: float) -> list[float]:
        taken: list[float] = []
        while len(taken) < MOST_SAMPLES and sum(taken) * self.repeats < seconds:
            taken.append(self.device.time(self._sample) / self.repeats)
        return [float(f"{sample:.5g}") for sample in taken]

    def _sample(self) -> None:
        for _ in range(self.repeats):
            self.call()

    def _made(self, mode: str) -> Callable[[], object]:
        if mode == "cuda_graph":
            return self._captured()
        network = torch.compile(self.network) if mode == "compiled" else self.network

        @torch.inference_mode()
        def call() -> None:
            with self.plan.autocast(self.device):
                network(self.images)

        return call

    def _captured(self) -> Callable[[], object]:
        """The pass as one launch. Raises ArchbenchError where the device has no graphs."""
        if self.device.kind != "cuda":
            raise ArchbenchError(f"{self.device.kind} has no CUDA graphs")
        graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), self.plan.autocast(self.device), torch.cuda.device(self.device.index):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):  # what is set up at the first call must not be captured
                for _ in range(LEAST_CALLS):
                    self.network(self.images)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph):
                self.network(self.images)
        return graph.replay

"""One forward pass as it is timed: eager, compiled or as a CUDA graph, warmed up until stable, some calls a round."""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.execution import AUTOCAST, ExecutionPlan

ROUND_S, SAMPLE_S, MOST_SAMPLES = 0.05, 0.002, 25
MOST_COMPILED = 64  # batch sizes
GROUP_S, STABLE, WARM_UP_S, LEAST_CALLS = 0.02, 0.02, 2.0, 3


class Forward:
    """A network's forward pass on a batch `(N, C, H, W)`, in evaluation and inference mode."""

    def __init__(self, network: nn.Module, images: torch.Tensor, device: Device, plan: ExecutionPlan, mode: str) -> None:
        self.network, self.images, self.device, self.plan = network.eval(), images, device, plan
        self.call = self._made(mode)
        self.repeats, self.typical_s = 1, 0.0  # calls a sample; seconds a call

    @torch.inference_mode()
    def warm_up(self) -> dict[str, Any]:
        """Call until two neighbouring groups of calls differ by at most 2 %, or for 2 s: seconds of the first call, number of calls."""
        first, calls, before, started = self.device.time(self.call), 1, 0.0, time.perf_counter()
        while True:
            group = self._timed(GROUP_S)
            now, calls = statistics.median(group), calls + len(group)
            stable = abs(now - before) <= STABLE * now
            if calls >= LEAST_CALLS and (stable or time.perf_counter() - started > WARM_UP_S):
                self.typical_s = now
                self.repeats = 1 if self.device.kind == "cuda" else max(1, math.ceil(SAMPLE_S / now))
                return {"first_s": first, "calls": calls, "stable": stable}
            before = now

    @torch.inference_mode()
    def round(self) -> list[float]:
        """Seconds a call, for about ROUND_S, after one call that is not timed, since others ran in between; a long call is timed alone.

        On a CPU a sample is the mean of as many calls as take 2 ms; on a GPU, where calls would overlap, it is one call.
        """
        if self.typical_s < ROUND_S:
            self.call()
        return self._timed(ROUND_S)

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
        network = self._compiled() if mode == "compiled" else self.network
        return functools.partial(self._cast, network) if self.plan.precision in AUTOCAST else functools.partial(network, self.images)

    def _cast(self, network: Callable[..., Any]) -> None:
        """A pass in a reduced precision, which casts the weights each time."""
        with self.plan.autocast(self.device):
            network(self.images)

    def _compiled(self) -> Callable[..., Any]:
        """Compiled for this batch size alone; an error, and not eager execution, where that cannot be done again."""
        torch._dynamo.config.fail_on_recompile_limit_hit = True
        torch._dynamo.config.recompile_limit = MOST_COMPILED
        return torch.compile(self.network, dynamic=False)

    def _captured(self) -> Callable[[], object]:
        """The pass as one launch. Raises ArchbenchError where the device has no graphs."""
        if self.device.kind != "cuda":
            raise ArchbenchError(f"{self.device.kind} has no CUDA graphs")
        graph = torch.cuda.CUDAGraph()
        uncached = self.plan.autocast(self.device, cache=False)  # a cached cast would be freed, and the graph read it
        with torch.inference_mode(), uncached, torch.cuda.device(self.device.index):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):  # what is set up at the first call must not be captured
                for _ in range(LEAST_CALLS):
                    self.network(self.images)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph):
                self.network(self.images)
        return graph.replay

"""Memory of a forward pass and of a training step, for a process that has measured nothing else (worker.py).

Three peaks are told apart: `allocated`, the bytes of tensors alive at once (on a GPU its allocator tells, elsewhere live.py);
`reserved`, what CUDA's allocator held for them; `process`, the largest resident size of the process less what it had before the network
was built. A training step is told apart into its parts besides.
"""

from __future__ import annotations

import contextlib
import gc
import platform
import resource
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn

from archbench.device import Device
from archbench.errors import UntrainableError
from archbench.execution import ExecutionPlan, TrainingStep
from archbench.measure import live
from archbench.models import Input, Model
from archbench.records.schema import Measurement, Scalar

CPU = Device("cpu")
PEAKS = {"infer_peak_bytes": "a forward pass", "train_peak_bytes": "a step of SGD with momentum"}
KINDS = {
    "process": "largest resident size of a process of its own, less what it had before the network",
    "allocated": "tensors alive at once, parameters and input included",
}
KINDS_ON_GPU = {
    "allocated": "given out by CUDA's allocator, what the process had before the network not counted",
    "reserved": "held by CUDA's allocator",
}
PARTS = {
    "parameters": "parameters and buffers",
    "gradients": "gradients of all trained parameters",
    "optimizer": "momentum of all trained parameters",
    "activations": "distinct memory that the forward pass keeps for the backward pass, parameters and input not counted",
    "workspace": "what of the peak no tensor holds, such as scratch and caches of the operations, and gaps in the heap",
}

Bytes = dict[str, dict[str, int]]  # by name and part


def rows(measured: Bytes, on_gpu: bool, **at: Scalar) -> list[Measurement]:
    """A row for each kind of peak, and for each part of a training step."""
    kinds = {**KINDS, **KINDS_ON_GPU} if on_gpu else KINDS
    methods = {name: {kind: f"{what}: {how}" for kind, how in kinds.items()} for name, what in PEAKS.items()}
    methods["train_bytes"] = PARTS
    return [
        Measurement(name=name, value=value, method=methods[name][part], at={**at, "part": part})
        for name, parts in measured.items()
        for part, value in parts.items()
    ]


def measure(model: Model, shape: Input, batch: int, device: Device) -> Bytes:
    """Bytes of eager fp32 at a batch size: `infer_peak_bytes` and `train_peak_bytes` by kind, `train_bytes` by part.

    Of a network that cannot be trained `infer_peak_bytes` alone.
    """
    _warm(device)
    before = _held_bytes(device)
    network, images = model.build(shape).to(device.torch), shape.example(batch, device.torch)
    step = Step(network, images, device)
    calls = {"infer_peak_bytes": step.infer, "train_peak_bytes": step.train}
    found: Bytes = {}
    tensors: dict[str, int] = {}
    try:
        for name, call in calls.items():
            if device.has_allocator_peak:
                call()  # libraries try out algorithms in the first call, which takes memory of its own
            peaks = _peaks(call, device, before)
            tensors[name] = live.peak_bytes(call, step.held)
            peaks.setdefault("allocated", tensors[name])
            found[name] = peaks
    except UntrainableError:
        return found
    whole = found["train_peak_bytes"]["allocated" if device.has_allocator_peak else "process"]
    workspace = max(whole - tensors["train_peak_bytes"], 0)
    return {**found, "train_bytes": {**step.parts(), "workspace": workspace}}


class Step(TrainingStep):
    """A forward pass, and a training step in fp32, and what is held between them."""

    def __init__(self, network: nn.Module, images: torch.Tensor, device: Device = CPU) -> None:
        super().__init__(network, images, device, ExecutionPlan())

    def infer(self) -> None:
        """One forward pass in evaluation mode."""
        self.network.eval()
        with torch.inference_mode():
            self.network(self.images)

    def train(self) -> None:
        """Two steps: in the second the momentum of the first lies beside the activations."""
        self.network.train()
        for _ in range(2):
            self.step()

    def held(self) -> list[torch.Tensor]:
        """Tensors that are there between steps."""
        return [*self.network.parameters(), *self.network.buffers(), *self.gradients(), *self.momentum(), self.images, self.labels]

    def gradients(self) -> list[torch.Tensor]:
        """Of the parameters that have one."""
        return [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]

    def momentum(self) -> list[torch.Tensor]:
        """What the optimizer keeps."""
        return [tensor for state in self.optimizer.state.values() for tensor in state.values() if isinstance(tensor, torch.Tensor)]

    def parts(self) -> dict[str, int]:
        """Bytes of each part that tensors hold, after a step."""
        stays = [*self.network.parameters(), *self.network.buffers()]
        found = {"parameters": _size(stays), "gradients": _size(self.gradients()), "optimizer": _size(self.momentum())}
        return {**found, "activations": live.saved_bytes(self.loss, [*stays, self.images])}


def _size(tensors: Iterable[torch.Tensor]) -> int:
    return sum({tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}.values())


def _warm(device: Device) -> None:
    """Start threads and libraries, and forget what that took."""
    small = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(288, 2)).to(device.torch)
    Step(small, torch.randn(2, 3, 8, 8, device=device.torch), device).train()
    gc.collect()
    device.release_memory()
    forget_peak()


def _held_bytes(device: Device) -> dict[str, int]:
    """What is held before the network comes."""
    return {"process": resident_bytes("VmRSS"), **(device.held_bytes() if device.has_allocator_peak else {})}


def _peaks(call: Callable[[], object], device: Device, before: dict[str, int]) -> dict[str, int]:
    """The largest during a call, less what was held before."""
    if device.has_allocator_peak:
        peaks = device.peak_bytes(call)
    else:
        call()
        peaks = {}
    return {kind: peak - before[kind] for kind, peak in {**peaks, "process": resident_bytes("VmHWM")}.items()}


def resident_bytes(field: str) -> int:
    """Resident size of this process in bytes: `VmRSS` now, `VmHWM` the largest so far.

    Where there is no /proc, the largest that getrusage knows stands for both. (On Linux getrusage will not do: it starts from the
    size of the process that started this one.)
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith(field))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


def forget_peak() -> None:
    """Let the largest resident size start again from the present one, where the system allows it."""
    with contextlib.suppress(OSError):  # not on this system, or not allowed: the largest since the start is then taken
        Path("/proc/self/clear_refs").write_text("5")

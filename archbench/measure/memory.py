"""Largest memory of a forward pass and of a training step: parameters, activations, gradients and optimizer state together.

On a GPU its allocator tells. On a CPU a process of its own is measured: its largest resident size less what it had before the network
was built. `python -m archbench.measure.memory` is that process; it takes its question as JSON on standard input and answers so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import os
import platform
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.execution import training_loss
from archbench.models import Input, Model

TIMEOUT_S = 600


def peaks(model: Model, shape: Input, batch: int, device: Device) -> dict[str, int]:
    """`infer_peak_bytes` and `train_peak_bytes` of eager fp32 at a batch size; empty where the device cannot tell."""
    if device.has_allocator_peak:
        return _allocator_peaks(model, shape, batch, device)
    return _process_peaks(model, shape, batch) if device.kind == "cpu" and sys.platform != "win32" else {}


def _allocator_peaks(model: Model, shape: Input, batch: int, device: Device) -> dict[str, int]:
    """From the device's allocator, less what lay on the device before the network came."""
    before = device.allocated_bytes()
    network, images = model.build(shape).to(device.torch), shape.example(batch, device.torch)
    peak = {"infer_peak_bytes": device.allocator_peak_bytes(lambda: infer(network, images)) - before}
    return {**peak, "train_peak_bytes": device.allocator_peak_bytes(lambda: train(network, images)) - before}


def _process_peaks(model: Model, shape: Input, batch: int) -> dict[str, int]:
    question = {"model": dataclasses.asdict(model), "shape": vars(shape), "batch": batch, "threads": torch.get_num_threads()}
    question["source"] = model.snapshot(shape).source_sha256
    command = [sys.executable, "-P", "-m", "archbench.measure.memory"]
    path = os.pathsep.join([*filter(None, sys.path), str(_source_root())])  # it finds what this process finds
    answer = subprocess.run(
        command,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if answer.returncode != 0:
        if answer.returncode == -signal.SIGKILL:
            raise MemoryError("the process that measures memory was killed, most likely for want of it")
        last = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ArchbenchError(f"the process that measures memory ended with {answer.returncode}: {last}")
    peak: dict[str, int] = json.loads(answer.stdout)
    return peak


def _source_root() -> Path:
    """A folder from which the package can be imported, however this process was started."""
    return Path(__file__).parents[2]


def infer(network: nn.Module, images: torch.Tensor) -> None:
    """One forward pass in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        network(images)


def train(network: nn.Module, images: torch.Tensor) -> None:
    """Two steps of SGD with momentum: in the second the momentum of the first lies beside the activations."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    labels = torch.zeros(len(images), dtype=torch.long, device=images.device)
    for _ in range(2):
        optimizer.zero_grad()
        training_loss(network, network(images), labels).backward()
        optimizer.step()


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


def _answer(question: dict[str, Any]) -> dict[str, int]:
    torch.set_num_threads(question["threads"])
    warm = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.LazyLinear(2))
    train(warm, torch.randn(2, 3, 8, 8))  # threads, library start-up
    gc.collect()
    forget_peak()
    before = resident_bytes("VmRSS")
    asked = question["model"]
    shape, model = Input(**question["shape"]), Model(asked["name"], tuple(map(tuple, asked["knobs"])), asked["width"])
    if model.snapshot(shape).source_sha256 != question["source"]:
        raise ArchbenchError(f"the code of {model.label} was edited during the run")
    network, images = model.build(shape), shape.example(question["batch"])
    infer(network, images)
    inference = resident_bytes("VmHWM") - before
    train(network, images)
    return {"infer_peak_bytes": inference, "train_peak_bytes": resident_bytes("VmHWM") - before}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # what the network itself may print is no answer
        answered = _answer(json.load(sys.stdin))
    print(json.dumps(answered))

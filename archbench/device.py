"""Devices: choose one, wait for it, time on it, ask it for memory. The one place that tells CUDA from CPU."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archbench.errors import ArchbenchError, unknown
from archbench.memory import available_bytes, resident_bytes

KINDS = ("auto", "cpu", "cuda", "cuda:N", "mps")


@dataclass(frozen=True)
class Device:
    """Where a job runs. `kind` is cpu, cuda or mps; `index` counts from 0."""

    kind: str
    index: int = 0

    @property
    def torch(self) -> torch.device:
        """PyTorch's name for it."""
        return torch.device(self.kind, self.index) if self.kind == "cuda" else torch.device(self.kind)

    @property
    def name(self) -> str:
        """The chip's name."""
        if self.kind == "cuda":
            return torch.cuda.get_device_name(self.index)
        return _processor_name()

    @property
    def facts(self) -> dict[str, Any]:
        """What else the device says of itself: memory, compute capability, CUDA and cuDNN on a GPU; nothing on a CPU."""
        if self.kind != "cuda":
            return {}
        properties = torch.cuda.get_device_properties(self.index)
        return {
            "memory_bytes": properties.total_memory,
            "capability": f"{properties.major}.{properties.minor}",
            "multiprocessors": properties.multi_processor_count,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }

    def synchronise(self) -> None:
        """Wait until all that was asked of the device is done."""
        if self.kind == "cuda":
            torch.cuda.synchronize(self.index)
        elif self.kind == "mps":
            torch.mps.synchronize()

    def time(self, call: Callable[[], object]) -> float:
        """Seconds that a call takes on the device: CUDA events after a synchronise, a clock around it elsewhere."""
        self.synchronise()
        if self.kind == "cuda":
            with torch.cuda.device(self.index):
                before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                before.record()
                call()
                after.record()
                after.synchronize()
            return float(before.elapsed_time(after)) / 1e3
        start = time.perf_counter()
        call()
        self.synchronise()
        return time.perf_counter() - start

    @property
    def has_allocator_peak(self) -> bool:
        """Whether the device's allocator knows its peak; if not, a process of its own is measured."""
        return self.kind == "cuda"

    def held_bytes(self) -> dict[str, int]:
        """Bytes that tensors hold on the device now, and that its allocator holds for them (CUDA only)."""
        return {"allocated": torch.cuda.memory_allocated(self.index), "reserved": torch.cuda.memory_reserved(self.index)}

    def peak_bytes(self, call: Callable[[], object]) -> dict[str, int]:
        """The largest of both while a call runs (CUDA only)."""
        self.synchronise()
        torch.cuda.reset_peak_memory_stats(self.index)
        call()
        self.synchronise()
        return {"allocated": torch.cuda.max_memory_allocated(self.index), "reserved": torch.cuda.max_memory_reserved(self.index)}

    def occupied(self) -> tuple[str, int]:
        """What this process takes, and in a word of what: on a GPU its tensors' peak since `release_memory`, else its resident size."""
        if self.kind == "cuda":
            return "GPU peak", torch.cuda.max_memory_allocated(self.index)
        return "resident", resident_bytes()

    def free_bytes(self) -> int | None:
        """Memory that a new process could take on the device; None where the system does not tell."""
        return int(torch.cuda.mem_get_info(self.index)[0]) if self.kind == "cuda" else available_bytes()

    def computes(self, precision: str) -> bool:
        """Whether the device can compute in a precision: fp32, tf32, bf16 or fp16."""
        if precision == "tf32":
            return self.kind == "cuda" and torch.cuda.get_device_capability(self.index) >= (8, 0)
        return True

    @property
    def native_bf16(self) -> bool:
        """Whether bf16 runs in hardware rather than being emulated."""
        if self.kind == "cuda":
            return torch.cuda.get_device_capability(self.index) >= (8, 0)
        if self.kind == "cpu":
            return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _has_bf16_instructions()
        return False

    def random_state(self) -> Tensor | None:
        """The state of the device's own random numbers; None on a CPU, whose are torch's."""
        return torch.cuda.get_rng_state(self.index) if self.kind == "cuda" else torch.mps.get_rng_state() if self.kind == "mps" else None

    def set_random_state(self, state: Tensor) -> None:
        """Go on drawing from there."""
        if self.kind == "cuda":
            torch.cuda.set_rng_state(state, self.index)
        elif self.kind == "mps":
            torch.mps.set_rng_state(state)

    def release_memory(self) -> None:
        """Give cached memory back to the device, and let its peak begin anew."""
        if self.kind == "cuda" and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.index)


def choose(requested: str) -> Device:
    """The device behind `auto`, `cpu`, `cuda`, `cuda:N` or `mps`. Raises ArchbenchError when it is not there."""
    if requested == "auto":
        return Device("cuda") if torch.cuda.is_available() else Device("mps") if torch.backends.mps.is_available() else Device("cpu")
    if requested == "cpu":
        return Device("cpu")
    if requested == "mps":
        if not torch.backends.mps.is_available():
            raise ArchbenchError("--device mps: this machine has no Apple GPU that PyTorch can use; --device auto takes what is there")
        return Device("mps")
    match = re.fullmatch(r"cuda(?::(\d{1,3}))?", requested)
    if match is None:
        raise unknown("device", requested, KINDS)
    count, index = torch.cuda.device_count(), int(match[1] or 0)
    if index >= count:
        there = f"this machine has {count} CUDA device{'s' if count != 1 else ''}"
        raise ArchbenchError(f"--device {requested}: {there}; --device auto takes what is there")
    return Device("cuda", index)


def _cpuinfo(field: str) -> str:
    """The first value of a field of /proc/cpuinfo, or nothing where there is no such file."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def _processor_name() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _has_bf16_instructions() -> bool:
    """oneDNN also emulates bf16 on plain AVX-512; that is slower than fp32, so it does not count as native."""
    flags = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the host."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)

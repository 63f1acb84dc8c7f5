"""What the machine can do at best: the rate of a large matrix product, and of a copy through memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

from archbench.device import Device
from archbench.execution import AUTOCAST, ExecutionPlan, numerics
from archbench.records.schema import Measurement, Scalar

SIZES = (256, 512, 1024, 2048, 4096, 8192)  # sides of the square matrices
LONGEST_CALL_S, BUDGET_S = 0.1, 0.1  # a product that would take longer is left out; seconds of repeats of each
LEAST_REPEATS, MOST_REPEATS = 3, 7
COPIED_BYTES = 2**28  # 256 MiB, and as much to write to: more than a last-level cache holds


@dataclass(frozen=True)
class Peaks:
    """The machine's best, measured: MACs a second of a matrix product, and bytes a second that a copy reads and writes."""

    macs_per_s: float
    bytes_per_s: float

    def rows(self, precision: str, threads: int) -> list[Measurement]:
        """The rows of a Record: `peak_macs_per_s` and `peak_bytes_per_s`."""
        at: dict[str, Scalar] = {"precision": precision, "threads": threads}
        product = f"fastest square matrix product of sides {SIZES[0]} to at most {SIZES[-1]}, median of repeats"
        copy = f"copy of {COPIED_BYTES // 2**20} MiB, bytes read and written, median of repeats"
        return [
            Measurement(name="peak_macs_per_s", value=self.macs_per_s, method=product, at=at),
            Measurement(name="peak_bytes_per_s", value=self.bytes_per_s, method=copy, at=at),
        ]


def peaks(device: Device, precision: str = "fp32") -> Peaks:
    """Measure both at the present number of threads, in a second or two. No random number is drawn."""
    return Peaks(macs_per_s(device, precision), bytes_per_s(device))


def macs_per_s(device: Device, precision: str) -> float:
    """The best rate over sizes: small products do not fill a large device, and large ones take too long on a small one.

    TF32 is on only in `tf32`.
    """
    dtype = AUTOCAST.get(precision, torch.float32)
    rates: list[float] = []
    with numerics(ExecutionPlan(precision=precision)), torch.inference_mode():
        for size in SIZES:
            taken = _repeats(device, _product(device, dtype, size))
            rates.append(size**3 / statistics.median(taken))
            if 8 * min(taken) > LONGEST_CALL_S:  # twice the side is eight times the work
                break
    return max(rates)


def bytes_per_s(device: Device) -> float:
    """Bytes read and written a second by a copy that no cache holds."""
    source = torch.ones(COPIED_BYTES, dtype=torch.uint8, device=device.torch)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES / statistics.median(_repeats(device, lambda: target.copy_(source)))


def _product(device: Device, dtype: torch.dtype, size: int) -> Callable[[], object]:
    values = torch.linspace(-1, 1, size * size, device=device.torch).view(size, size)
    left, right, out = values.to(dtype), values.t().contiguous().to(dtype), torch.empty(size, size, dtype=dtype, device=device.torch)
    return lambda: torch.mm(left, right, out=out)


def _repeats(device: Device, call: Callable[[], object]) -> list[float]:
    """Seconds of each repeat, after one call that is not timed."""
    call()
    taken: list[float] = []
    while len(taken) < LEAST_REPEATS or (sum(taken) < BUDGET_S and len(taken) < MOST_REPEATS):
        taken.append(device.time(call))
    return taken

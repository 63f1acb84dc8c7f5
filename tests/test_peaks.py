"""The machine's peaks: rates by arithmetic from times of our choosing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from archbench.device import Device
from archbench.measure import peaks
from archbench.measure.peaks import Peaks

CPU = Device("cpu")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "SIZES", (8, 16, 32))
    monkeypatch.setattr(peaks, "COPIED_BYTES", 4096)


def times(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> list[float]:
    """Let the device tell these times, one a call; the list holds those that are left."""
    left = list(seconds)

    def time(device: Device, call: Callable[[], object]) -> float:
        call()
        return left.pop(0)

    monkeypatch.setattr(Device, "time", time)
    return left


def test_the_rate_is_that_of_the_size_that_is_fastest(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Medians of three repeats: 8³ MACs in 0.05 s, 16³ in 0.06, 32³ in 0.8. 16³ / 0.06 = 68,267 a second is the largest."""
    monkeypatch.setattr(peaks, "LONGEST_CALL_S", 1.0)
    times(monkeypatch, 0.05, 0.04, 0.9, 0.05, 0.06, 0.07, 0.8, 0.8, 0.8)
    assert peaks.macs_per_s(CPU, "fp32") == pytest.approx(16**3 / 0.06)


def test_a_product_that_would_take_too_long_is_left_out(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the side is eight times the work: after 0.05 s, the next would take 0.4 s."""
    left = times(monkeypatch, 0.05, 0.05, 0.05, 99.0)
    assert peaks.macs_per_s(CPU, "fp32") == pytest.approx(8**3 / 0.05)
    assert left == [99.0]


def test_a_copy_reads_and_writes(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    times(monkeypatch, 0.2, 0.2, 0.2)
    assert peaks.bytes_per_s(CPU) == pytest.approx(2 * 4096 / 0.2)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_the_product_is_made_in_the_precision(precision: str, dtype: torch.dtype, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[torch.dtype, torch.dtype]] = []
    mm = torch.mm

    def noting(left: torch.Tensor, right: torch.Tensor, *, out: torch.Tensor) -> torch.Tensor:
        made.append((left.dtype, out.dtype))
        return mm(left, right, out=out)

    monkeypatch.setattr(torch, "mm", noting)
    peaks.macs_per_s(CPU, precision)
    assert set(made) == {(dtype, dtype)}


def test_measuring_leaves_no_trace(small: None) -> None:
    """Neither in random numbers nor in torch's switches: what is measured next is as it would have been."""
    state, tf32 = torch.get_rng_state(), torch.backends.cuda.matmul.allow_tf32
    found = peaks.peaks(CPU, "tf32")
    assert found.macs_per_s > 0
    assert found.bytes_per_s > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.backends.cuda.matmul.allow_tf32 == tf32


def test_rows_say_precision_and_threads() -> None:
    rows = Peaks(5e10, 2e10).rows("bf16", threads=2)
    assert [(row.name, row.value, row.at) for row in rows] == [
        ("peak_macs_per_s", 5e10, {"precision": "bf16", "threads": 2}),
        ("peak_bytes_per_s", 2e10, {"precision": "bf16", "threads": 2}),
    ]

"""Choosing a device, and the CUDA path as far as it goes on a machine without a GPU."""

from __future__ import annotations

import pytest
import torch

from archbench import device
from archbench.device import Device
from archbench.errors import ArchbenchError


def test_auto_takes_what_is_there() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert device.choose("auto").kind == expected


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", "CUDA"])
def test_a_name_that_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(ArchbenchError, match=f"unknown device '{name}'"):
        device.choose(name)


def test_a_gpu_that_is_not_there_is_said_not_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device.choose("cuda") == device.choose("cuda:0") == Device("cuda", 0)
    with pytest.raises(ArchbenchError, match="--device cuda:1: this machine has 1 CUDA device; --device auto"):
        device.choose("cuda:1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ArchbenchError, match="this machine has 0 CUDA devices"):
        device.choose("cuda")


def test_the_second_gpu_is_the_second_for_torch_too() -> None:
    assert Device("cuda", 1).torch == torch.device("cuda:1")
    assert Device("cpu").torch == torch.device("cpu")


class Cuda:
    """Stands in for torch.cuda and notes what is asked of it, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        for name in ("synchronize", "reset_peak_memory_stats", "max_memory_allocated", "device"):
            monkeypatch.setattr(torch.cuda, name, self._noting(name))
        monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: self)
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda index: 4096)
        monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda index: 8192)

    def _noting(self, name: str):
        def call(index: int) -> Cuda:
            self.asked.append(f"{name} {index}")
            return self

        return call

    def __enter__(self) -> Cuda:
        return self

    def __exit__(self, *details: object) -> None: ...

    def record(self) -> None:
        self.asked.append("record")

    def synchronize(self) -> None:
        self.asked.append("event synchronize")

    def elapsed_time(self, other: object) -> float:
        return 2.5  # CUDA events give milliseconds


def test_cuda_is_timed_by_events_after_a_synchronise_on_its_own_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)
    assert Device("cuda", 1).time(lambda: cuda.asked.append("call")) == 0.0025
    assert cuda.asked == ["synchronize 1", "device 1", "record", "call", "record", "event synchronize"]


def test_cuda_memory_is_the_allocators_peak_during_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)
    assert Device("cuda").peak_bytes(lambda: cuda.asked.append("call")) == {"allocated": 4096, "reserved": 8192}
    assert cuda.asked == ["synchronize 0", "reset_peak_memory_stats 0", "call", "synchronize 0"]


def test_bf16_is_native_on_cuda_from_ampere_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (7, 5))
    assert not Device("cuda").native_bf16
    assert not Device("cuda").computes("tf32")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (8, 0))
    assert Device("cuda").native_bf16
    assert Device("cuda").computes("tf32")


@pytest.mark.parametrize(("flags", "native"), [("fma avx512f avx512_bf16", True), ("amx_bf16", True), ("avx512f avx512dq", False)])
def test_bf16_is_native_on_a_cpu_with_instructions_for_it(flags: str, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_cpuinfo", lambda field: flags)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert Device("cpu").native_bf16 is native


def test_a_cpu_is_timed_by_the_clock() -> None:
    assert 0 <= Device("cpu").time(lambda: None) < 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_real_gpu_trains_and_profiles(tmp_path) -> None:
    import archbench

    frame = archbench.run(models="alexnet", epochs=1, limit_train=64, device="cuda", results=tmp_path)
    assert frame.latency_s[0] > 0
    assert frame.train_peak_bytes[0] > frame.infer_peak_bytes[0] > 0

"""Time by operator class: what is attributed to whom, from a real profiler; no test depends on how long anything takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch._C._autograd import DeviceType

from archbench.device import Device
from archbench.execution import ExecutionPlan
from archbench.measure import operator_time
from archbench.measure.complexity import count, head_of
from archbench.measure.head import Head
from archbench.measure.operator_time import OperatorTimes, StepTimes
from archbench.measure.operators import Operation
from archbench.measure.peaks import Peaks
from archbench.models import Input, Model, parse

CPU, PLAIN = Device("cpu"), ExecutionPlan()


@pytest.fixture
def two_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_time, "REPEATS", 2)


@pytest.mark.parametrize("name", ["nin_tiny", "senet", "mixer"])
def test_every_class_that_costs_macs_takes_time_forward_and_backward(name: str, two_repeats: None) -> None:
    shape = Input(10, 3, 16)
    network = Model(name).build(shape)
    times = operator_time.measure(network, shape.example(2), head_of(Model(name), shape), CPU, PLAIN)
    for phase in ("forward", "backward"):
        found = {kind for kind, seconds in times.by_class[phase].items() if sum(seconds) > 0}
        assert set(count(Model(name), shape).by_class("macs")) <= found
        assert len(times.whole[phase]) == 2


def test_rows_say_phase_class_and_whole(two_repeats: None) -> None:
    shape = Input(10, 3, 8)
    measured = operator_time.measure(Model("nin_tiny").build(shape), shape.example(2), Head(), CPU, PLAIN)
    rows = OperatorTimes([measured]).rows(batch=2)
    assert {row.name for row in rows} == {"time_s", "time_explained_pct", "profiler_time_pct"}
    assert {row.at["phase"] for row in rows} == {"forward", "backward"}
    assert sum(row.name == "time_s" and "operator_class" not in row.at for row in rows) == 2
    assert all(row.value > 0 and row.at["batch"] == 2 for row in rows)


USER_FILE = """
import torch
from torch import nn

class Rows(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.mix, self.rows, self.read = nn.Conv2d(3, 4, 1), nn.LSTM(32, 5, batch_first=True), nn.Linear(5, num_classes)

    def forward(self, images):
        return self.read(self.rows(self.mix(images).permute(0, 2, 1, 3).flatten(2))[0].mean(1))

def rows(num_classes):
    return Rows(num_classes)
"""


def test_what_is_timed_is_classed_as_it_is_counted(two_repeats: None, tmp_path: Path) -> None:
    """3 x 4 at 64 places, four gates of 5 units on 32 inputs and 5 states at 8 steps, and a guessed head of 5 x 10; for two images."""
    (tmp_path / "mine.py").write_text(USER_FILE)
    (model,), shape = parse([f"{tmp_path / 'mine.py'}:rows"]), Input(10, 3, 8)
    times = operator_time.measure(model.build(shape), shape.example(2), head_of(model, shape), CPU, PLAIN)
    expected = {"head": 50, "pointwise": 64 * 12, "other": 8 * 4 * 5 * (32 + 5)}
    assert {kind: macs for kind, (macs, _) in times.work.items() if macs} == {kind: 2 * macs for kind, macs in expected.items()}
    assert count(model, shape).by_class("macs") == expected


TIMES = OperatorTimes(
    [
        StepTimes(
            by_class={"forward": {"pointwise": [1.0, 3.0], "norm": [1.0, 1.0]}, "backward": {"pointwise": [2.0, 2.0]}},
            whole={"forward": [4.0, 4.0], "backward": [2.0, 2.0]},
            profiled={"forward": [5.0, 5.0], "backward": [2.0, 2.0]},
            work={"pointwise": (800, 100), "norm": (0, 300), "other": (0, 0)},
            unknown=["aten.sort"],
        )
    ]
)


def test_the_classes_are_added_up_beside_the_whole_and_the_profilers_cost_is_told() -> None:
    """2 seconds and 1 of 4: 75 %. 5 seconds under the profiler for 4 are 125 %."""
    forward = {row.name: row.value for row in TIMES.rows() if row.at["phase"] == "forward"}
    assert (forward["time_explained_pct"], forward["profiler_time_pct"]) == (75.0, 125.0)
    assert [doubt.message for doubt in TIMES.doubts()] == [
        "the times by operator class add up to 75 % of the forward pass",
        "counted to the class other, since it is not known: aten.sort",
    ]


def test_processes_count_once_each() -> None:
    """Medians of 1 and 4 seconds: 2 in the geometric mean."""
    launches = [StepTimes({"forward": {"norm": each}}, {}, {}, {}, ()) for each in ([1.0, 1.0, 9.0], [4.0, 4.0, 4.0])]
    assert OperatorTimes(launches).seconds("forward", "norm").value == pytest.approx(2.0)


def test_a_roofline_for_each_class_that_took_time_and_for_the_whole() -> None:
    """400 MAC/s of a machine that does 1000, 8 a byte; the norm moves 300 bytes in a second of the 600 that it could."""
    rows = TIMES.roofline(Peaks(1000.0, 600.0), batch=2)
    by_class = {(row.name, row.at.get("operator_class")): row.value for row in rows}
    assert by_class == {
        ("macs_per_s", "pointwise"): 400.0,
        ("macs_per_byte", "pointwise"): 8.0,
        ("roof_share_pct", "pointwise"): 40.0,
        ("roof_share_pct", "norm"): 50.0,
        ("macs_per_s", None): 200.0,
        ("macs_per_byte", None): 2.0,
        ("roof_share_pct", None): 20.0,  # 0.8 s of arithmetic are more than 400 / 600 s of moving, of 4 s
    }


def test_what_a_convolution_reads_and_writes(two_repeats: None) -> None:
    """Two images of 3x4x4, 5 x 3 weights of a 1x1 and 5 biases are read, 2 x 5 maps of 16 written: four bytes each."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    times = operator_time.measure(network, torch.randn(2, 3, 4, 4), Head(), CPU, PLAIN)
    assert times.work["pointwise"] == (2 * 16 * 15, 4 * (2 * 48 + 15 + 5 + 2 * 80))


@dataclass
class Event:
    """As the profiler gives them."""

    name: str
    cpu_time_total: float
    sequence_nr: int = -1
    cpu_parent: Event | None = None
    device_time_total: float = 0.0
    device_type: DeviceType = DeviceType.CPU


def operation(operator_class: str) -> Operation:
    return Operation("", "aten.convolution", operator_class, 1, (1,), counted=True)


def test_a_backward_node_belongs_to_the_operation_of_the_same_number() -> None:
    """Numbers as autograd gives them: the counter of batch norm's batches bears the number of the norm that follows it."""
    conv, add, norm = Event("aten::conv2d", 9, 4), Event("aten::add_", 9, 5), Event("aten::batch_norm", 9, 5)
    ranges = [
        Event("archbench::0", 3, cpu_parent=conv),
        Event("archbench::1", 1, cpu_parent=add),
        Event("archbench::2", 2, cpu_parent=norm),
    ]
    nested = Event("archbench::2", 50, cpu_parent=ranges[2])  # what a range holds is not counted twice
    nodes = [Event(operator_time.NODE + "ConvolutionBackward0", 8, 4), Event(operator_time.NODE + "NativeBatchNormBackward0", 6, 5)]
    other = Event(operator_time.NODE + "torch::autograd::AccumulateGrad", 1)
    classes = [operation("pointwise"), operation("other"), operation("norm")]
    found = operator_time.attributed([*ranges, nested, *nodes, other], classes, on_device=False)
    assert found["forward"] == pytest.approx({"pointwise": 3e-6, "other": 1e-6, "norm": 2e-6})
    assert found["backward"] == pytest.approx({"pointwise": 8e-6, "norm": 6e-6, "other": 1e-6})


def test_on_a_gpu_the_kernels_time_counts() -> None:
    conv = Event("aten::conv2d", 9, 4)
    inside = Event("archbench::0", 3, cpu_parent=conv, device_time_total=70)
    marked = Event("archbench::0", 0, device_time_total=90, device_type=DeviceType.CUDA)  # the same range as the device shows it
    found = operator_time.attributed([inside, marked], [operation("pointwise")], on_device=True)
    assert found["forward"] == pytest.approx({"pointwise": 70e-6})


def test_the_networks_hooks_and_the_random_state_stay(two_repeats: None) -> None:
    shape = Input(10, 3, 8)
    network, images = Model("nin_tiny").build(shape), shape.example(2)
    before = torch.random.get_rng_state()
    operator_time.measure(network, images, Head(), CPU, PLAIN)
    assert torch.random.get_rng_state().equal(before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())

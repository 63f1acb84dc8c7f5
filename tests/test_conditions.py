"""What happens beside a measurement: shares by arithmetic from the system's counters, and what each makes doubtful."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from archbench import conditions
from archbench.conditions import Watch, doubts, sample
from archbench.device import Device

CPU, CUDA = Device("cpu"), Device("cuda")


class System:
    """Stands in for the counters of an idle machine: a test sets them before and after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at_s = 0.0
        self.cores = {"user": 0.0, "system": 0.0, "idle": 0.0, "iowait": 0.0, "steal": 0.0, "guest": 0.0}
        self.process = [0.0, 0.0, 0.0, 0.0]  # user, system, and both of children that have ended
        self.children: list[SimpleNamespace] = []
        monkeypatch.setattr(conditions, "time", SimpleNamespace(perf_counter=lambda: self.at_s))
        monkeypatch.setattr(os, "times", lambda: (*self.process, self.at_s))
        monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(_asdict=lambda: dict(self.cores)))
        monkeypatch.setattr(psutil.Process, "children", lambda process, recursive: self.children)

    def child(self, seconds: float) -> SimpleNamespace:
        return SimpleNamespace(cpu_times=lambda: (seconds, 0.0, 0.0, 0.0, 0.0))


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    return System(monkeypatch)


def test_the_share_of_others_is_what_was_worked_less_what_we_and_our_children_worked(system: System) -> None:
    """Two cores for 5 s can work 10 s. They were idle for 4, waited 0.5, and the host kept 0.5; of the 5 s of work, 1 was ours and 2
    those of a child that has ended: 2 s of 10 are left for others. Time as somebody's guest is in `user` already.
    """
    watch = Watch(CPU)
    system.at_s, system.process = 5.0, [0.75, 0.25, 1.5, 0.5]
    system.cores = {"user": 4.0, "system": 1.0, "idle": 4.0, "iowait": 0.5, "steal": 0.5, "guest": 3.0}
    watched = watch.stop()
    assert (watched["seconds"], watched["others_cpu_pct"], watched["steal_pct"]) == (5.0, pytest.approx(20.0), pytest.approx(5.0))


def test_the_earlier_work_of_a_child_is_nobody_elses_when_it_ends(system: System) -> None:
    """A child that had worked 10 s works 3 s more and ends; another is still there with 1 s. All 4 s of work were ours."""
    system.children = [system.child(10.0)]
    watch = Watch(CPU)
    system.at_s, system.children, system.process[2] = 5.0, [system.child(1.0)], 13.0
    system.cores |= {"user": 4.0, "idle": 6.0}
    assert watch.stop()["others_cpu_pct"] == 0.0


def test_a_child_that_ends_while_it_is_asked_is_passed_over(system: System) -> None:
    def gone() -> None:
        raise psutil.NoSuchProcess(1)

    system.children = [SimpleNamespace(cpu_times=gone)]
    watch = Watch(CPU)
    system.at_s, system.cores["idle"] = 5.0, 10.0
    assert watch.stop()["others_cpu_pct"] == 0.0


@pytest.mark.parametrize(("seconds", "idle_s"), [(0.1, 0.2), (5.0, 0.0)])
def test_no_share_is_told_of_a_moment_or_by_a_system_that_does_not_count(seconds: float, idle_s: float, system: System) -> None:
    watch = Watch(CPU)
    system.at_s, system.cores["idle"] = seconds, idle_s
    watched = watch.stop()
    assert (watched["others_cpu_pct"], watched["steal_pct"]) == (None, None)
    assert doubts(watched, "cpu") == []


def test_a_sample_goes_into_a_record_as_json() -> None:
    facts = sample(CPU)
    assert json.loads(json.dumps(facts)) == facts
    assert 0 < facts["available_bytes"] <= psutil.virtual_memory().total


def test_the_hottest_core_is_told_and_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def reading(current: float) -> SimpleNamespace:
        return SimpleNamespace(current=current, critical=100.0)

    sensors = {"nvme": [reading(90.0)], "coretemp": [reading(50.0), reading(61.0)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: sensors, raising=False)
    facts = sample(CPU)
    assert (facts["temperature_c"], facts["temperature_critical_c"]) == (61.0, 100.0)


def test_the_clock_is_the_fastest_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_freq", lambda percpu: [SimpleNamespace(current=800.0), SimpleNamespace(current=4200.0)])
    assert sample(CPU)["clock_hz"] == 4.2e9


def test_a_system_that_does_not_tell_its_clock_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(percpu: bool) -> None:
        raise NotImplementedError("can't find current frequency file")

    monkeypatch.setattr(psutil, "cpu_freq", refuse)
    assert sample(CPU)["clock_hz"] is None


def gpu(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> dict[str, Any]:
    """A sample of a GPU that answers so; an exception is raised."""

    def answering(answer: Any) -> Any:
        def call(index: int) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answering(answer))
    return sample(CUDA)


def test_a_gpu_tells_in_our_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch tells MHz and milliwatts."""
    facts = gpu(monkeypatch, clock_rate=1980, power_draw=350_500, utilization=7, temperature=41, list_gpu_processes="GPU:0\nno processes")
    assert (facts["gpu_clock_hz"], facts["gpu_power_w"], facts["gpu_utilization_pct"]) == (1.98e9, 350.5, 7)
    assert (facts["temperature_c"], facts["gpu_other_processes"]) == (41, 0)


def test_what_the_driver_does_not_tell_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ModuleNotFoundError("nvidia-ml-py does not seem to be installed")
    facts = gpu(
        monkeypatch, clock_rate=missing, power_draw=missing, utilization=RuntimeError(), temperature=missing, list_gpu_processes="no"
    )
    told = {name: value for name, value in facts.items() if name.startswith("gpu_") and value is not None}
    assert (told, facts["temperature_c"]) == ({}, None)


def test_a_mistake_of_ours_is_not_taken_for_a_silent_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AttributeError):
        gpu(monkeypatch, clock_rate=AttributeError("misspelt"))


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], 0),
        ([os.getppid()], 1),
        ([2**30], None),  # a number that no process here has: the driver tells those of another container
    ],
)
def test_processes_on_the_gpu_that_are_not_ours(others: list[int], expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"process {number:>10d} uses {512:>12.3f} MB GPU memory" for number in (os.getpid(), *others)]
    silent = dict.fromkeys(("clock_rate", "power_draw", "utilization", "temperature"), RuntimeError())
    assert gpu(monkeypatch, **silent, list_gpu_processes="\n".join(["GPU:0", *lines]))["gpu_other_processes"] == expected


QUIET = {"governor": None, "clock_driver": None, "clock_hz": 3e9, "temperature_c": None, "temperature_critical_c": None}


def watched(
    others_pct: float | None = 0.0, steal_pct: float | None = 0.0, before: dict[str, Any] | None = None, **after: Any
) -> dict[str, Any]:
    """What a watch of a quiet machine gives, but for what is named."""
    samples = {"before": {**QUIET, **(before or {})}, "after": {**QUIET, **after}}
    return {**samples, "seconds": 5.0, "others_cpu_pct": others_pct, "steal_pct": steal_pct}


@pytest.mark.parametrize(
    ("found", "code", "message"),
    [
        (watched(others_pct=23.4), "busy", "other processes used 23 % of the CPU meanwhile"),
        (watched(steal_pct=3.14), "steal", "the host of this virtual machine took 3.1 % of its CPU for others meanwhile"),
        (watched(governor="powersave", clock_driver="acpi-cpufreq"), "governor", "the governor powersave holds the lowest clock"),
        (watched(governor="powersave", clock_driver="intel_pstate"), "governor", "powersave of intel_pstate the clock follows the load"),
        (watched(governor="ondemand"), "governor", "under the governor ondemand the clock follows the load"),
        (watched(clock_hz=2.6e9), "hot", "the clock fell from 3.00 to 2.60 GHz meanwhile"),
        (watched(temperature_c=96.0, temperature_critical_c=100.0), "hot", "it reached 96 °C, where 100 °C is critical"),
    ],
)
def test_what_is_doubtful_is_said(found: dict[str, Any], code: str, message: str) -> None:
    (doubt,) = doubts(found, "cpu")
    assert doubt.code == code
    assert message in doubt.message


@pytest.mark.parametrize(
    "found",
    [
        watched(others_pct=5.0, steal_pct=1.0),
        watched(others_pct=None, steal_pct=None),
        watched(governor="performance"),
        watched(clock_hz=2.71e9),  # of 3 GHz: a fall of less than a tenth
        watched(before={"clock_hz": 0.8e9}),  # it was idle before
        watched(clock_hz=None),
        watched(temperature_c=94.0, temperature_critical_c=100.0),
        watched(temperature_c=94.0),
    ],
)
def test_what_is_as_it_should_be_is_not(found: dict[str, Any]) -> None:
    assert doubts(found, "cpu") == []


def test_a_gpu_is_disturbed_by_what_runs_on_it_and_by_its_own_clock() -> None:
    """A busy processor disturbs it only when no core is left to feed it; the clock of the processor is not its clock."""
    quiet = {"gpu_clock_hz": 2e9, "gpu_other_processes": 0}
    assert doubts(watched(others_pct=30.0, before=quiet, **quiet, clock_hz=1e9), "cuda") == []
    found = watched(others_pct=80.0, before=quiet, gpu_clock_hz=1.5e9, gpu_other_processes=1)
    assert [(doubt.code, doubt.message) for doubt in doubts(found, "cuda")] == [
        ("busy", "other processes used 80 % of the CPU meanwhile"),
        ("busy", "another process was on the GPU meanwhile"),
        ("hot", "the clock fell from 2.00 to 1.50 GHz meanwhile"),
    ]

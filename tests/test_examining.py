"""The doctor: what it finds, what it doubts, and what it advises."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import tomllib
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from conftest import CommandLine

import archbench as package
from archbench import conditions, environment, examining, execution
from archbench.cli import app
from archbench.device import Device
from archbench.measure import peaks

CPU, CUDA = Device("cpu"), Device("cuda")


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements so short that they tell nothing, on a machine that tells nothing."""
    monkeypatch.setattr(examining, "REFERENCE_S", 0.0)
    monkeypatch.setattr(peaks, "SIZES", (8,))
    monkeypatch.setattr(peaks, "COPIED_BYTES", 4096)


def test_every_finding_has_words_and_values_that_json_can_hold(brief: None, tmp_path: Path) -> None:
    findings = package.doctor("cpu", results=tmp_path / "runs", data_dir=tmp_path)
    assert {"device", "cores", "fp32 products", "bf16 products", "noise", "memory", "disk for results"} <= {each.topic for each in findings}
    assert all(each.found for each in findings)
    json.dumps([dataclasses.asdict(each) for each in findings], allow_nan=False)
    assert not (tmp_path / "runs").exists()


def test_the_command_prints_a_table_with_advice_below_or_json(
    brief: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(execution, "missing_compiler", lambda device: "no C++ compiler was found")
    arguments = ["doctor", "--device", "cpu", "--results", str(tmp_path)]
    app.build(arguments)(arguments, standalone_mode=False)
    assert "· torch.compile: no C++ compiler was found: install g++ or clang++" in capsys.readouterr().out
    app.build(arguments)([*arguments, "--json"], standalone_mode=False)
    findings = {each["topic"]: each for each in json.loads(capsys.readouterr().out)}
    assert findings["torch.compile"]["values"] == {"missing": "no C++ compiler was found"}
    assert findings["disk for results"]["values"]["folder"] == str(tmp_path)


def test_a_device_that_is_not_there_is_one_line(archbench: CommandLine) -> None:
    answer = archbench("doctor", "--device", "gpu")
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert line.startswith("archbench: unknown device 'gpu'")


@pytest.mark.parametrize(
    ("threads", "usable", "physical", "quota", "advice"),
    [
        (4, 4, 4, None, None),
        (4, 8, 4, None, None),  # two threads a core: torch takes the cores
        (2, 2, 8, None, None),  # the process may use two of eight
        (1, 4, 4, None, "figures are those of 1 of 4 cores: OMP_NUM_THREADS=4 uses all"),
        (8, 4, 8, None, "OMP_NUM_THREADS=4"),
        (8, 8, 8, 2.5, "OMP_NUM_THREADS=2"),  # a container's limit
        (8, 8, 8, 0.5, "OMP_NUM_THREADS=1"),
    ],
)
def test_threads_should_be_as_many_as_cores(
    threads: int, usable: int, physical: int, quota: float | None, advice: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(environment, "usable_cores", lambda: usable)
    monkeypatch.setattr(environment, "cpu_quota", lambda: quota)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: physical)
    found = examining.cores().advice
    assert found is None if advice is None else advice in str(found)


@pytest.mark.parametrize(
    ("bf16_rate", "native", "advice"),
    [
        (2e9, True, None),
        (0.95e9, True, None),  # noise
        (0.5e9, True, "bf16 is slower than fp32 here: --precision fp32"),
        (0.5e9, False, "bf16 is emulated here: --precision fp32"),
        (2e9, False, "no instructions for bf16 were found, so auto takes fp32: --precision bf16 asks for it"),
    ],
)
def test_a_reduced_precision_is_worth_what_it_gains(
    bf16_rate: float, native: bool, advice: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peaks, "macs_per_s", lambda device, precision: bf16_rate if precision == "bf16" else 1e9)
    monkeypatch.setattr(Device, "native_bf16", native)
    fp32, bf16 = examining.products(CPU)
    assert (fp32.found, fp32.advice) == ("1 GMAC/s", None)
    assert bf16.values["over_fp32"] == bf16_rate / 1e9
    assert bf16.advice == advice


def test_noise_is_the_spread_of_rounds_and_what_can_be_told_at_it() -> None:
    """Of 1.00, 1.01, ... 1.60 s the median is 1.30. The quartiles are the ranks 15.5 and 46.5 of 61: 1.145 and 1.455, which are 0.31 or
    23.8 % apart. The interval of the median runs from rank 23 to 39 (binomial, 61 rounds): 1.22 to 1.38, 12.3 %.
    """
    found = examining.noise([1 + index / 100 for index in range(61)])
    assert found.values["latency_s"] == pytest.approx(1.3)
    assert found.values["spread_pct"] == pytest.approx(100 * 0.31 / 1.3)
    assert found.values["told_pct"] == pytest.approx(100 * 0.16 / 1.3)
    assert found.advice is not None
    assert found.advice.startswith("below 12.3 % nothing can be told")


def test_a_machine_without_noise_has_no_advice() -> None:
    assert examining.noise([0.01] * 60).advice is None


def test_others_clocks_and_heat_come_with_a_remedy(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"governor": "ondemand", "clock_driver": None, "clock_hz": 2e9, "temperature_c": 99.0, "temperature_critical_c": 100.0}
    watched = {"before": now, "after": now, "seconds": 3.0, "others_cpu_pct": 23.0, "steal_pct": 2.0}
    monkeypatch.setattr(conditions, "Watch", lambda device: SimpleNamespace(stop=lambda: watched))
    found = {each.topic: each for each in examining.quiet(CPU)}
    assert found["clock"].found == "governor ondemand, 2.00 GHz"
    assert "cpupower frequency-set -g performance" in str(found["clock"].advice)
    assert "let the machine cool" in str(found["temperature"].advice)
    assert found["others"].found == "other processes used 23.0 % of the CPU, the host kept 2.0 %"
    assert "other processes used 23 % of the CPU meanwhile: stop them, or expect figures marked busy" in str(found["others"].advice)
    assert "the host of this virtual machine took 2.0 %" in str(found["others"].advice)


def test_free_disk_is_that_of_a_folder_that_is_still_to_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def usage(path: str) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=1_200_000_000)

    monkeypatch.setattr(psutil, "disk_usage", usage)
    found = examining.disk("disk", tmp_path / "a" / "b", 1_660_000_000, "a training")
    assert asked == [str(tmp_path)]
    assert found.advice == "a training takes 1.7 GB: make room, or choose another folder"
    assert examining.disk("disk", tmp_path, 1_000_000_000, "a training").advice is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert examining.disk("disk", tmp_path, 0, "nothing").advice == f"{tmp_path} cannot be written: choose another folder"


def test_the_largest_training_is_that_of_vgg_16() -> None:
    """138,357,544 parameters of 4 bytes: the weights, and in the checkpoint again, with their momentum."""
    needed, what = examining._largest_training()
    assert needed == 3 * 4 * 138_357_544
    assert "vgg_16_imagenet" in what


def test_extras_that_are_missing_are_named_with_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package in ("onnxscript", "nvidia-ml-py"):
            raise importlib.metadata.PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", version)
    crosscheck, onnx, tune = examining.extras(CPU)
    assert (onnx.found, onnx.advice) == ("without onnxscript", "archbench export needs it: pip install 'archbench[onnx]'")
    assert (crosscheck.found, crosscheck.advice) == (tune.found, tune.advice) == ("installed", None)
    assert [each.topic for each in examining.extras(CUDA)] == ["crosscheck", "onnx", "tune", "nvidia-ml-py"]


def test_the_extras_are_those_of_the_project() -> None:
    """Not read from the installed metadata, which an editable install does not keep in step."""
    project = tomllib.loads((Path(package.__file__).parents[1] / "pyproject.toml").read_text())["project"]
    asked = {extra: tuple(line.split(">=")[0] for line in project["optional-dependencies"][extra]) for extra in examining.EXTRAS}
    assert asked == examining.EXTRAS


def test_the_limit_of_a_container_is_read_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`quota period` in microseconds: 250,000 of 100,000 are two and a half cores; `max` is none."""
    limit = tmp_path / "cpu.max"
    monkeypatch.setattr(environment, "CPU_MAX", limit)
    assert environment.cpu_quota() is None
    limit.write_text("max 100000\n")
    assert environment.cpu_quota() is None
    limit.write_text("250000 100000\n")
    assert environment.cpu_quota() == 2.5

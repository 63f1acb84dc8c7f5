"""Which models are timed together, and what becomes of one that fails in the middle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import CommandLine

from archbench.device import Device
from archbench.events import ignore
from archbench.execution import ExecutionPlan
from archbench.job.base import Job
from archbench.job.profile import Bench, _groups
from archbench.models import Input, Model
from archbench.records.schema import Record
from archbench.records.store import Store


class Sized(Bench):
    """A bench that needs as many bytes as it is told."""

    def __init__(self, image_size: int, needed_bytes: int) -> None:
        job = Job("profile", Model("nin"), Input(10, 3, image_size), Device("cpu"), ExecutionPlan(), 8, batches=(1, 8))
        super().__init__(job, ignore)
        self.told = needed_bytes

    @property
    def needed_bytes(self) -> int:
        return self.told

    @property
    def step_bytes(self) -> int:
        return 0


def grouped(sizes: list[tuple[int, int]], free_bytes: int) -> list[list[tuple[int, int]]]:
    groups = _groups([Sized(*size) for size in sizes], free_bytes)
    return [[(bench.job.shape.image_size, bench.needed_bytes) for bench in group] for group in groups]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([(32, 3), (224, 4), (32, 3)], [[(32, 3), (32, 3), (224, 4)]]),  # all fit into 10
        ([(32, 3), (224, 5), (32, 3)], [[(32, 3), (32, 3)], [(224, 5)]]),  # those of one input stay together
        ([(32, 6), (32, 6), (224, 4)], [[(32, 6)], [(32, 6), (224, 4)]]),  # where even they do not fit, they are split
        ([(32, 99), (32, 1)], [[(32, 99)], [(32, 1)]]),  # too large a one is tried alone
    ],
)
def test_models_that_fit_into_memory_are_timed_together(sizes: list[tuple[int, int]], groups: list[list[tuple[int, int]]]) -> None:
    assert grouped(sizes, 10) == groups


def records(folder: Path) -> dict[str, Record]:
    return {record.model.label: record for record in Store(folder / "archbench-runs").load()[0]}


FAILS = '''
import torch
from torch import nn

class Fails(nn.Module):
    """Runs on one image, and on no batch in evaluation."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 10, 1)

    def forward(self, images):
        if len(images) > 1 and not self.training:
            raise RuntimeError("no batches")
        return self.layer(images).mean((2, 3))

def fails(): return Fails()
'''


def test_a_profile_in_full_of_two_models_of_which_one_fails(archbench: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FAILS)
    options = ("--batch-size", "2", "--batch-sizes", "2,4", "--launches", "2", "--image-size", "8", "--time", "-q")
    answer = archbench("profile", "--models", "nin_tiny,mine.py:fails", *options)
    assert answer.returncode == 1
    assert "mine.py:fails (profile) failed: no batches" in answer.stderr
    found = records(tmp_path)
    assert (found["mine.py:fails"].status, found["nin_tiny"].status) == ("failed", "ok")
    whole = found["nin_tiny"]
    assert [row.at["batch"] for row in whole.measurements if row.name == "latency_s"] == [2, 4]
    assert all(len(series["launches"]) == 2 for series in whole.samples["latency"])
    for name in ("time_s", "roof_share_pct", "peak_macs_per_s", "train_bytes", "infer_peak_bytes", "infer_images_per_s"):
        assert whole.measurement(name) is not None, name
    assert whole.environment["conditions"]["seconds"] > 0
    assert whole.config["interleaved_with"] == ["mine.py:fails · profile"]


def test_what_fails_beside_something_that_does_not_is_a_doubt(archbench: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FAILS)
    options = ("--batch-size", "1", "--batch-sizes", "1,2", "--launches", "1", "--image-size", "8", "-q")
    assert archbench("profile", "--models", "mine.py:fails", *options).returncode == 0
    (record,) = records(tmp_path).values()
    assert [doubt.message for doubt in record.warnings if doubt.code == "not_measured"] == ["eager at batch 2 is not measured: no batches"]
    assert [row.at["batch"] for row in record.measurements if row.name == "latency_s"] == [1]


def test_modes_that_are_not_there_are_refused(archbench: CommandLine) -> None:
    unknown = archbench("profile", "--modes", "quick")
    assert (unknown.returncode, unknown.stderr) == (2, "archbench: unknown mode 'quick'; known are eager, compiled, cuda_graph\n")
    refused = archbench("profile", "--modes", "eager,cuda_graph", "--device", "cpu")
    assert (refused.returncode, refused.stderr) == (2, "archbench: --modes cuda_graph needs a CUDA device; cpu has no CUDA graphs\n")


def test_a_dry_run_says_what_a_profile_takes_and_runs_nothing(archbench: CommandLine, tmp_path: Path) -> None:
    answer = archbench("profile", "--models", "lenet,nin_tiny", "--dry-run", "--json", "--results", "r")
    assert answer.returncode == 0, answer.stderr
    rows = json.loads(answer.stdout)
    assert [(row["model"], row["kind"], row["todo"], row["there"]) for row in rows] == [
        (name, "profile", 1, 0) for name in ("lenet", "nin_tiny")
    ]
    assert 5 * 3 < rows[0]["seconds"] < rows[1]["seconds"]  # five launches of 3 s each and more
    assert not list(tmp_path.glob("r/runs/*.json"))


def test_batch_sizes_are_numbers(archbench: CommandLine) -> None:
    for wrong in ("0", "1,x", "-4", "1.5"):
        answer = archbench("profile", "--batch-sizes", wrong)
        assert (answer.returncode, answer.stderr) == (2, "archbench: --batch-sizes takes whole numbers from 1 to 1000000, as 1,8,32\n")


def test_a_network_that_can_learn_nothing_keeps_what_can_be_measured(tmp_path: Path) -> None:
    """All of it frozen: latency and the memory of a forward pass are there, what takes a training step is a doubt."""
    import archbench

    file = tmp_path / "frozen.py"
    file.write_text(
        "from torch import nn\n\ndef frozen(num_classes, in_channels):\n"
        "    layers = nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes)\n"
        "    return nn.Sequential(*layers).requires_grad_(False)\n"
    )
    settings = {"image_size": 8, "batch_sizes": 1, "batch_size": 2, "launches": 1, "time": True}
    (record,) = archbench.profile(models=f"{file}:frozen", results=tmp_path / "r", **settings)
    assert record.status == "ok"
    found = {row.name for row in record.measurements}
    assert {"latency_s", "infer_peak_bytes"} <= found
    assert not {"train_peak_bytes", "train_bytes", "time_s"} & found
    told = [doubt.message for doubt in record.warnings if doubt.code == "not_measured"]
    missing = ("time by operator", "memory of a training step")
    assert told == [f"{what} is not measured: no gradient reaches a parameter" for what in missing]

"""Worker processes: what each gets of the machine, what a death costs, how they end with the process that asked."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import archbench
from archbench import running
from archbench.config import Settings
from archbench.data import load, load_again, request
from archbench.engines.shares import Machine, Share
from archbench.errors import ArchbenchError
from archbench.events import Event, Finished, Notice, Started, Step, ignore
from archbench.placing import Placing
from archbench.records.schema import Record
from archbench.records.store import Store

QUICK = {"limit_train": 64, "epochs": 2, "precision": "fp32", "deterministic": True, "device": "cpu"}
DIES = """
import os
from torch import nn

class Dies(nn.Sequential):
    def forward(self, images):
        if self.training and images.device.type == "cpu" and os.environ.get("OMP_NUM_THREADS") == "1" and {here!r} != os.getpid():
            os._exit(3)
        return super().forward(images)

def dies(): return Dies(nn.Flatten(), nn.LazyLinear(10))
"""


def predicted(record: Record, results: Path) -> bytes:
    with np.load(results / next(file.path for file in record.files if file.path.endswith("predictions.npz"))) as stored:
        return stored["logits"].tobytes()


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "archbench.engines.worker" in " ".join(each.cmdline())]


FOUR = Machine(cores=(0, 4, 1, 5), at_once=4, threads=4)  # 0 and 4 are threads of one core


@pytest.mark.parametrize(
    ("text", "jobs", "shares"),
    [
        ("workers", 9, [Share((0,), 1), Share((4,), 1), Share((1,), 1), Share((5,), 1)]),
        ("workers", 2, [Share((0, 4), 2), Share((1, 5), 2)]),
        ("workers:2", 9, [Share((0, 4), 2), Share((1, 5), 2)]),
        ("workers:3", 1, [Share((0,), 1), Share((4,), 1), Share((1, 5), 1)]),
    ],
)
def test_cores_are_shared_out(text: str, jobs: int, shares: list[Share]) -> None:
    """Four cores among two: two each, neighbours. Among three: 4 // 3 = 1 thread each, and one has a core more."""
    assert FOUR.shares(Placing.of(text), jobs) == shares


def test_gpus_are_shared_out_one_each_unless_asked() -> None:
    two = dataclasses.replace(FOUR, gpus=("2", "3"))
    assert [share.gpu for share in two.shares(Placing.of("workers"), 9)] == ["2", "3"]
    assert [share.gpu for share in two.shares(Placing.of("workers:2/gpu"), 9)] == ["2", "3", "2", "3"]
    with pytest.raises(ArchbenchError, match=r"workers:4: there are 2 GPUs to share out, workers:2/gpu puts several runs on one$"):
        two.shares(Placing.of("workers:4"), 9)


def test_more_workers_than_cores_are_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match=r"workers:5: there are 4 cores to share out$"):
        FOUR.shares(Placing.of("workers:5"), 9)
    with pytest.raises(ArchbenchError, match=r"workers:1/gpu: the device is a CPU"):
        archbench.train(**QUICK, engine="workers:1/gpu", results=tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_worker_loads_the_same_images_or_says_that_they_were_changed(class_folders: Path, tmp_path: Path) -> None:
    wanted = request(Settings.of(dataset=f"imagefolder:{class_folders}", data_dir=tmp_path / "data"))
    dataset = load(wanted, ignore).resized(16).padded(20)
    assert load_again(dataset.origin).fingerprint == dataset.fingerprint
    next((class_folders / "train").rglob("*.png")).unlink()
    with pytest.raises(ArchbenchError, match="the images of images were changed since they were first read"):
        load_again(dataset.origin)


def test_a_death_costs_no_other_job_anything_and_a_killed_one_goes_on(tmp_path: Path) -> None:
    """Two seeds and a network that ends its process at its first step, thrice. Seed 0's worker is killed once it has a checkpoint."""
    path = tmp_path / "own.py"
    path.write_text(DIES.format(here=os.getpid()))
    settings = {**QUICK, "epochs": 12, "models": f"lenet,{path}:dies", "seeds": "0,1"}
    events, store = [], Store(tmp_path / "workers")

    def listen(event: Event) -> None:
        is_first = isinstance(event, Step) and event.job == "lenet · seed 0" and event.done >= 8
        events.append(event)
        if is_first and not any(isinstance(each, Notice) and "lenet · seed 0 was ended" in each.message for each in events):
            kill_worker_of(store)

    def kill_worker_of(store: Store) -> None:
        killed.extend(children()[:1])
        killed[-1].kill()

    killed: list[psutil.Process] = []
    done = running.execute(Settings.of(**settings, engine="workers:1", results=store.root), ("train",), listen)
    undisturbed = archbench.train(**{**settings, "models": "lenet"}, results=tmp_path / "local")
    records = {(record.model.name.rpartition(":")[2], record.config["seed"]): record for record in done.records}
    assert len(records) == len(done.records) == len(store.load()[0]) == 4
    for theirs in undisturbed:
        ours = records["lenet", theirs.config["seed"]]
        assert predicted(ours, store.root) == predicted(theirs, tmp_path / "local")
        assert ours.environment["engine"] == "workers"
    assert len(killed) == 1
    assert records["lenet", 0].config["resumed_from_step"] >= 2
    for seed in (0, 1):
        failed = records["dies", seed]
        assert failed.failure_line.endswith(f"the process of {path}:dies · seed {seed} ended with status 3")
    finished = [event.record_id for event in events if isinstance(event, Finished)]
    assert sorted(finished) == sorted(record.id for record in done.records)
    tries = [event.job.rpartition("/")[2] for event in events if isinstance(event, Started)]
    assert tries == ["lenet · seed 0"] * 2 + ["lenet · seed 1"] + ["own.py:dies · seed 0"] * 3 + ["own.py:dies · seed 1"] * 3
    assert children() == []
    assert list(store.checkpoints.iterdir()) == list(store.leases.iterdir()) == []

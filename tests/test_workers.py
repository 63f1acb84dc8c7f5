"""Worker processes: what each gets of the machine, what a death costs, how they end with the process that asked."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest

import archbench
from archbench import plan as planning
from archbench import running
from archbench.config import Settings
from archbench.data import load, load_again, request
from archbench.engines import carrying, workers
from archbench.engines.base import Engine
from archbench.engines.shares import Machine, Share
from archbench.errors import ArchbenchError, Terminated
from archbench.events import Event, Finished, Listener, Notice, Started, Step, ignore
from archbench.job import Job, failure
from archbench.placing import Placing
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.training import checkpoint

E = TypeVar("E")
QUICK = {"batch_size": 4, "epochs": 2, "precision": "fp32", "deterministic": True, "device": "cpu"}
DIES = """
import os
from torch import nn

class Dies(nn.Sequential):
    def forward(self, images):
        if os.getpid() != {here}:
            os._exit(3)
        return super().forward(images)

def dies(image_size): return Dies(nn.Flatten(), nn.Linear(3 * image_size**2, 2))
"""


def predicted(record: Record, results: Path) -> bytes:
    with np.load(results / next(file.path for file in record.files if file.path.endswith("predictions.npz"))) as stored:
        return stored["logits"].tobytes()


def train(settings: dict[str, Any], emit: Listener) -> running.Executed:
    return running.execute(running.asked(settings, settings), ("train",), emit)


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


class Meddler:
    """Listens, and does something at the first step."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.events: list[Event] = []

    def listen(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Step) and len(self.of(Step)) == 1:
            self.act()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def quick(class_folders: Path, tmp_path: Path) -> dict[str, Any]:
    """Twelve training images, three steps an epoch."""
    return {**QUICK, "models": "lenet", "dataset": f"imagefolder:{class_folders}", "data_dir": tmp_path / "data"}


def test_workers_leave_checkpoints_and_a_death_costs_no_other_job_anything(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the training is asked to end, as by SIGTERM. Then its worker is killed, and another network ends its own, twice.

    An epoch takes longer than the half second after which a step is told, so that the first one told is within an epoch: of its twelve
    steps a checkpoint holds only those of a training that was asked to end.
    """
    monkeypatch.setattr(workers, "TRIES", 2)
    path = tmp_path / "own.py"
    path.write_text(DIES.format(here=os.getpid()))
    settings = {**quick, "models": "nin", "image_size": 80, "batch_size": 1}
    ours, theirs = Store(tmp_path / "workers"), tmp_path / "local"

    def terminate() -> None:
        raise Terminated

    with pytest.raises(Terminated):
        train({**settings, "engine": "workers:1", "results": ours.root}, Meddler(terminate).listen)
    assert children() == [] == list(ours.leases.iterdir())
    (file,) = ours.checkpoints.iterdir()
    kept = checkpoint.load(file, file.stem)
    assert kept is not None
    assert kept.position is not None
    reached = 12 * kept.epoch + kept.position.step
    assert 0 < reached < 24

    meddler = Meddler(lambda: [child.kill() for child in children()[:1]])
    done = train({**settings, "models": f"nin,{path}:dies", "engine": "workers:2", "results": ours.root}, meddler.listen)
    record, failed = sorted(done.records, key=lambda each: each.status, reverse=True)
    (undisturbed,) = archbench.train(**settings, results=theirs)
    assert predicted(record, ours.root) == predicted(undisturbed, theirs)
    assert record.config["resumed_from_step"] >= reached
    assert record.environment["engine"] == "workers"
    assert failed.failure_line.endswith(f"{path}:dies · seed 0 ended with status 3")
    assert {each.id for each in ours.load()[0]} == {record.id, failed.id} == {event.record_id for event in meddler.of(Finished)}
    assert len(meddler.of(Finished)) == 2
    deaths = Counter(notice.message.partition(" ended ")[2] for notice in meddler.of(Notice))
    assert deaths["with status 3; it goes on from its checkpoint"] == 1
    assert [event.job for event in meddler.of(Started)].count("nin · seed 0") == 2
    assert children() == [] == list(ours.checkpoints.iterdir()) == list(ours.leases.iterdir())


def test_a_search_in_a_worker_finds_what_one_here_finds(quick: dict[str, Any], tmp_path: Path) -> None:
    events: list[Event] = []
    settings = {**quick, "trials": 2, "val_fraction": 0.25}
    ours = archbench.tune(**settings, engine="workers:1", results=tmp_path / "workers", emit=events.append)
    assert ours == archbench.tune(**settings, results=tmp_path / "local")
    assert ours[0].trials == 2
    assert [event.job for event in events if isinstance(event, Finished)] == ["lenet · trial 1/2", "lenet · trial 2/2"]
    with pytest.raises(ArchbenchError, match=r"^--engine ray: a search keeps its trials in a file; --engine workers searches"):
        archbench.tune(**settings, engine="ray", results=tmp_path / "ray")


def test_profiles_run_when_the_engine_has_ended(quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []

    class Noisy(Engine):
        def records(self, jobs: Iterator[Job], plan: Plan, store: Store, emit: Listener) -> Generator[Record, None, None]:
            for job in jobs:
                said.append(job.label)
                yield failure(job, ValueError("no"), 0.0)
            said.append("ended")

        def close(self) -> None:
            said.append("closed")

    def profile(jobs: list[Job], emit: Listener) -> Iterator[Record]:
        said.append("profile")
        yield from (failure(job, ValueError("no"), 0.0) for job in jobs)

    monkeypatch.setattr(carrying, "profile", profile)
    store = Store(tmp_path)
    plan = planning.make(Settings.of(**quick, seeds="0,1"), ("train", "profile"), store, ignore)
    kinds = [record.kind for record in carrying.execute(plan, Noisy(), store, ignore)]
    assert said == ["lenet · seed 0", "lenet · seed 1", "ended", "closed", "profile"]
    assert kinds == ["train", "train", "profile"]
    assert list(store.leases.iterdir()) == []

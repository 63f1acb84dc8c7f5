"""Trackers: what they are told, that a run keeps its id, and that one which fails costs a training nothing."""

from __future__ import annotations

import errno
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import archbench
from archbench import plan as planning
from archbench.config import Settings
from archbench.errors import ArchbenchError
from archbench.events import Epoch, Event, Finished, Memory, Notice, Started, Step, ignore
from archbench.job import Job
from archbench.records.store import Store
from archbench.tracking import check, listening, tools
from archbench.tracking.run import Point, Result, Run, Unfinished
from archbench.tracking.telling import Tracking
from archbench.tracking.worker import Worker

QUICK: dict[str, Any] = {"models": "lenet", "limit_train": 64, "epochs": 2, "val_fraction": 0.25, "batch_size": 16}


class Noted:
    """A tracker that notes what it is told, and raises what it is given at the first point."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.runs: list[Run] = []
        self.points: list[Point] = []
        self.result: Result | None = None
        self.left = False

    def begin(self, run: Run) -> Noted:
        self.runs.append(run)
        return self

    def add(self, points: Sequence[Point]) -> None:
        if self.error is not None:
            raise self.error
        self.points.extend(points)

    def end(self, result: Result) -> None:
        self.result = result

    def leave(self) -> None:
        self.left = True


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("plan")
    return planning.make(Settings.of(**QUICK, results=folder), ("train",), Store(folder), ignore).jobs[0]


def tracked(job: Job, folder: Path, trackers: dict[str, Noted], events: Sequence[Event]) -> list[Event]:
    """The events that come out behind the trackers."""
    heard: list[Event] = []
    tracking = Tracking([Worker(*each) for each in trackers.items()], [job], Unfinished(folder), heard.append)
    for event in events:
        tracking.listen(event)
    tracking.close(60)
    return heard


def told(job: Job) -> list[Event]:
    """Two epochs of two steps."""
    name = job.label
    return [
        Started(name, 4),
        Step(name, 2, 2.0, 100.0, 0.1, Memory("GPU peak", 64)),
        Epoch(name, 1, 2, 2.0, 100.0, 50.0),
        Step(name, 4, 1.0, 100.0, 0.0),
        Epoch(name, 2, 2, 1.0, 100.0),
        Finished(name, "ok", "0123", 1.0, "", {"test_error_pct": 12.5}),
    ]


def test_a_tracker_is_told_of_curves_by_step_and_of_the_end(job: Job, tmp_path: Path) -> None:
    noted = Noted()
    assert tracked(job, tmp_path, {"noted": noted}, told(job)) == told(job)
    (run,) = noted.runs
    assert run.name == "lenet · digits · modern · seed 0"
    assert (run.params["model"], run.params["training.epochs"], run.params["data.val_fraction"]) == ("lenet", 2, 0.25)
    assert [(point.step, dict(point.values)) for point in noted.points] == [
        (2, {"loss": 2.0, "images_per_s": 100.0, "lr": 0.1, "gpu_peak_bytes": 64}),
        (2, {"epoch": 1, "val_error_pct": 50.0}),
        (4, {"loss": 1.0, "images_per_s": 100.0, "lr": 0.0}),
        (4, {"epoch": 2}),
    ]
    assert noted.result == Result("ok", "0123", {"test_error_pct": 12.5})


def test_a_run_that_goes_on_keeps_its_id_and_the_next_has_another(job: Job, tmp_path: Path) -> None:
    whole = told(job)
    cut, rest, again = Noted(), Noted(), Noted()
    tracked(job, tmp_path, {"noted": cut}, whole[:3])
    tracked(job, tmp_path, {"noted": rest}, [Started(job.label, 4, 2), *whole[3:]])
    tracked(job, tmp_path, {"noted": again}, whole)
    assert cut.left
    assert not rest.left
    assert cut.runs[0].id == rest.runs[0].id != again.runs[0].id
    assert [cut.runs[0].step, rest.runs[0].step] == [0, 2]


def test_a_job_that_failed_before_its_first_step_is_a_run_too(job: Job, tmp_path: Path) -> None:
    noted = Noted()
    tracked(job, tmp_path, {"noted": noted}, [Finished(job.label, "failed", "0123", 1.0, "no memory")])
    assert len(noted.runs) == 1
    assert noted.result is not None and noted.result.status == "failed"


def test_a_tracker_that_fails_is_dropped_with_one_line(job: Job, tmp_path: Path) -> None:
    full, other = Noted(OSError(errno.ENOSPC, "No space left on device")), Noted()
    heard = tracked(job, tmp_path, {"full": full, "other": other}, told(job) * 2)
    assert [event for event in heard if isinstance(event, Notice)] == [
        Notice("full is dropped, the run goes on: [Errno 28] No space left on device")
    ]
    assert [event for event in heard if not isinstance(event, Notice)] == told(job) * 2
    assert len(other.points) == 8


def test_ids_that_cannot_be_kept_drop_the_trackers_and_not_the_run(job: Job, tmp_path: Path) -> None:
    (tmp_path / "unfinished").write_text("a file where the folder should be")
    heard = tracked(job, tmp_path / "unfinished", {"noted": Noted()}, told(job))
    assert [event for event in heard if not isinstance(event, Notice)] == told(job)
    assert len(heard) == len(told(job)) + 1


def test_a_server_that_hangs_holds_nothing_up(job: Job, tmp_path: Path) -> None:
    hanging, answer = Noted(), threading.Event()
    hanging.add = lambda points: bool(answer.wait()) and None  # type: ignore[method-assign, assignment]
    heard: list[Event] = []
    tracking = Tracking([Worker("hanging", hanging)], [job], Unfinished(tmp_path), heard.append)
    for event in told(job):
        tracking.listen(event)
    assert heard == told(job)
    tracking.close(0)
    answer.set()
    assert heard[-1] == Notice("hanging has not taken all within 0 s: its last points may be missing")


def test_a_training_with_a_failing_tracker_is_the_one_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "NEEDS", {"mlflow": "archbench"})  # a package that is there
    monkeypatch.setattr("archbench.tracking.telling.make", lambda name, folder: Noted(RuntimeError("the server is away")))
    notices: list[Event] = []
    (plain,) = archbench.train(**QUICK, deterministic=True, results=tmp_path / "a")
    (watched,) = archbench.train(**QUICK, deterministic=True, results=tmp_path / "b", track="mlflow", emit=notices.append)
    assert (plain.key, plain.status) == (watched.key, watched.status)
    assert [plain.samples["curves"][name] for name in ("loss", "val_error_pct")] == [
        watched.samples["curves"][name] for name in ("loss", "val_error_pct")
    ]
    assert plain.measurement("test_nll") == watched.measurement("test_nll")
    assert Notice("mlflow is dropped, the run goes on: the server is away") in notices


def test_a_tracker_that_is_not_installed_or_cannot_begin_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "NEEDS", {"wandb": "no_such_package"})
    with pytest.raises(ArchbenchError, match=r"^--track wandb needs no_such_package: pip install 'archbench\[wandb\]'$"):
        check(["wandb"])
    monkeypatch.setattr(importlib, "import_module", lambda name: 1 / 0)
    with pytest.raises(ArchbenchError, match=r"^--track wandb cannot begin: division by zero$"):
        tools.make("wandb", tmp_path)


def test_without_trackers_or_trainings_the_listener_is_the_given_one(tmp_path: Path) -> None:
    with listening(["tensorboard"], tmp_path, [], ignore) as listen:
        assert listen is ignore
    assert not list(tmp_path.iterdir())

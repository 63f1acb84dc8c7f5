"""What TensorBoard, MLflow and W&B read of a real training, beside its Record. Those that are not installed are skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archbench
from archbench.events import Event, Notice
from archbench.publish.results import value
from archbench.records.schema import Record

pytestmark = pytest.mark.filterwarnings("default")  # what the tools warn of is theirs to mend
QUICK: dict[str, Any] = {"models": "lenet", "limit_train": 64, "epochs": 2, "val_fraction": 0.25, "batch_size": 16}


@pytest.fixture
def own_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of a tool's says where to write."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_DIR", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


def trained(results: Path, tracker: str) -> Record:
    """The Record of a tracked training."""
    notices: list[Event] = []
    (record,) = archbench.train(**QUICK, results=results, track=tracker, emit=notices.append)
    assert not [event for event in notices if isinstance(event, Notice) and tracker in event.message]
    return record


def test_tensorboard_reads_the_curves_of_the_record(tmp_path: Path, own_places: None) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = trained(tmp_path, "tensorboard")
    (run,) = (tmp_path / "tracking" / "tensorboard").iterdir()
    assert run.name.startswith("lenet-digits-modern-seed_0-")
    read = EventAccumulator(str(run)).Reload()
    ends = {3, 6}  # of the 48 images that are not held out, three batches an epoch
    for name in ("loss", "val_error_pct", "lr"):
        points = [(point.step, point.value) for point in read.Scalars(name) if point.step in ends]
        assert points == [(3, pytest.approx(record.samples["curves"][name][0])), (6, pytest.approx(record.samples["curves"][name][1]))]
    assert read.Scalars("test_error_pct")[0].value == pytest.approx(value(record, "test_error_pct"))


@pytest.mark.slow
def test_mlflow_reads_the_curves_of_the_record(tmp_path: Path, own_places: None) -> None:
    mlflow = pytest.importorskip("mlflow")
    record = trained(tmp_path, "mlflow")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'tracking' / 'mlflow' / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("archbench").experiment_id])
    assert (run.info.run_name, run.info.status) == ("lenet · digits · modern · seed 0", "FINISHED")
    assert run.data.tags["archbench.record"] == record.id
    assert run.data.params["training.lr"] == str(record.config["training"]["lr"])
    history = client.get_metric_history(run.info.run_id, "val_error_pct")
    assert [(point.step, point.value) for point in history] == list(zip((3, 6), record.samples["curves"]["val_error_pct"], strict=True))
    assert run.data.metrics["test_error_pct"] == value(record, "test_error_pct")


@pytest.mark.slow
def test_wandb_keeps_a_run_offline(tmp_path: Path, own_places: None) -> None:
    """Its format has no reader for Python: the names and the Record's id stand in the file as they are."""
    pytest.importorskip("wandb")
    record = trained(tmp_path, "wandb")
    (file,) = tmp_path.glob("tracking/wandb/offline-run-*/run-*.wandb")
    content = file.read_bytes()
    for word in ("lenet · digits · modern · seed 0", "val_error_pct", "training.lr", "test_error_pct", record.id):
        assert word.encode() in content

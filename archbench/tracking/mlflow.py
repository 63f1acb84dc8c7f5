"""MLflow: its tracking URI and experiment where they are set, else a database in `tracking/mlflow` and the experiment `archbench`."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.environment_variables import MLFLOW_EXPERIMENT_NAME, MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT

from archbench.tracking.run import Point, Result, Run

ID_TAG = "archbench.run"
MOST_PARAMS, MOST_METRICS = 100, 1000  # that MLflow takes at a time
LONGEST_PARAM = 500
T = TypeVar("T")


class Mlflow:
    """Writes through a client of its own, so that a notebook's active run stays as it is."""

    def __init__(self, uri: str | None, artifacts: Path) -> None:
        self.client = MlflowClient(tracking_uri=uri)
        name = MLFLOW_EXPERIMENT_NAME.get() or "archbench"
        known = self.client.get_experiment_by_name(name)
        where = artifacts.resolve().as_uri() if uri is not None else None
        self.experiment = known.experiment_id if known else self.client.create_experiment(name, artifact_location=where)

    def begin(self, run: Run) -> Log:
        """A run that MLflow has already under our id goes on."""
        found = self.client.search_runs([self.experiment], f"tags.`{ID_TAG}` = '{run.id}'", max_results=1)
        if found:
            run_id = found[0].info.run_id
            self.client.update_run(run_id, status="RUNNING")
            return Log(self.client, run_id)
        run_id = self.client.create_run(self.experiment, run_name=run.name, tags={ID_TAG: run.id}).info.run_id
        for params in _parts([Param(name, str(value)[:LONGEST_PARAM]) for name, value in run.params.items()], MOST_PARAMS):
            self.client.log_batch(run_id, params=params)
        return Log(self.client, run_id)


class Log:
    """One run of MLflow's."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client, self.run_id = client, run_id

    def add(self, points: Sequence[Point]) -> None:
        metrics = [Metric(name, value, round(1000 * point.time_s), point.step) for point in points for name, value in point.values.items()]
        for part in _parts(metrics, MOST_METRICS):
            self.client.log_batch(self.run_id, metrics=part)

    def end(self, result: Result) -> None:
        tags = {"archbench.status": result.status, "archbench.record": result.record_id}
        self.client.log_batch(self.run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        for name, value in result.figures.items():
            self.client.log_metric(self.run_id, name, value)
        self.client.set_terminated(self.run_id, status="FINISHED" if result.status == "ok" else "FAILED")

    def leave(self) -> None:
        self.client.set_terminated(self.run_id, status="KILLED")


def make(folder: Path) -> Mlflow:
    """Where MLflow is told to write, by `MLFLOW_TRACKING_URI` or in a notebook; else below the results folder."""
    logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)  # what fails there is raised, and said once
    if mlflow.is_tracking_uri_set():
        with _impatient():
            return Mlflow(None, folder)
    home = (folder / "mlflow").resolve()
    home.mkdir(parents=True, exist_ok=True)
    return Mlflow(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Wait some seconds for a server before the run begins, and as long as MLflow does once it runs, unless its variables say how long."""
    limits = {MLFLOW_HTTP_REQUEST_MAX_RETRIES: 2, MLFLOW_HTTP_REQUEST_TIMEOUT: 10}
    changed = [variable for variable in limits if not variable.is_set()]
    for variable in changed:
        variable.set(limits[variable])
    try:
        yield
    finally:
        for variable in changed:
            variable.unset()


def _parts(values: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]

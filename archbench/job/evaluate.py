"""A Job of kind imported: read the test split once with weights that somebody else published."""

from __future__ import annotations

import time

import torch

from archbench.data import Dataset
from archbench.data.augment import Normaliser
from archbench.errors import StorageError
from archbench.events import Finished, Listener, Started
from archbench.execution import numerics, preserved_random_state
from archbench.job.base import Job
from archbench.job.outcome import Outcome, figures, record, summary
from archbench.job.tested import at_chance, error_row, folder_of, keep_predictions, quality_rows
from archbench.models import pretrained
from archbench.models.isolation import preserved_settings
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.training.evaluate import predict


def evaluate(job: Job, dataset: Dataset, store: Store, emit: Listener) -> Record:
    """The test error of published weights; a failure becomes the Record."""
    started, outcome = time.perf_counter(), Outcome()
    emit(Started(job.label, 1))
    try:
        with preserved_settings(), numerics(job.plan), preserved_random_state(job.device):
            _evaluate(job, dataset, store, outcome)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:  # one model's failure costs the others nothing
        outcome.fail(error)
    job.device.release_memory()
    finished = record(job, outcome, time.perf_counter() - started)
    emit(Finished(job.label, finished.status, finished.id, finished.duration_s, summary(finished), figures(finished)))
    return finished


def _evaluate(job: Job, dataset: Dataset, store: Store, outcome: Outcome) -> None:
    network = job.model.build(job.shape)
    pretrained.load(job.model, network, download=False)  # the plan has fetched them
    weights = pretrained.weights_of(job.model)
    mean, deviation = (255 * torch.tensor(values) for values in (weights.mean, weights.deviation))
    normalise = Normaliser(mean, deviation, job.device.torch)
    network, split = job.plan.place(network, job.device), dataset.test.to(job.device.torch)
    test = predict(network, split, normalise, job.plan, job.device, job.batch, with_logits=True)
    outcome.measurements.extend([error_row("test", test), *quality_rows(test)])
    outcome.warnings.extend(at_chance(test))
    outcome.files.append(keep_predictions(store, folder_of(job), test))

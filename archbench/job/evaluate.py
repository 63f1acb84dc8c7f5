"""A Job that trains nothing and reads the test split once.

Of kind imported: with weights that somebody else published. Of kind evaluated: with those that a training of ours left.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn

from archbench.data import Dataset
from archbench.data.preprocessing import Normaliser
from archbench.errors import ArchbenchError, StorageError
from archbench.events import Listener, Started
from archbench.execution import numerics, preserved_random_state
from archbench.job.base import Job
from archbench.job.outcome import Outcome, ended, record
from archbench.job.tested import at_chance, error_row, folder_of, keep_predictions, quality_rows
from archbench.models import pretrained
from archbench.models.isolation import preserved_settings
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.training import transfer
from archbench.training.evaluate import predict


def evaluate(job: Job, dataset: Dataset, store: Store, emit: Listener) -> Record:
    """The test error of weights that are there already; a failure becomes the Record."""
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
    emit(ended(job, finished))
    return finished


def _evaluate(job: Job, dataset: Dataset, store: Store, outcome: Outcome) -> None:
    if job.source is not None:
        outcome.config = _of_training(job.source.record)
    network = job.model.build(job.shape)
    normalise = _loaded(job, network, store)
    network, split = job.plan.place(network, job.device), dataset.test.to(job.device.torch)
    mirror = bool((outcome.config.get("training") or {}).get("test_flip"))
    test = predict(network, split, normalise, job.plan, job.device, job.batch, with_logits=True, mirror=mirror)
    outcome.measurements.extend([error_row("test", test), *quality_rows(test)])
    outcome.warnings.extend(at_chance(test))
    outcome.files.append(keep_predictions(store, folder_of(job), test))


def _loaded(job: Job, network: nn.Module, store: Store) -> Normaliser:
    """Give the network its weights, and return what becomes of images before it sees them."""
    if job.source is not None:
        transfer.load_whole(network, job.model, job.source, store)
        mean, deviation = preprocessing(job.source.record)
    else:
        pretrained.load(job.model, network, download=False)  # the plan has fetched them
        weights = pretrained.weights_of(job.model)
        mean, deviation = (255 * torch.tensor(values) for values in (weights.mean, weights.deviation))
    return Normaliser(mean, deviation, job.device.torch)


def preprocessing(record: Record) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each channel's bytes that a training used. Raises ArchbenchError where its Record tells of no such."""
    told = record.config.get("normalisation")
    if not isinstance(told, dict) or set(told) != {"mean", "deviation"}:
        how = "does not tell how its images were normalised" if told is None else "whitened its images by a matrix that is not kept"
        raise ArchbenchError(f"the Record {record.id} {how}, so no others can be prepared for its weights")
    return torch.tensor(told["mean"]), torch.tensor(told["deviation"])


def _of_training(record: Record) -> dict[str, Any]:
    """What the Record of a test keeps of the training: how and from what the weights were learned."""
    kept = {name: record.config.get(name) for name in ("recipe", "training", "normalisation", "classes")}
    return {**kept, "trained_on": record.config["data"]}

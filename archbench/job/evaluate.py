"""A Job that trains nothing and reads the test split once.

Of kind imported: with weights that somebody else published. Of kind evaluated: with those that a training of ours left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from archbench.data import Dataset
from archbench.data.preprocessing import Normaliser, Preprocessing
from archbench.errors import StorageError
from archbench.events import Listener, Started
from archbench.execution import numerics, preserved_random_state
from archbench.job.base import Job
from archbench.job.outcome import Outcome, record
from archbench.job.tested import at_chance, error_row, flipped, folder_of, keep_predictions, quality_rows
from archbench.models import pretrained
from archbench.models.isolation import preserved_settings
from archbench.records.schema import Doubt, Record
from archbench.records.store import Store
from archbench.training import transfer
from archbench.training.evaluate import predict


def evaluate(job: Job, dataset: Dataset, store: Store, emit: Listener) -> Record:
    """The test error of weights that are there already; a failure becomes the Record."""
    return attempted(job, emit, lambda outcome: _evaluate(job, dataset, store, outcome))


def attempted(job: Job, emit: Listener, work: Callable[[Outcome], object]) -> Record:
    """The Record of work that trains nothing, which fills its outcome; a failure becomes the Record too."""
    started, outcome = time.perf_counter(), Outcome()
    emit(Started(job.label, 1))
    try:
        with preserved_settings(), numerics(job.plan), preserved_random_state(job.device):
            work(outcome)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:  # one model's failure costs the others nothing
        outcome.fail(error)
    job.device.release_memory()
    return record(job, outcome, time.perf_counter() - started)


def _evaluate(job: Job, dataset: Dataset, store: Store, outcome: Outcome) -> None:
    if job.source is not None:
        outcome.config = of_training(job.source.record)
    network = job.model.build(job.shape)
    prepare = _loaded(job, network, store)
    network, split = job.plan.place(network, job.device), prepare.once(dataset.test.to(job.device.torch))
    wanted = bool((outcome.config.get("training") or {}).get("test_flip"))
    mirror = wanted and _keeps_classes(job, dataset)
    part = job.source.at_once(job.batch) if job.source is not None else job.batch
    test = predict(network, split, prepare, job.plan, job.device, part, with_logits=True, mirror=mirror)
    outcome.measurements.extend([error_row("test", test), *quality_rows(test)])
    outcome.warnings.extend([*at_chance(test), *([flipped()] if mirror else [])])
    if wanted and not mirror:
        message = f"tested without the flip of its training's test: a mirror image on {dataset.name} may be of another class"
        outcome.warnings.append(Doubt(code="no_test_flip", message=message))
    outcome.files.append(keep_predictions(store, folder_of(job), test))


def _keeps_classes(job: Job, dataset: Dataset) -> bool:
    """Whether a mirror image may stand for an image: where the set is known for it, or is the one on which the user had it so."""
    trained_on = job.source.record.config["data"]["fingerprint"] if job.source else None
    return dataset.mirror_safe or dataset.fingerprint == trained_on


def _loaded(job: Job, network: nn.Module, store: Store) -> Preprocessing:
    """Give the network its weights, and return what becomes of images before it sees them."""
    if job.source is not None:
        transfer.load_whole(network, job.model, job.source, store)
        return transfer.preparation(job.source, store, job.device.torch)
    pretrained.load(job.model, network, download=False)  # the plan has fetched them
    weights = pretrained.weights_of(job.model)
    mean, deviation = (255 * torch.tensor(values) for values in (weights.mean, weights.deviation))
    return Normaliser(mean, deviation, job.device.torch)


def of_training(record: Record) -> dict[str, Any]:
    """What the Record of a test keeps of the training: how and from what the weights were learned."""
    kept = {name: record.config.get(name) for name in ("recipe", "training", "normalisation", "classes")}
    return {**kept, "trained_on": record.config["data"]}

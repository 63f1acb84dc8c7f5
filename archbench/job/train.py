"""A Job of kind train: learn from the training split, read the test split once, keep predictions and weights."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from archbench.data import Dataset
from archbench.data.feed import num_workers
from archbench.errors import StorageError
from archbench.events import Listener, Started, ignore
from archbench.execution import numerics, preserved_random_state, retained_memory
from archbench.job.base import Job
from archbench.job.beginning import Beginning, same_size
from archbench.job.course import Course
from archbench.job.outcome import Outcome, record
from archbench.job.tested import at_chance, error_row, flipped, folder_of, keep_predictions, quality_rows
from archbench.models.isolation import preserved_settings
from archbench.records.schema import Doubt, Failure, Measurement, Record, Scalar, StoredFile
from archbench.records.store import Store
from archbench.training import checkpoint, transfer
from archbench.training.evaluate import predict
from archbench.training.loop import Fit, Task, fit
from archbench.training.ranks import ALONE, Ranks
from archbench.training.stepper import has_batch_norm


def train(job: Job, dataset: Dataset, store: Store, emit: Listener, ranks: Ranks = ALONE) -> Record:
    """Train once and test once; the Record says how it went. A KeyboardInterrupt passes through and leaves the last checkpoint.

    Of several processes that train together this is the first.
    """
    started, outcome = time.perf_counter(), Outcome()
    try:
        with preserved_settings(), numerics(job.plan), preserved_random_state(job.device), retained_memory(job.plan):
            _train(job, dataset, store, emit, ranks, outcome, started)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:  # one model's failure costs the others nothing: it becomes a Record
        outcome.fail(error)
    job.device.release_memory()
    return record(job, outcome, time.perf_counter() - started)


def follow(job: Job, dataset: Dataset, store: Store, ranks: Ranks) -> None:
    """Train together with the process that makes the Record, step by step. Raises what the training raises."""
    with preserved_settings(), numerics(job.plan), retained_memory(job.plan):
        begun = Beginning.of(job, dataset, store, ranks)
        fit(begun.model, begun.task, begun.prepare, ignore, begun.start, lambda state: None)


def _train(job: Job, dataset: Dataset, store: Store, emit: Listener, ranks: Ranks, outcome: Outcome, begun_s: float) -> None:
    begun = Beginning.of(job, dataset, store, ranks)
    model, task, prepare, plan, config = begun.model, begun.task, begun.prepare, begun.task.plan, begun.task.config
    course = Course.of(job, begun.start, begun.step, begun_s)
    outcome.earlier_s, outcome.environment = course.earlier_s, course.environment
    emit(Started(job.label, task.steps, begun.step))
    result = fit(model, task, prepare, emit, begun.start, lambda state: course.stamped(state).save(store))
    outcome.samples = {"curves": result.curves}
    outcome.config = {"execution": plan.model_dump(), "resumed_from_step": result.resumed_from_step}
    outcome.config["micro_batch"] = result.micro_batch
    outcome.config |= {"normalisation": prepare.described(), "classes": list(dataset.class_names)}
    outcome.config["images"] = {"kept": task.train.kept, "training_crop": task.train.crop, "test_crop": dataset.cut}
    if plan.devices > 1 and has_batch_norm(model):
        outcome.config["norm_statistics"] = "synchronised" if plan.norm_over_devices else "local"
    outcome.measurements.extend([_training_speed(task, result), *_input_speeds(task, result)])
    if result.diverged:
        outcome.status = "diverged"
        losses = result.curves["loss"]
        what = "weights were not finite after" if math.isfinite(losses[-1]) else "loss was not finite in"
        outcome.failure = Failure(reason="diverged", message=f"the {what} epoch {len(losses)}")
    else:
        split = prepare.once(begun.test.to(job.device.torch))
        part = result.micro_batch
        test = predict(model, split, prepare, plan, job.device, part, with_logits=True, mirror=config.test_flip)
        learned = predict(model, same_size(task.train, len(begun.test)), prepare, plan, job.device, part, mirror=config.test_flip)
        outcome.measurements[:0] = [error_row("test", test), error_row("train", learned)]
        outcome.measurements.extend(quality_rows(test))
        outcome.warnings.extend([*at_chance(test), *_departures(task, result, model)])
        folder = folder_of(job)
        outcome.files.extend([keep_predictions(store, folder, test), _keep_weights(store, folder, model)])
        outcome.files.extend(transfer.keep_whitening(store, prepare))


def _departures(task: Task, result: Fit, model: torch.nn.Module) -> Iterator[Doubt]:
    """What sets this training or its test apart from another under the same recipe, in a line each."""
    part, devices = result.micro_batch, task.plan.devices
    if part < task.config.batch_size:
        on = f" on {devices} devices" if devices > 1 else ""
        together = f", of which batch norm saw {devices} together" if task.plan.norm_over_devices else ", which batch norm saw alone"
        norm = together if has_batch_norm(model) else ""
        message = f"each batch of {task.config.batch_size} went through the network in parts of {part}{on}{norm}"
        yield Doubt(code="micro_batch", message=message)
    if task.train.crop is not None:
        yield Doubt(code="crop", message=f"it learned from files decoded anew in each epoch: {task.train.crop}, in place of translation")
    if task.config.test_flip:
        yield flipped()


def _training_speed(task: Task, result: Fit) -> Measurement:
    """Images/s over whole epochs; the first is left out where it holds the compiling and others follow."""
    rates = result.curves["images_per_s"]
    if task.plan.compiled and len(rates) > 1 and not result.resumed_from_step:
        rates = rates[1:]
    return Measurement(
        name="train_images_per_s",
        value=statistics.median(rates),
        n=len(rates),
        method="median over epochs, augmentation included",
        at={
            "batch": task.config.batch_size,
            "precision": task.plan.precision,
            "memory_format": task.plan.memory_format,
            **({"devices": task.plan.devices} if task.plan.devices > 1 else {}),
        },
    )


def _input_speeds(task: Task, result: Fit) -> Iterator[Measurement]:
    """Images/s that were read from the disk, and those of the model when it did not wait for them: the smaller made the other wait."""
    told = {
        "input_images_per_s": f"median over epochs, what all {num_workers()} threads that read can do while the model runs",
        "model_images_per_s": "median over epochs, without the time in which it waited for images",
    }
    at: dict[str, Scalar] = {"batch": task.config.batch_size, "images": task.train.kept}
    for name, method in told.items():
        if rates := result.curves.get(name):
            yield Measurement(name=name, value=statistics.median(rates), n=len(rates), method=method, at=at)


def _keep_weights(store: Store, folder: Path, model: torch.nn.Module) -> StoredFile:
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    return store.write_file(folder / transfer.WEIGHTS, lambda file: file.write(checkpoint.torch_bytes(weights)))

"""A Job of kind train: learn from the training split, read the test split once, keep predictions and weights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from archbench.data import Dataset, Images, preprocessing
from archbench.data.dataset import parts, stratified
from archbench.data.feed import num_workers
from archbench.errors import StorageError
from archbench.events import Listener, Started
from archbench.execution import LAYOUTS, ExecutionPlan, numerics, preserved_random_state, retained_memory
from archbench.job.base import Job
from archbench.job.course import Course
from archbench.job.outcome import Outcome, record
from archbench.job.tested import at_chance, error_row, flipped, folder_of, keep_predictions, quality_rows
from archbench.models.isolation import preserved_settings
from archbench.records.schema import Doubt, Failure, Measurement, Record, Scalar, StoredFile
from archbench.records.store import Store
from archbench.training import checkpoint, initial, transfer
from archbench.training.evaluate import predict
from archbench.training.loop import Fit, Task, fit
from archbench.training.stepper import has_batch_norm

WHITENED_ON = 2000  # training images whose patches start the first layer


def train(job: Job, dataset: Dataset, store: Store, emit: Listener) -> Record:
    """Train once and test once; the Record says how it went. A KeyboardInterrupt passes through and leaves the last checkpoint."""
    started, outcome = time.perf_counter(), Outcome()
    try:
        with preserved_settings(), numerics(job.plan), preserved_random_state(job.device), retained_memory(job.plan):
            _train(job, dataset, store, emit, outcome, started)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:  # one model's failure costs the others nothing: it becomes a Record
        outcome.fail(error)
    job.device.release_memory()
    return record(job, outcome, time.perf_counter() - started)


def _train(job: Job, dataset: Dataset, store: Store, emit: Listener, outcome: Outcome, begun: float) -> None:
    assert job.training is not None and job.data is not None
    start = checkpoint.left(store.checkpoint_path(job.key), job.key, job.rerun, job.records)
    plan = ExecutionPlan(**start.plan) if start else job.plan
    seen = parts(dataset, job.seed, job.data.limit_train, job.data.train_fraction, job.data.val_fraction)
    train_split, device = seen.train.to(job.device.torch), job.device
    validation = seen.validation.to(device.torch) if seen.validation else None
    if plan.compiled:
        torch.compiler.reset()  # graphs of earlier models count towards a limit beyond which this one would run eager
    network = initial.build(job.model, job.shape, job.training, job.seed)
    if job.model.source is not None:
        transfer.take(network, transfer.source_of(job.model, job.shape, store), store)
    model, config = plan.place(network, device), job.training
    prepare = preprocessing.fitted(config.preprocessing, train_split)
    train_split, validation = prepare.once(train_split), prepare.once(validation) if validation else None
    if config.whiten_first_layer and start is None:
        initial.whiten(model, prepare(_same_size(train_split, WHITENED_ON).loaded().images, LAYOUTS[plan.memory_format]))
    task = Task(job.label, job.key, config, plan, device, job.seed, train_split, validation)
    step = start.epoch * task.steps_per_epoch + (start.position.step if start.position else 0) if start else 0
    course = Course.of(job, start, step, begun)
    outcome.earlier_s, outcome.environment = course.earlier_s, course.environment
    emit(Started(job.label, task.steps, step))
    result = fit(model, task, prepare, emit, start, lambda state: course.stamped(state).save(store))
    outcome.samples = {"curves": result.curves}
    outcome.config = {"execution": plan.model_dump(), "resumed_from_step": result.resumed_from_step}
    outcome.config["micro_batch"] = result.micro_batch
    outcome.config |= {"normalisation": prepare.described(), "classes": list(dataset.class_names)}
    outcome.config["images"] = {"kept": task.train.kept, "training_crop": task.train.crop, "test_crop": dataset.cut}
    outcome.measurements.extend([_training_speed(task, result), *_input_speeds(task, result)])
    if result.diverged:
        outcome.status = "diverged"
        outcome.failure = Failure(reason="diverged", message=f"the loss was not finite in epoch {len(result.curves['loss'])}")
    else:
        split = prepare.once(seen.test.to(device.torch))
        test = predict(model, split, prepare, plan, device, job.batch, with_logits=True, mirror=config.test_flip)
        learned = predict(model, _same_size(train_split, len(seen.test)), prepare, plan, device, job.batch, mirror=config.test_flip)
        outcome.measurements[:0] = [error_row("test", test), error_row("train", learned)]
        outcome.measurements.extend(quality_rows(test))
        outcome.warnings.extend([*at_chance(test), *_departures(task, result, model)])
        folder = folder_of(job)
        outcome.files.extend([keep_predictions(store, folder, test), _keep_weights(store, folder, model)])


def _departures(task: Task, result: Fit, model: torch.nn.Module) -> Iterator[Doubt]:
    """What sets this training or its test apart from another under the same recipe, in a line each."""
    if result.micro_batch < task.config.batch_size:
        norm = ", which batch norm saw alone" if has_batch_norm(model) else ""
        message = f"each batch of {task.config.batch_size} went through the network in parts of {result.micro_batch}{norm}"
        yield Doubt(code="micro_batch", message=message)
    if task.train.crop is not None:
        yield Doubt(code="crop", message=f"it learned from files decoded anew in each epoch: {task.train.crop}, in place of translation")
    if task.config.test_flip:
        yield flipped()


def _same_size(split: Images, n: int) -> Images:
    """At most `n` images of the training split, the same share of each class."""
    if len(split) <= n:
        return split
    return split.take(stratified(split.labels.cpu(), n, seed=0).to(split.labels.device))


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
        at={"batch": task.config.batch_size, "precision": task.plan.precision, "memory_format": task.plan.memory_format},
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

"""The kept weights of a training on the test split of another data set: from a Record and settings to a plan of one Job."""

from __future__ import annotations

import dataclasses

import torch

from archbench import catalogue, environment
from archbench import device as devices
from archbench.config import Settings
from archbench.data import Dataset, choice, load, request, shape_of
from archbench.errors import ArchbenchError
from archbench.events import Listener
from archbench.execution import ExecutionPlan, resolve_precision
from archbench.job import DataPart, Job
from archbench.plan import PADDED_SIZE, Plan
from archbench.records.schema import Record
from archbench.records.sources import training_of
from archbench.records.store import Store, settled
from archbench.training import transfer


def make(beginning: str, settings: Settings, store: Store, emit: Listener) -> Plan:
    """The plan to test the weights of the Record whose id begins so. Raises ArchbenchError before any work is done.

    That is where there is no such training, its weights are gone, its code was changed, or the data set has other classes or channels.
    Precision and batch are the training's own unless others are asked for.
    """
    if settings.dataset is None:
        raise ArchbenchError("--dataset names the set whose test split is used")
    record = training_of(beginning, store.root)
    source = transfer.with_weights(record, store)
    transfer.check_preparation(source)
    model, shape = catalogue.shaped(record.model.label, **dataclasses.asdict(source.shape))
    transfer.check_code(model, record)
    store.check_writable()
    environment.git_state()
    trained, device = record.config["execution"], devices.choose(settings.device)
    asked = trained["precision"] if settings.precision == "auto" else settings.precision
    plan = ExecutionPlan(
        precision=resolve_precision(asked, device, training=False),
        memory_format=trained["memory_format"],
        deterministic=settings.deterministic or trained["deterministic"],
    )
    batch = settings.batch_size or record.config["batch"]
    dataset = fitting(source, settings, emit, batch)
    part = DataPart(dataset.name, dataset.fingerprint, 0, len(dataset.test), None, 1.0, 0.0, dataset.skipped)
    choice.check_batch(dataset, batch)
    job = Job("evaluated", model, shape, device, plan, batch, record.config["seed"], data=part, rerun=settings.rerun, source=source)
    there = None if settings.rerun else settled(store.load()[0]).get(job.key)
    return Plan(() if there else (job,), (there,) if there else (), {dataset.fingerprint: dataset}, () if there else (0.0,))


def fitting(source: transfer.Source, settings: Settings, emit: Listener, batch: int = 0) -> Dataset:
    """The data set as the network wants it: its size, its channels, its order of classes; `batch` images are tested at once."""
    shape, of = source.shape, f"the network of {source.record.id}"
    wanted = dataclasses.replace(request(settings, test_only=True), image_size=shape.image_size, batch_size=batch)
    offered = shape_of(wanted)
    if offered.channels != shape.in_channels:
        raise ArchbenchError(f"{wanted.name} has images of {offered.channels} channel(s), and {of} takes {shape.in_channels}")
    if offered.num_classes != shape.num_classes:
        raise ArchbenchError(f"{wanted.name} has {offered.num_classes} classes, and {of} knows {shape.num_classes}")
    loaded = load(wanted, emit)
    if source.whitening is not None and loaded.test.crop is not None:
        raise ArchbenchError(f"{of} sees images that were whitened once, and files are decoded anew each time: --images-from mapped")
    native = loaded.shape.size
    pads = native == PADDED_SIZE < shape.image_size and settings.image_size is None
    sized = loaded if native == shape.image_size else (loaded.padded if pads else loaded.resized)(shape.image_size)
    return _in_order(sized, source.record)


def _in_order(dataset: Dataset, record: Record) -> Dataset:
    """The same test split with its labels numbered as in the training. Raises ArchbenchError where the classes are not the same."""
    theirs, ours = list(record.config.get("classes") or dataset.class_names), list(dataset.class_names)
    if strange := sorted(set(ours) - set(theirs)):
        raise ArchbenchError(f"{dataset.name} has a class {strange[0]!r} that the training of {record.id} had not; they must be the same")
    if ours == theirs:
        return dataset
    number = torch.tensor([theirs.index(name) for name in ours])
    return dataclasses.replace(dataset, test=dataset.test.relabelled(number[dataset.test.labels]), class_names=tuple(theirs))

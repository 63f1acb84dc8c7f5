"""The Jobs that explain trainings: by each method that a network can bear, on each kind of test set."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from archbench import catalogue, duration
from archbench.config import Settings
from archbench.data import DataRequest, Dataset, load, request, shapes
from archbench.data.drawing import CLASS_NAMES
from archbench.device import Device
from archbench.errors import ArchbenchError, unknown
from archbench.events import Listener, Notice
from archbench.execution import ExecutionPlan, numerics, preserved_random_state
from archbench.experiments.definition import Explain
from archbench.explaining import places, weighing
from archbench.explaining.methods import METHODS, Target
from archbench.job import DataPart, Job
from archbench.job.base import Explaining
from archbench.models import Input, Model
from archbench.models.isolation import preserved_settings
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.training import transfer

BATCH = 100
EXACT = ("class_map", "cam")  # methods that hold for some heads alone


@dataclass
class Following:
    """What follows the trainings of one run. Data sets that are loaded meanwhile go to `datasets`, by their fingerprints.

    Raises ArchbenchError for a method that is not known or not installed, and for more images than there are.
    """

    asked: Explain
    settings: Settings
    device: Device
    store: Store
    emit: Listener
    datasets: dict[str, Dataset]
    _loaded: dict[str, Dataset] = field(default_factory=dict)
    _borne: dict[tuple[Model, Input], tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.asked.methods)
        check_count(self.asked.n)

    def check(self, jobs: Iterable[Job]) -> None:
        """Raise ArchbenchError for trainings whose test images are of objects that nobody knows, or of another size than is drawn."""
        for name, shape in {(job.data.name, job.shape): None for job in jobs if job.kind == "train" and job.data is not None}:
            size = shapes.Shapes.parse(self._tests(name)[0]).px
            if shape.image_size != size:
                raise ArchbenchError(f"[explain] needs images as they are drawn, and {name} is drawn with {size} pixels a side")

    def expected(self, jobs: Iterable[Job]) -> list[tuple[Job, str, float]]:
        """What trainings that are still to be made lead to: the training, the name of the test set, and about the seconds."""
        trainings = [(job, job.data.name) for job in jobs if job.kind == "train" and job.data is not None]
        seconds = duration.EXPLANATION_S * self.asked.n
        return [(job, name, seconds) for job, data in trainings for name in self._tests(data) for _ in self._methods(job.model, job.shape)]

    def jobs(self, record: Record) -> list[Job]:
        """Those that follow a finished training; none of anything else. Raises ArchbenchError where its weights are not there."""
        if record.kind != "train" or record.status != "ok":
            return []
        source = transfer.with_weights(record, self.store)
        made = []
        for name in self._tests(record.config["data"]["name"]):
            dataset = self._dataset(name)
            part = part_of(dataset, name)
            check_drawn(source, part)
            for method in self._methods(*model_of(source)):
                made.append(job_of(source, part, Explaining(method, self.asked.n), self.device, self.settings.rerun))
        return made

    def all_jobs(self, records: Iterable[Record]) -> tuple[list[Job], list[str]]:
        """Those that follow several Records, and a line for each training of which that cannot be had."""
        jobs, missing = [], []
        for record in records:
            try:
                jobs += self.jobs(record)
            except ArchbenchError as error:
                missing.append(f"{record.model.label} is not explained: {error}")
        return jobs, missing

    def _tests(self, trained_on: str) -> list[str]:
        """The names of the test sets that go with a training's. Raises ArchbenchError for a set whose objects are not known."""
        if not shapes.is_asked_for(trained_on):
            raise ArchbenchError(f"[explain] needs images whose objects are known, and {trained_on} is not {shapes.NAME}")
        own = shapes.Shapes.parse(trained_on)
        return [dataclasses.replace(own, test=test).label for test in self.asked.tests]

    def _dataset(self, name: str) -> Dataset:
        if name not in self._loaded:
            self._loaded[name] = test_set(dataclasses.replace(self.settings, dataset=name, image_size=None), self.emit)
            self.datasets[self._loaded[name].fingerprint] = self._loaded[name]
        return self._loaded[name]

    def _methods(self, model: Model, shape: Input) -> tuple[str, ...]:
        """Those that the network can bear; a line says which it cannot."""
        if (model, shape) not in self._borne:
            refused = [method for method in self.asked.methods if refusal(method, model, shape) is not None]
            if refused:
                self.emit(Notice(f"{model.label} is explained without {' and '.join(refused)}, which its head does not bear"))
            self._borne[model, shape] = tuple(method for method in self.asked.methods if method not in refused)
        return self._borne[model, shape]


def check(methods: tuple[str, ...]) -> None:
    """Raise ArchbenchError for a method that is not known, or whose library is not installed."""
    for method in methods:
        if method not in METHODS:
            raise unknown("method", method, METHODS)
        weighing.check_installed(method)


def check_count(n: int) -> None:
    """Raise ArchbenchError for more images than `shapes` has."""
    if not 1 <= n <= shapes.COUNTS["test"]:
        raise ArchbenchError(f"{n} images cannot be explained: {shapes.NAME} has {shapes.COUNTS['test']:,} test images")


def refusal(method: str, model: Model, shape: Input, layer: str | None = None) -> str | None:
    """Why a network has no such layer, or cannot bear a method that holds for some heads alone; None where it can be had.

    It is found with weights that nobody trained.
    """
    if method not in EXACT and layer is None:
        return None
    device = Device("cpu")
    with preserved_settings(), preserved_random_state(device), numerics(ExecutionPlan()):
        torch.manual_seed(0)
        network = model.build(shape).eval()
        image = shape.example(1, device.torch)
        try:
            target = Target(network, model.label, places.target(network, image, layer, model.label))
            if method in EXACT:
                METHODS[method](target, image, lambda logits: logits.argmax(1))
        except ArchbenchError as error:
            return str(error)
    return None


def test_set(settings: Settings, emit: Listener) -> Dataset:
    """The test images of a set whose objects are known. Raises ArchbenchError for any other."""
    name = settings.dataset or ""
    if not shapes.is_asked_for(name):
        raise ArchbenchError(
            f"maps are scored on images whose objects are known: --dataset {shapes.NAME} or {shapes.NAME}+link=95, or class folders with "
            f"--boxes (got {name!r})"
        )
    wanted: DataRequest = request(settings, test_only=True)
    return load(wanted, emit)


def part_of(dataset: Dataset, name: str) -> DataPart:
    """What a Record says of the images; sets of several names may hold the same."""
    return DataPart(name, dataset.fingerprint, 0, len(dataset.test), None, 1.0, 0.0, dataset.skipped)


def job_of(source: transfer.Source, part: DataPart, asked: Explaining, device: Device, rerun: bool) -> Job:
    """The Job that scores the maps of a training on a test set.

    Raises ArchbenchError where its code was changed, or its Record does not tell enough.
    """
    record, (model, shape) = source.record, explainable(source)
    plan = ExecutionPlan(precision="fp32", deterministic=record.config["execution"]["deterministic"])
    seed = record.config["seed"]
    return Job("explain", model, shape, device, plan, BATCH, seed, data=part, rerun=rerun, source=source, explaining=asked)


def explainable(source: transfer.Source) -> tuple[Model, Input]:
    """The network of a training. Raises ArchbenchError where it did not end well, its code was changed, or its Record tells too little."""
    record = source.record
    transfer.check_preparation(source)
    if record.status != "ok":
        raise ArchbenchError(f"the training {record.id} ended as {record.status}, so its weights explain nothing")
    return model_of(source)


def check_drawn(source: transfer.Source, part: DataPart) -> None:
    """Raise ArchbenchError where a training's images or classes are others than those of a set `shapes...`."""
    record, size = source.record, shapes.Shapes.parse(part.name).px
    if (source.shape.in_channels, source.shape.image_size) != (3, size):
        raise ArchbenchError(f"the network of {record.id} takes images of {source.shape.size}, and {part.name} has 3x{size}x{size}")
    if tuple(record.config.get("classes") or ()) != CLASS_NAMES:
        raise ArchbenchError(f"the network of {record.id} knows other classes than {part.name}")


def model_of(source: transfer.Source) -> tuple[Model, Input]:
    """The network of a training as the code here builds it. Raises ArchbenchError where that was changed since."""
    model, shape = catalogue.shaped(source.record.model.label, **dataclasses.asdict(source.shape))
    transfer.check_code(model, source.record)
    return model, shape

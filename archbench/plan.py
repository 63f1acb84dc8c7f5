"""From settings to Jobs: models x seeds, what is there already, how each will be executed, and about how long it will take."""

from __future__ import annotations

import copy
import dataclasses
import functools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from archbench import budget, duration, environment, models, studies
from archbench import device as devices
from archbench.choosing import Chooser
from archbench.config import MOST_RUNS, Settings, too_many
from archbench.data import DataRequest, Dataset, Shape, choice, load, request, shape_of, suggested
from archbench.data.dataset import parts
from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice
from archbench.execution import ExecutionPlan, resolve_precision
from archbench.experiments.definition import Explain
from archbench.following import Following
from archbench.job import DataPart, Job
from archbench.models import Input, Model, pretrained
from archbench.records.schema import Record
from archbench.records.store import Store, settled, with_result
from archbench.sharding import Shard
from archbench.training import recipe as recipes
from archbench.training import recipe_file, transfer
from archbench.training.recipe import Recipe

PROFILE_BATCH = 32
PADDED_SIZE, PADDED_TO = 28, 32  # sets of 28x28 get a border where a network is made for 32 or more
WORDNET_ID = re.compile(r"n\d{8}")
# settings that mean nothing where nothing is trained
NOT_TRAINED = ("epochs", "limit_train", "val_fraction", "flip", "tuned", "compile", "micro_batch", "devices", "sync_norm")


@dataclass(frozen=True)
class Plan:
    """Jobs to do, in order; Records of those that are done already; data sets by fingerprint; seconds that each job will take.

    `refused` says why some of the models cannot run at all; `following` knows the Jobs that trainings lead to, once they have ended.
    """

    jobs: tuple[Job, ...]
    done: tuple[Record, ...]
    datasets: dict[str, Dataset]
    seconds: tuple[float, ...]
    refused: tuple[str, ...] = ()
    following: Following | None = None

    def after(self, record: Record) -> tuple[list[Job], list[str]]:
        """The Jobs that a Record leads to, and lines that say why there are none where there should be."""
        return self.following.all_jobs([record]) if self.following is not None else ([], [])

    @functools.cached_property
    def to_follow(self) -> list[tuple[Job, str, float]]:
        """What the trainings will lead to: a training, the test set on which it will be explained, and about the seconds of that."""
        return self.following.expected(self.jobs) if self.following is not None else []

    @property
    def estimate_s(self) -> float:
        """About how long all of it will take."""
        return sum(self.seconds) + sum(seconds for _, _, seconds in self.to_follow)


def make(
    settings: Settings | Sequence[Settings], kinds: Collection[str], store: Store, emit: Listener, explain: Explain | None = None
) -> Plan:
    """Check every setting, load the data, choose how each model is executed. Raises ArchbenchError before any work is done.

    Several settings are the grid of one experiment: they differ in data set, recipe and fraction alone, and its Jobs come seed by seed,
    cheapest first. With `explain` each training is explained as soon as it has ended, those that are there at once.
    """
    asked = [settings] if isinstance(settings, Settings) else list(settings)
    first, device = asked[0], devices.choose(asked[0].device)
    chosen = _chosen(first, "train" in kinds, emit)
    _check(first, device, emit)
    _check_number(len(chosen) * sum(len(each.seeds) for each in asked), first)
    store.check_writable()
    environment.git_state()  # as it is now, however long the run takes
    planner = Planner(first, device, store, emit)
    jobs = {job.key: job for each in asked for job in planner.under(each).jobs(chosen, kinds)}
    if first.shard is not None:
        shard = Shard.parse(first.shard)
        emit(Notice(shard.line(list(jobs.values()))))
        jobs = {job.key: job for job in shard.of(list(jobs.values()))}
    there = store.load()[0]
    known, counts = {} if first.rerun else settled(there), with_result(there)
    open_jobs = [planner.chooser.laid_out(job.beside(counts[key])) for key, job in jobs.items() if key not in known]
    if first.experiment is not None:
        open_jobs.sort(key=lambda job: (job.seed, duration.seconds(job)))
    done = [known[key] for key in jobs if key in known]
    datasets = {dataset.fingerprint: dataset for dataset in planner.datasets.values()}
    following = Following(explain, first, device, store, emit, datasets) if explain is not None else None
    if following is not None:
        following.check(open_jobs)
        explained, missing = following.all_jobs(done)
        done += [known[job.key] for job in explained if job.key in known]
        open_jobs = [*(job for job in explained if job.key not in known), *open_jobs]
        planner.refused |= dict.fromkeys(missing)
    seconds = tuple(map(duration.seconds, open_jobs))
    return Plan(tuple(open_jobs), tuple(done), datasets, seconds, tuple(planner.refused), following)


def _check(settings: Settings, device: Device, emit: Listener) -> None:
    """Raise ArchbenchError for settings that this device, or a test of published weights, has no use for."""
    for training in (True, False):
        resolve_precision(settings.precision, device, training)
    if "cuda_graph" in settings.modes and device.kind != "cuda":
        raise ArchbenchError(f"--modes cuda_graph needs a CUDA device; {device.kind} has no CUDA graphs")
    if settings.precision == "fp16" and device.kind == "cpu":
        emit(Notice("fp16 on a CPU is emulated and takes many times as long as fp32; bf16 is the reduced precision for it"))
    for name in NOT_TRAINED:
        if settings.pretrained and getattr(settings, name) != getattr(Settings, name):
            raise ArchbenchError(f"--pretrained trains nothing, so --{name.replace('_', '-')} means nothing beside it")


def _check_number(runs: int, settings: Settings) -> None:
    if runs > MOST_RUNS and not settings.yes:
        raise too_many(runs)


def _chosen(settings: Settings, training: bool, emit: Listener) -> list[Model]:
    """The models that are asked for; a group or glob leaves out, and says so, what cannot be trained without more being said."""
    chosen = models.parse(settings.models)
    if not training or settings.pretrained:
        return chosen
    named = set(models.parse(name for name in settings.models if not models.is_several(name)))
    kept = {model: None for model in chosen if model in named or not model.spec.frozen_from or model.source}
    for model in chosen:
        if model not in kept:
            emit(Notice(f"{model.label} is left out: it needs {model.label}+source=RECORD_ID of a trained {model.spec.frozen_from}"))
    if not kept:
        raise ArchbenchError(f"--models {','.join(settings.models)} leaves nothing to train")
    return list(kept)


class Planner:
    """Makes the Jobs of one run; loads each data set once for every image size, and checks each network once for every input."""

    def __init__(self, settings: Settings, device: Device, store: Store, emit: Listener) -> None:
        self.device, self.store, self.emit = device, store, emit
        self.datasets: dict[tuple[DataRequest, int], Dataset] = {}
        self.refused: dict[str, None] = {}
        self.chooser = Chooser(settings, device, store, emit)
        self._loaded: dict[DataRequest, Dataset] = {}
        self._checked: dict[tuple[Model, Input], Model] = {}
        self._take(settings)

    def _take(self, settings: Settings) -> None:
        self.settings = settings
        self.recipe: Recipe = recipe_file.load(settings.recipe)
        self.request: DataRequest = request(settings, test_only=settings.pretrained)
        copies = choice.copies(settings, whitened=self.recipe.preprocessing == "gcn_zca")
        self.request = dataclasses.replace(self.request, batch_size=self._batch(), copies=copies)

    def under(self, settings: Settings) -> Planner:
        """The planner for other settings of the same grid; what is loaded, checked and timed is shared."""
        other = copy.copy(self)
        other._take(settings)
        return other

    def jobs(self, chosen: list[Model], kinds: Collection[str]) -> list[Job]:
        """All Jobs of these settings."""
        jobs: list[Job] = []
        if "train" in kinds:
            jobs += self.imported_jobs(chosen) if self.settings.pretrained else self.training_jobs(chosen)
        if "profile" in kinds:
            jobs += self.profile_jobs(chosen, with_data="train" in kinds or self.settings.dataset is not None)
        return jobs

    def training_jobs(self, chosen: list[Model]) -> list[Job]:
        """A training for each model and seed."""
        shaped = self._all_shaped(chosen, shape_of(self.request))
        for model, shape in shaped:
            if model.spec.frozen_from:
                transfer.source_of(model, shape, self.store)
        jobs = [self._training_job(model, shape, self.settings.seeds[0]) for model, shape in shaped]
        found = studies.with_found_values(jobs, self.settings, self.store) if self.settings.tuned else jobs
        return [job.seeded(seed) for job in found for seed in self.settings.seeds]

    def imported_jobs(self, chosen: list[Model]) -> list[Job]:
        """A test of each model's published weights, which are fetched now where that is allowed; images as the weights want them."""
        published = {model: pretrained.weights_of(model) for model in chosen}
        if self.request.source != "imagenet":
            raise ArchbenchError(f"--pretrained: the weights know the classes of imagenet, not those of {self.request.name}")
        precision = resolve_precision(self.settings.precision, self.device, training=False)
        jobs = []
        for model, weights in published.items():
            native = model.native_input.image_size
            size = self.settings.image_size or native
            wanted = dataclasses.replace(self.request, image_size=size, resize_ratio=weights.resize / native, bicubic=weights.bicubic)
            shape = Input(model.spec.num_classes, 3, size)
            model.check(shape)
            pretrained.load(model, model.build(shape), self.settings.download)
            dataset = self._imported(wanted, shape)
            choice.check_batch(dataset, self._batch())
            part = DataPart(dataset.name, dataset.fingerprint, 0, len(dataset.test), None, 1.0, 0.0, dataset.skipped)
            plan = ExecutionPlan(precision=precision, deterministic=self.settings.deterministic)
            jobs.append(Job("imported", model, shape, self.device, plan, self._batch(), data=part, rerun=self.settings.rerun))
        return jobs

    def _imported(self, wanted: DataRequest, shape: Input) -> Dataset:
        """The test images for one network's weights. Raises ArchbenchError where the folders are not ImageNet's classes."""
        place = (wanted, shape.image_size)
        if place not in self.datasets:
            self.datasets[place] = load(wanted, self.emit)
        names = self.datasets[place].class_names
        if len(names) != shape.num_classes or not all(WORDNET_ID.fullmatch(name) for name in names):
            raise ArchbenchError(f"--pretrained: the folders of {wanted.name} must be the {shape.num_classes} classes, n01440764 and so on")
        return self.datasets[place]

    def profile_jobs(self, chosen: list[Model], with_data: bool) -> list[Job]:
        """A profile for each model, on the input it is trained on, or on its own where no data set is asked for."""
        batch = self._batch() if with_data else self.settings.batch_size or PROFILE_BATCH
        jobs = []
        for model, shape in self._all_shaped(chosen, shape_of(self.request) if with_data else None):
            if model.source is not None:
                transfer.source_of(model, shape, self.store)
            precision = resolve_precision(self.settings.precision, self.device, training=False)
            plan = ExecutionPlan(precision=precision, deterministic=self.settings.deterministic)
            job = Job("profile", model, shape, self.device, plan, batch, rerun=self.settings.rerun, time=self.settings.time)
            modes = tuple(dict.fromkeys(self.settings.modes))
            batches = self.settings.batch_sizes or tuple(sorted({1, batch}))
            jobs.append(dataclasses.replace(job, batches=batches, modes=modes, launches=self.settings.launches))
        return jobs

    def _training_job(self, model: Model, shape: Input, seed: int) -> Job:
        dataset = self._dataset(shape.image_size)
        part = self._part(dataset, seed)
        config = recipes.resolve(self.recipe, model.hints, dataset.mirror_safe, self.settings)
        if config.batch_size > part.train_images:
            raise ArchbenchError(
                f"a batch of {config.batch_size} is larger than the {part.train_images} training images; --batch-size sets a smaller one"
            )
        if config.translate >= shape.image_size:
            raise ArchbenchError(f"recipe {config.name} moves images by {config.translate} pixels; they have {shape.image_size} a side")
        choice.check_batch(dataset, config.batch_size)
        if config.preprocessing == "gcn_zca" and part.crop is not None:
            raise ArchbenchError(
                f"recipe {config.name} whitens each image once, and files give another crop each time: --images-from mapped"
            )
        asked = self.settings.precision if self.settings.precision != "auto" else config.precision
        plan = self.chooser.asked(resolve_precision(asked, self.device, training=True), config.batch_size)
        return Job("train", model, shape, self.device, plan, config.batch_size, seed, config, self.recipe, part, self.settings.rerun)

    def _part(self, dataset: Dataset, seed: int) -> DataPart:
        limit, fraction, val = self.settings.limit_train, self.settings.train_fraction, self.settings.val_fraction
        taken = parts(dataset, seed, limit, fraction, val)
        counts = len(taken.train), len(taken.test)
        return DataPart(dataset.name, dataset.fingerprint, *counts, limit, fraction, val, dataset.skipped, dataset.train.crop)

    def _batch(self) -> int:
        return self.settings.batch_size or suggested(self.request)[0] or self.recipe.batch_size

    def _dataset(self, size: int) -> Dataset:
        """The data set at an image size; 28x28 sets are padded, others resized."""
        if self.request not in self._loaded:
            self._loaded[self.request] = load(self.request, self.emit)
        loaded, place = self._loaded[self.request], (self.request, size)
        if place not in self.datasets:
            native = loaded.shape.size
            pad = native == PADDED_SIZE and self.settings.image_size is None
            changed = loaded.padded if pad else loaded.resized
            self.datasets[place] = loaded if size == native else changed(size)
        return self.datasets[place]

    def _all_shaped(self, chosen: list[Model], data: Shape | None) -> list[tuple[Model, Input]]:
        """Each model with its input. One that cannot run is refused by name and the others go on; raises its ArchbenchError when alone."""
        shaped = []
        for model in chosen:
            try:
                shaped.append(self._shaped(model, data))
            except ArchbenchError as error:
                if len(chosen) == 1:
                    raise
                self.refused[str(error)] = None
        if not shaped:
            raise ArchbenchError(f"none of the models can run; {next(iter(self.refused))}")
        return shaped

    def _shaped(self, model: Model, data: Shape | None) -> tuple[Model, Input]:
        """The model, scaled where it is to equal a count, and its input: its own, or a data set's, whose 28 pixels are padded."""
        shape = model.native_input
        if data is not None:
            padded = min(max(data.size, shape.image_size), PADDED_TO) if data.size == PADDED_SIZE else data.size
            shape = Input(data.num_classes, data.channels, padded)
        if self.settings.image_size is not None:
            shape = dataclasses.replace(shape, image_size=self.settings.image_size)
        if (model, shape) not in self._checked:
            model.check(shape)
            self._checked[model, shape] = budget.settled(model, shape)
        return self._checked[model, shape], shape

"""From settings to Jobs: models x seeds, what is there already, how each will be executed, and about how long it will take."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from archbench import device as devices
from archbench import environment, models
from archbench.config import Settings
from archbench.data import DataRequest, Dataset, Shape, load, request, shape_of, suggested
from archbench.data.dataset import parts
from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice
from archbench.execution import (
    ExecutionPlan,
    can_retain_memory,
    choose_layout,
    missing_compiler,
    numerics,
    preserved_random_state,
    resolve_precision,
    retained_memory,
)
from archbench.job import DataPart, Job
from archbench.models import Input, Model
from archbench.records.schema import Record
from archbench.records.store import Store, settled
from archbench.training import checkpoint
from archbench.training import recipe as recipes
from archbench.training.recipe import Recipe

PROFILE_S = 15.0  # what a profile takes on two cores, seen; only for the estimate
EVALUATION_SHARE = 1 / 3  # a forward pass beside a whole training step
PROFILE_BATCH = 32
PADDED_SIZE = 28


@dataclass(frozen=True)
class Plan:
    """Jobs to do, in order; Records of those that are done already; data sets by image size; seconds that the jobs will take."""

    jobs: tuple[Job, ...]
    done: tuple[Record, ...]
    datasets: dict[int, Dataset]
    estimate_s: float


def make(settings: Settings, kinds: Iterable[str], store: Store, emit: Listener) -> Plan:
    """Check every setting, load the data, choose how each model is executed. Raises ArchbenchError before any work is done."""
    chosen, device = models.parse(settings.models), devices.choose(settings.device)
    for training in (True, False):
        resolve_precision(settings.precision, device, training)
    if settings.precision == "fp16" and device.kind == "cpu":
        emit(Notice("fp16 on a CPU is emulated and takes many times as long as fp32; bf16 is the reduced precision for it"))
    store.check_writable()
    environment.git_state()  # as it is now, however long the run takes
    planner = Planner(settings, device, emit)
    jobs: list[Job] = []
    if "train" in kinds:
        jobs += planner.training_jobs(chosen)
    if "profile" in kinds:
        jobs += planner.profile_jobs(chosen, with_data="train" in kinds or settings.dataset is not None)
    known = {} if settings.rerun else settled(store.load()[0])
    open_jobs = [planner.laid_out(job, store) for job in jobs if job.key not in known]
    done = tuple(known[job.key] for job in jobs if job.key in known)
    return Plan(tuple(open_jobs), done, planner.datasets, sum(map(planner.seconds, open_jobs)))


class Planner:
    """Makes the Jobs of one run; loads each data set once for every image size."""

    def __init__(self, settings: Settings, device: Device, emit: Listener) -> None:
        self.settings, self.device, self.emit = settings, device, emit
        self.request: DataRequest = request(settings)
        self.recipe: Recipe = recipes.load(settings.recipe)
        self.datasets: dict[int, Dataset] = {}
        self._loaded: Dataset | None = None
        self._chosen: dict[Model, ExecutionPlan] = {}

    def training_jobs(self, chosen: list[Model]) -> list[Job]:
        """A training for each model and seed."""
        shapes = {model: self._shape(model, shape_of(self.request)) for model in chosen}
        return [self._training_job(model, shapes[model], seed) for model in chosen for seed in self.settings.seeds]

    def profile_jobs(self, chosen: list[Model], with_data: bool) -> list[Job]:
        """A profile for each model, on the input it is trained on, or on its own where no data set is asked for."""
        batch = self._batch() if with_data else self.settings.batch_size or PROFILE_BATCH
        jobs = []
        for model in chosen:
            shape = self._shape(model, shape_of(self.request)) if with_data else self._own_shape(model)
            precision = resolve_precision(self.settings.precision, self.device, training=False)
            plan = ExecutionPlan(precision=precision, deterministic=self.settings.deterministic)
            jobs.append(Job("profile", model, shape, self.device, plan, batch, rerun=self.settings.rerun))
        return jobs

    def laid_out(self, job: Job, store: Store) -> Job:
        """The job with the memory layout that is fastest for its model; a resumed one keeps its own, profiles the plain one."""
        if job.kind == "profile":
            return job
        kept = None if job.rerun else checkpoint.plan_of(store.checkpoint_path(job.key), job.key)
        return dataclasses.replace(job, plan=ExecutionPlan(**kept) if kept else self._timed(job))

    def _timed(self, job: Job) -> ExecutionPlan:
        """The plan with its layout chosen, each model once. A model that cannot take a step keeps its plan, and its job will say why."""
        if job.model not in self._chosen:
            self.emit(Notice(f"timing a few training steps of {job.model.label}"))
            try:
                with preserved_random_state(self.device), numerics(job.plan), retained_memory(job.plan):
                    network = job.model.build(job.shape)
                    self._chosen[job.model] = choose_layout(network, job.shape.example(job.batch), self.device, job.plan)
            except Exception as error:  # it becomes a Record when the job meets it again
                self.emit(Notice(f"{job.model.label} cannot take a training step: {' '.join(str(error).split())[:200]}"))
                self._chosen[job.model] = job.plan
            self.device.release_memory()
        return self._chosen[job.model]

    def seconds(self, job: Job) -> float:
        """About how long a job takes, from the steps that were timed."""
        if job.kind == "profile":
            return PROFILE_S
        assert job.training is not None and job.data is not None
        step_s = job.plan.step_s.get(job.plan.memory_format, 0.0)
        steps = job.data.train_images // job.batch * job.training.epochs
        evaluated = job.data.test_images + min(job.data.test_images, job.data.train_images)
        return step_s * (steps + EVALUATION_SHARE * evaluated / job.batch)

    def _training_job(self, model: Model, shape: Input, seed: int) -> Job:
        dataset = self._dataset(shape.image_size)
        part = self._part(dataset, seed)
        config = recipes.resolve(self.recipe, model.hints, dataset.mirror_safe, self.settings)
        if config.batch_size > part.train_images:
            raise ArchbenchError(
                f"a batch of {config.batch_size} is larger than the {part.train_images} training images; --batch-size sets a smaller one"
            )
        plan = self._execution(resolve_precision(self.settings.precision, self.device, training=True))
        return Job("train", model, shape, self.device, plan, config.batch_size, seed, config, self.recipe, part, self.settings.rerun)

    def _part(self, dataset: Dataset, seed: int) -> DataPart:
        limit, fraction, val = self.settings.limit_train, self.settings.train_fraction, self.settings.val_fraction
        taken = parts(dataset, seed, limit, fraction, val)
        return DataPart(dataset.name, dataset.fingerprint, len(taken.train), len(taken.test), limit, fraction, val, dataset.skipped)

    def _execution(self, precision: str) -> ExecutionPlan:
        compiled = self.settings.compile
        if compiled and (reason := missing_compiler(self.device)) is not None:
            self.emit(Notice(f"--compile: {reason}; running without compilation"))
            compiled = False
        return ExecutionPlan(
            precision=precision,
            compiled=compiled,
            deterministic=self.settings.deterministic,
            retain_memory=can_retain_memory(self.device),
        )

    def _batch(self) -> int:
        return self.settings.batch_size or suggested(self.request)[0] or self.recipe.batch_size

    def _dataset(self, size: int) -> Dataset:
        """The data set at an image size; 28x28 sets are padded, others resized."""
        if self._loaded is None:
            self._loaded = load(self.request, self.emit)
        if size not in self.datasets:
            native = self._loaded.shape.size
            pad = native == PADDED_SIZE and self.settings.image_size is None
            changed = self._loaded.padded if pad else self._loaded.resized
            self.datasets[size] = self._loaded if size == native else changed(size)
        return self.datasets[size]

    def _shape(self, model: Model, data: Shape) -> Input:
        """The input a model gets from a data set: its own size, 28 padded to the model's, or the one that is asked for."""
        native = model.native_input.image_size
        padded = max(data.size, native) if data.size == PADDED_SIZE else data.size
        shape = Input(data.num_classes, data.channels, self.settings.image_size or padded)
        model.check(shape)
        return shape

    def _own_shape(self, model: Model) -> Input:
        native = model.native_input
        shape = Input(native.num_classes, native.in_channels, self.settings.image_size or native.image_size)
        model.check(shape)
        return shape

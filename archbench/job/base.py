"""What a Job is, and what makes two of them the same."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from archbench import environment
from archbench.device import Device
from archbench.execution import ExecutionPlan
from archbench.models import Input, Model
from archbench.records.schema import ModelSnapshot, hash_of_plain, plain
from archbench.training.recipe import MUON_INPUTS, Recipe, TrainingConfig
from archbench.training.transfer import Source

PROTOCOL = 1
PROFILE_PROTOCOL = 2  # a process per model
EXPLAIN_PROTOCOL = 2  # maps are laid where their places look
KEY_LENGTH = 16
OF_ALL_SEEDS = ("snapshot", "identity", "group")  # what is worked out once for jobs that differ in the seed alone


@dataclass(frozen=True)
class DataPart:
    """Which part of which data set a training sees, in figures that go into its key and its Record.

    `crop` is what a training sees of each image where files are decoded anew in each epoch; else the images are the same each time.
    """

    name: str
    fingerprint: str
    train_images: int
    test_images: int
    limit_train: int | None
    train_fraction: float
    val_fraction: float
    skipped: int
    crop: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """All that is said of it; nothing of a crop where there is none, so that keys stay what they were."""
        facts = dataclasses.asdict(self)
        return {name: value for name, value in facts.items() if name != "crop" or value is not None}


class Told(Protocol):
    """What is known of the images that are explained (explaining/known.py)."""

    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class Explaining:
    """How a trained network is explained: the method, on how many test images, and the layer, where one is asked for.

    `boxes` is the name of what tells the objects, where these are not drawn, and `known` what it tells.
    """

    method: str
    n: int
    layer: str | None = None
    boxes: str | None = None
    known: Told | None = field(default=None, repr=False, compare=False)

    @property
    def identity(self) -> list[Any]:
        """All that decides what comes out."""
        return [self.method, self.n, self.layer, *([self.known.sha256] if self.known is not None else [])]


@dataclass(frozen=True)
class Job:
    """What to do to which model on what. `batch` is that of training steps and of the throughput of a profile.

    `recipe` is what `training` was resolved from; snapshot, group and key are fixed when they are first read, so that an edit of the
    source during a long run does not change them.
    """

    kind: str
    model: Model
    shape: Input
    device: Device
    plan: ExecutionPlan
    batch: int
    seed: int = 0
    training: TrainingConfig | None = None
    recipe: Recipe | None = None
    data: DataPart | None = None
    rerun: bool = False
    records: int = 0  # with a result that its key had when it was planned
    made: int = 0  # steps of a training that its checkpoint held then
    tuned: dict[str, Any] | None = None  # a training's: the search that found its rate and decay
    time: bool = False  # a profile's: by operator class too
    batches: tuple[int, ...] = ()  # a profile's: batch sizes of its latency
    modes: tuple[str, ...] = ("eager",)  # a profile's: how the forward pass is executed
    launches: int = 5  # a profile's: processes that time it one after the other
    engine: str = "local"  # what carries it out
    source: Source | None = None  # an evaluated or explained one's: the training whose weights are tested
    explaining: Explaining | None = None  # an explained one's

    def seeded(self, seed: int) -> Job:
        """The same under another seed; what makes it the same is worked out once."""
        return self._like(OF_ALL_SEEDS, seed=seed)

    def executed(self, plan: ExecutionPlan, made: int = 0) -> Job:
        """The same, executed as a plan says that was found by measuring, behind so many steps; its key stays."""
        return self._like((*OF_ALL_SEEDS, "key"), plan=plan, made=made)

    def beside(self, records: int) -> Job:
        """The same, planned when so many Records with a result had its key."""
        return self._like((*OF_ALL_SEEDS, "key"), records=records)

    def _like(self, shared: tuple[str, ...], **changes: Any) -> Job:
        other = dataclasses.replace(self, **changes)
        vars(other).update({name: getattr(self, name) for name in shared})  # as cached_property would
        return other

    @property
    def label(self) -> str:
        """How the job is called while it runs."""
        what = {"train": f"seed {self.seed}", "profile": "profile", "imported": "published weights"}
        if self.source is not None and self.data is not None:
            what["evaluated"] = f"weights of {self.source.record.id} on {self.data.name}"
            if self.explaining is not None:
                what["explain"] = f"{self.explaining.method} of {self.source.record.id} on {self.data.name}"
        return f"{self.model.label} · {what[self.kind]}"

    @property
    def steps(self) -> int:
        """Steps of a training."""
        assert self.training is not None
        return self.steps_per_epoch * self.training.epochs

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of a training."""
        assert self.data is not None
        return self.data.train_images // self.batch

    @property
    def parts(self) -> int:
        """How often a training step goes through the network, one after the other, as do processes that share a CPU's cores."""
        parts = math.ceil(self.batch / (self.plan.micro_batch or self.batch))
        return math.ceil(parts / self.plan.devices) if self.device.kind == "cuda" else parts

    @functools.cached_property
    def snapshot(self) -> ModelSnapshot:
        """What the Record keeps of the network."""
        return self.model.snapshot(self.shape)

    @functools.cached_property
    def group(self) -> str:
        """What runs that differ in the seed alone have in common."""
        return hash_of_plain(self.identity)[:KEY_LENGTH]

    @functools.cached_property
    def key(self) -> str:
        """What makes two runs the same run."""
        source = {"record": self.source.record.id} if self.source else {}
        return hash_of_plain({**self.identity, "seed": self.seed, **source})[:KEY_LENGTH]

    @property
    def weights(self) -> dict[str, Any] | None:
        """Whose weights an imported, evaluated or explained job reads, and all that becomes of published ones and of their images."""
        if self.source is not None:
            return {"record": self.source.record.id, "sha256": self.source.file.sha256}
        published = self.model.spec.weights if self.kind == "imported" else None
        return dataclasses.asdict(published) if published else None

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """All that makes two runs the same but for the seed, as JSON gives it back."""
        identity: dict[str, Any] = plain(self._identity())
        return identity

    def _identity(self) -> dict[str, Any]:
        snapshot = self.snapshot
        identity: dict[str, Any] = {
            "protocol": PROTOCOL,
            "kind": self.kind,
            "model": [snapshot.name, snapshot.knobs, snapshot.source_sha256],
            "input": dataclasses.asdict(self.shape),
            "batch": self.batch,
            **self.plan.asked(self.batch),
            "device": self.device.kind,
        }
        if self.training is not None and self.data is not None:
            said_since = {"muon_inputs"} if self.training.muon_inputs == MUON_INPUTS else set()  # so that keys stay what they were
            training = self.training.model_dump(exclude={"hints", *said_since})
            if self.tuned is not None:  # more trials are another run, even where they found the same
                identity["tuned"] = [self.tuned["study"], self.tuned["trials"]]
            return {**identity, "training": training, "data": self.data.facts}
        if self.data is not None:
            weights = {"group": self.source.record.group} if self.source else self.weights
            explained = {"explain": [EXPLAIN_PROTOCOL, *self.explaining.identity]} if self.explaining else {}
            return {**identity, "weights": weights, "data": self.data.facts, **explained}
        return {
            **identity,
            "device_name": self.device.name,
            "threads": torch.get_num_threads(),
            "libraries": environment.library_versions(),
            "profile": [PROFILE_PROTOCOL, self.time, self.batches, self.modes, self.launches],
        }

    def config(self) -> dict[str, Any]:
        """Everything resolved, as the Record keeps it."""
        return {
            "protocol": PROTOCOL,
            "seed": self.seed,
            "batch": self.batch,
            "batches": self.batches,
            "modes": self.modes,
            "launches": self.launches,
            "execution": self.plan.model_dump(),
            "recipe": self.recipe.model_dump() if self.recipe else None,
            "training": self.training.model_dump() if self.training else None,
            "tuned": self.tuned,
            "data": self.data.facts if self.data else None,
            "weights": self.weights,
        }

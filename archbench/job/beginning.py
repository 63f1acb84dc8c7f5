"""A training that can begin: all that is the same for a process that trains alone and for those that train one network together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import nn

from archbench.data import Dataset, Images, preprocessing
from archbench.data.dataset import parts, stratified
from archbench.data.preprocessing import Preprocessing
from archbench.execution import LAYOUTS, ExecutionPlan
from archbench.job.base import Job
from archbench.records.store import Store
from archbench.training import checkpoint, initial, transfer
from archbench.training.loop import Task
from archbench.training.ranks import Ranks

WHITENED_ON = 2000  # training images whose patches start the first layer


@dataclass(frozen=True)
class Beginning:
    """The network on its device, its task, how images are prepared, the images of the test, the checkpoint that it goes on from."""

    model: nn.Module
    task: Task
    prepare: Preprocessing
    test: Images
    start: checkpoint.Checkpoint | None

    @classmethod
    def of(cls, job: Job, dataset: Dataset, store: Store, ranks: Ranks) -> Self:
        """That of a Job; only the first of several processes looks at the validation part."""
        assert job.training is not None and job.data is not None
        start = checkpoint.left(store.checkpoint_path(job.key), job.key, job.rerun, job.records)
        plan = ExecutionPlan(**start.plan).on(job.plan) if start else job.plan
        seen = parts(dataset, job.seed, job.data.limit_train, job.data.train_fraction, job.data.val_fraction)
        train_split, device = seen.train.to(job.device.torch), job.device
        validation = seen.validation.to(device.torch) if seen.validation and ranks.leads else None
        if plan.compiled:
            torch.compiler.reset()  # graphs of earlier models count towards a limit beyond which this one would run eager
        network = initial.build(job.model, job.shape, job.training, job.seed)
        if job.model.source is not None:
            transfer.take(network, transfer.source_of(job.model, job.shape, store), store)
        model, config = plan.place(network, device), job.training
        prepare = preprocessing.fitted(config.preprocessing, train_split)
        train_split, validation = prepare.once(train_split), prepare.once(validation) if validation else None
        if config.whiten_first_layer and start is None:
            initial.whiten(model, prepare(same_size(train_split, WHITENED_ON).loaded().images, LAYOUTS[plan.memory_format]))
        task = Task(job.label, job.key, config, plan, device, job.seed, train_split, validation, ranks)
        return cls(model, task, prepare, seen.test, start)

    @property
    def step(self) -> int:
        """How many steps were made before."""
        return self.start.steps(self.task.steps_per_epoch) if self.start else 0


def same_size(split: Images, n: int) -> Images:
    """At most `n` images of the training split, the same share of each class."""
    if len(split) <= n:
        return split
    return split.take(stratified(split.labels.cpu(), n, seed=0).to(split.labels.device))

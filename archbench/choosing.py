"""How each training is executed: what the settings say, and for the rest what a few measured steps show."""

from __future__ import annotations

import time
from collections.abc import Hashable

import torch
from torch import nn

from archbench.config import Settings
from archbench.device import Device, is_out_of_memory
from archbench.errors import ArchbenchError, brief
from archbench.events import Listener, Notice
from archbench.execution import (
    ExecutionPlan,
    can_retain_memory,
    choose_compilation,
    choose_layout,
    missing_compiler,
    numerics,
    preserved_random_state,
    retained_memory,
)
from archbench.job import Job
from archbench.models.isolation import preserved_settings
from archbench.records.store import Store
from archbench.training import checkpoint, optimizers


class Chooser:
    """Chooses the execution of the trainings of one run, once for trainings of one model whose steps are alike."""

    def __init__(self, settings: Settings, device: Device, store: Store, emit: Listener) -> None:
        self.settings, self.device, self.store, self.emit = settings, device, store, emit
        self._chosen: dict[Hashable, ExecutionPlan] = {}
        self._updates: dict[Hashable, float | None] = {}

    def asked(self, precision: str, batch: int) -> ExecutionPlan:
        """What the settings say of a training in this precision and batch. Raises ArchbenchError for parts that the batch does not have."""
        compiled, deterministic = self.settings.compile, self.settings.deterministic
        if compiled == "auto" and deterministic:
            self.emit(Notice("--compile auto chooses by time, which --deterministic rules out; running without compilation"))
            compiled = "no"
        if compiled != "no" and (reason := missing_compiler(self.device)) is not None:
            self.emit(Notice(f"--compile: {reason}; running without compilation"))
            compiled = "no"
        size = self._part(batch)
        return ExecutionPlan(
            precision=precision,
            compiled=compiled == "yes",
            compile_auto=compiled == "auto",
            deterministic=deterministic,
            retain_memory=self.settings.memory_limit is None and can_retain_memory(self.device),
            micro_batch=size if size < batch else None,
            micro_batch_auto=self.settings.micro_batch == "auto",
            devices=self.settings.devices,
            norm_over_devices=self.settings.sync_norm,
        )

    def _part(self, batch: int) -> int:
        """How many images of a batch go through the network at once, on one device."""
        asked, devices = self.settings.micro_batch, self.settings.devices
        if self.settings.sync_norm and (devices == 1 or self.device.kind != "cuda"):
            raise ArchbenchError("--sync-norm joins the batch norms of several GPUs: it needs --devices 2 or more, and CUDA")
        if devices > 1 and asked == "auto":
            raise ArchbenchError("--micro-batch auto finds its size on one device; with --devices name a number")
        if batch % devices:
            raise ArchbenchError(
                f"--devices {devices} cannot share a batch of {batch} out equally; --batch-size {max(batch - batch % devices, devices)} can"
            )
        share = batch // devices
        size = int(asked) if asked not in (None, "auto") else share
        if size > share:
            raise ArchbenchError(f"--micro-batch {size} is larger than the {'batch' if devices == 1 else 'part of each device'} of {share}")
        if devices > 1 and share % size:
            raise ArchbenchError(f"--micro-batch {size} does not divide the {share} images of each device")
        return size

    def laid_out(self, job: Job) -> Job:
        """The job with the memory layout that is fastest for its model; a resumed one keeps its own, only trainings need one."""
        if job.kind != "train":
            return job
        start = checkpoint.readable(self.store.checkpoint_path(job.key), job.key, job.rerun, job.records)
        if start is None:
            plan = self._timed(job)
            return job.executed(plan.model_copy(update={"update_s": self._update_s(job)}) if plan.step_s else plan)
        return job.executed(ExecutionPlan(**start.plan).on(job.plan), start.steps(job.steps_per_epoch))

    def _timed(self, job: Job) -> ExecutionPlan:
        """The plan with its layout chosen. A model that cannot take a step keeps its plan, and its job will say why."""
        steps = job.steps if job.plan.compile_auto else 0  # whether compiling pays is told by the length of the run
        step = (job.model, job.shape, job.batch, job.plan.precision, steps)
        if step not in self._chosen:
            self.emit(Notice(f"timing a few training steps of {job.model.label}"))
            try:
                with preserved_settings(), preserved_random_state(self.device), numerics(job.plan), retained_memory(job.plan):
                    self._chosen[step] = self._measured(job)
            except Exception as error:  # it becomes a Record when the job meets it again
                self.emit(Notice(f"{job.model.label} cannot take a training step: {brief(error)}"))
                self._chosen[step] = job.plan
            self.device.release_memory()
        return self._chosen[step]

    def _update_s(self, job: Job) -> float | None:
        """Seconds of a step of the recipe's optimizer, many where Muon meets large matrices: of two, as the first makes its state.

        None for SGD, which is in the steps that are timed.
        """
        assert job.training is not None
        if job.training.optimizer == "sgd":
            return None
        update = (job.model, job.shape, job.training.optimizer, repr(job.training.optimizer_options))
        if update not in self._updates:
            try:
                with preserved_settings(), preserved_random_state(self.device):
                    network = job.model.build(job.shape).to(self.device.torch)
                optimizer = optimizers.make(network, job.training)
                for parameter in network.parameters():
                    parameter.grad = torch.zeros_like(parameter)
                self._updates[update] = min(self.device.time(optimizer.step) for _ in range(2))
            except Exception as error:  # it becomes a Record when the job meets it again
                self.emit(Notice(f"{job.model.label} cannot take a step of the recipe's optimizer: {brief(error)}"))
                self._updates[update] = None
            self.device.release_memory()
        return self._updates[update]

    def _laid_out(self, network: nn.Module, job: Job) -> tuple[torch.Tensor, ExecutionPlan]:
        """The images that went through at once, and the plan in the memory layout that was fastest; parts are halved where they may be."""
        plan, size = job.plan, job.plan.micro_batch or job.batch
        while True:
            images = job.shape.example(size)
            try:
                return images, choose_layout(network, images, self.device, plan)
            except Exception as error:
                if not (plan.micro_batch_auto and is_out_of_memory(error) and size > 1):
                    raise
            size //= 2
            plan = plan.model_copy(update={"micro_batch": size})
            self.device.release_memory()
            self.emit(Notice(f"out of memory: {job.model.label} is timed, and begins, with parts of {size} images"))

    def _measured(self, job: Job) -> ExecutionPlan:
        """The plan in the memory layout, and compiled or not, that a few steps showed to be fastest for its model."""
        assert job.training is not None and job.data is not None
        network = job.model.build(job.shape)
        images, plan = self._laid_out(network, job)
        if not plan.compile_auto:
            return plan
        parts, begun = job.executed(plan).parts, time.perf_counter()
        try:
            return choose_compilation(network, images, self.device, plan, parts * job.steps)
        except Exception as error:  # the compiler's own failure, of any kind; the model runs without it
            self.emit(Notice(f"--compile auto: {job.model.label} cannot be compiled ({brief(error)}); running without"))
            return plan.model_copy(update={"compile_s": time.perf_counter() - begun})

"""The training loop, to be read from top to bottom.

Images lie on the device as bytes; each batch is gathered, moved and mirrored there, in one process. The seed and the epoch fix data
order, augmentation and dropout, so every model of a seed sees the same batches, and a resumed run the ones it would have seen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from archbench.data import Split
from archbench.data.augment import Normaliser, translate_and_flip
from archbench.device import Device
from archbench.events import Epoch, Listener, Step
from archbench.execution import LAYOUTS, ExecutionPlan, training_loss
from archbench.training import seeds
from archbench.training.checkpoint import Checkpoint
from archbench.training.evaluate import predict
from archbench.training.recipe import TrainingConfig

REPORT_EVERY_S = 0.5


@dataclass(frozen=True)
class Task:
    """One training: what learns what, how, and where. `label` names it in events, `key` in checkpoints."""

    label: str
    key: str
    config: TrainingConfig
    plan: ExecutionPlan
    device: Device
    seed: int
    train: Split
    validation: Split | None

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches only: the shapes of a compiled step stay fixed."""
        return len(self.train) // self.config.batch_size

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.steps_per_epoch * self.config.epochs


@dataclass
class Fit:
    """What a training leaves: curves with a value an epoch, whether the loss stopped being finite, and where it began."""

    curves: dict[str, list[float]] = field(default_factory=dict)
    diverged: bool = False
    resumed_from_step: int = 0

    def add(self, **values: float) -> None:
        """Append a value to each curve."""
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)


def learning_rate(step: int, steps: int, config: TrainingConfig) -> float:
    """The rate at a step: a line up to the peak over the warm-up, then down to zero at the last step."""
    warmup = config.warmup_fraction * steps
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(steps - warmup, 1)
    return config.lr * (1 - progress if config.decay == "linear" else (1 + math.cos(math.pi * progress)) / 2)


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.SGD:
    """SGD that decays weights and leaves biases and norms alone."""
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov and config.momentum > 0)


def batches(task: Task, epoch: int, normalise: Normaliser) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The augmented batches of an epoch, in the order that the seed draws."""
    generator = torch.Generator().manual_seed(seeds.derive(task.seed, "order", epoch))
    order = torch.randperm(len(task.train), generator=generator).to(task.device.torch)
    size = task.config.batch_size
    for step in range(task.steps_per_epoch):
        batch = task.train.take(order[step * size : (step + 1) * size])
        images = translate_and_flip(batch.images, task.config.translate, task.config.flip, generator)
        yield normalise(images, LAYOUTS[task.plan.memory_format]), batch.labels


def fit(
    model: nn.Module,
    task: Task,
    normalise: Normaliser,
    emit: Listener,
    start: Checkpoint | None,
    keep: Callable[[Checkpoint], None],
) -> Fit:
    """Train `model` in place. Goes on from `start`, hands a checkpoint to `keep` after each epoch."""
    optimizer, result = make_optimizer(model, task.config), Fit()
    first_epoch = 0
    if start is not None:
        model.load_state_dict(start.model)
        optimizer.load_state_dict(start.optimizer)
        first_epoch, result.curves = start.epoch, start.curves
        result.resumed_from_step = first_epoch * task.steps_per_epoch
    forward = torch.compile(model, dynamic=False) if task.plan.compiled else model
    stepper = Stepper(model, forward, optimizer, task, emit)
    if start is not None:
        stepper.scaler.load_state_dict(start.scaler)
    for epoch in range(first_epoch, task.config.epochs):
        loss, seconds, steps = stepper.epoch(epoch, normalise)
        images_per_s = steps * task.config.batch_size / seconds
        result.add(loss=loss, epoch_s=seconds, images_per_s=images_per_s, lr=optimizer.param_groups[0]["lr"])
        if not math.isfinite(loss):
            result.diverged = True
            return result
        error = None
        if task.validation is not None:
            error = predict(model, task.validation, normalise, task.plan, task.device, task.config.batch_size).error_pct.value
            result.add(val_error_pct=error)
        emit(Epoch(task.label, epoch + 1, task.config.epochs, loss, images_per_s, error))
        state = (model.state_dict(), optimizer.state_dict(), result.curves, task.plan.model_dump(), stepper.scaler.state_dict())
        keep(Checkpoint(task.key, epoch + 1, *state))
    return result


class Stepper:
    """Takes the steps of a training and reports them at most every half second."""

    def __init__(
        self, model: nn.Module, forward: Callable[..., torch.Tensor], optimizer: torch.optim.SGD, task: Task, emit: Listener
    ) -> None:
        self.model, self.forward, self.optimizer, self.task, self.emit = model, forward, optimizer, task, emit
        self.scaler = torch.amp.GradScaler(task.device.kind, enabled=task.plan.precision == "fp16")

    def epoch(self, epoch: int, normalise: Normaliser) -> tuple[float, float, int]:
        """Mean loss of an epoch, its seconds and its steps; ends early, with a loss that is not finite, when one is seen."""
        task = self.task
        torch.manual_seed(seeds.derive(task.seed, "dropout", epoch))
        self.model.train()
        total = torch.zeros((), device=task.device.torch)
        begun = reported = time.perf_counter()
        for step, (images, labels) in enumerate(batches(task, epoch, normalise), start=1):
            total += self.step(images, labels, epoch * task.steps_per_epoch + step - 1)
            now = time.perf_counter()
            if now - reported >= REPORT_EVERY_S or step == task.steps_per_epoch:
                mean, reported = total.item() / step, now
                rate = step * task.config.batch_size / (time.perf_counter() - begun)
                self.emit(Step(task.label, epoch * task.steps_per_epoch + step, mean, rate))
                if not math.isfinite(mean):
                    break
        task.device.synchronise()
        return total.item() / step, time.perf_counter() - begun, step

    def step(self, images: torch.Tensor, labels: torch.Tensor, step: int) -> torch.Tensor:
        """One update; the loss stays on the device."""
        task, config = self.task, self.task.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, task.steps, config)
        self.optimizer.zero_grad()
        with task.plan.autocast(task.device):
            output = self.forward(images)
        loss = training_loss(self.model, output, labels, config.label_smoothing)
        self.scaler.scale(loss).backward()
        if config.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

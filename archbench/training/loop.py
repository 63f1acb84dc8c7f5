"""The training loop, to be read from top to bottom.

Images lie on the device as bytes; each batch is gathered, moved and mirrored there, in one process. The seed and the epoch fix data
order, augmentation and dropout, so every model of a seed sees the same batches, and a resumed run the ones it would have seen.
A checkpoint is kept at the end of each epoch, between two steps about every half minute, and when the process is asked to end.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from archbench.data import Split
from archbench.data.augment import Normaliser, translate_and_flip
from archbench.device import Device
from archbench.errors import Terminated
from archbench.events import Epoch, Listener, Memory, Step
from archbench.execution import LAYOUTS, ExecutionPlan, training_loss
from archbench.training import seeds
from archbench.training.checkpoint import Checkpoint, Position
from archbench.training.evaluate import predict
from archbench.training.recipe import TrainingConfig

REPORT_EVERY_S, KEEP_EVERY_S = 0.5, 30.0
KEEPING_SHARE = 0.01  # of the time at most goes into checkpoints between two epochs


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


class Batches:
    """The augmented batches of an epoch, in the order that the seed draws; `draws` is where the generator stands."""

    def __init__(self, task: Task, epoch: int, normalise: Normaliser) -> None:
        self.task, self.normalise = task, normalise
        self.draws = torch.Generator().manual_seed(seeds.derive(task.seed, "order", epoch))
        self.order = torch.randperm(len(task.train), generator=self.draws).to(task.device.torch)

    def after(self, step: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Images and labels of each step that is left after so many."""
        config, size = self.task.config, self.task.config.batch_size
        for number in range(step, self.task.steps_per_epoch):
            batch = self.task.train.take(self.order[number * size : (number + 1) * size])
            images = translate_and_flip(batch.images, config.translate, config.flip, self.draws)
            yield self.normalise(images, LAYOUTS[self.task.plan.memory_format]), batch.labels


def fit(
    model: nn.Module,
    task: Task,
    normalise: Normaliser,
    emit: Listener,
    start: Checkpoint | None,
    keep: Callable[[Checkpoint], None],
) -> Fit:
    """Train `model` in place. Goes on from `start`, hands a checkpoint to `keep` after each epoch and now and then between."""
    optimizer, result = make_optimizer(model, task.config), Fit()
    first_epoch, position = 0, None
    if start is not None:
        model.load_state_dict(start.model)
        optimizer.load_state_dict(start.optimizer)
        first_epoch, position, result.curves = start.epoch, start.position, start.curves
        result.resumed_from_step = first_epoch * task.steps_per_epoch + (position.step if position else 0)
    forward = torch.compile(model, dynamic=False) if task.plan.compiled else model
    stepper = Stepper(model, forward, optimizer, task, emit)
    if start is not None:
        stepper.scaler.load_state_dict(start.scaler)

    def keep_at(epoch: int, position: Position | None) -> None:
        state = (model.state_dict(), optimizer.state_dict(), result.curves, task.plan.model_dump(), stepper.scaler.state_dict())
        keep(Checkpoint(task.key, epoch, *state, position))

    for epoch in range(first_epoch, task.config.epochs):
        loss, seconds, steps = stepper.epoch(epoch, normalise, position, functools.partial(keep_at, epoch))
        position = None
        images_per_s = steps * task.config.batch_size / seconds
        result.add(loss=loss, epoch_s=seconds, images_per_s=images_per_s, lr=optimizer.param_groups[0]["lr"])
        if not math.isfinite(loss):
            result.diverged = True
            return result
        error = None
        if task.validation is not None:
            error = predict(model, task.validation, normalise, task.plan, task.device, task.config.batch_size).error_pct.value
            result.add(val_error_pct=error)
        keep_at(epoch + 1, None)
        emit(Epoch(task.label, epoch + 1, task.config.epochs, loss, images_per_s, error))
    return result


class Pace:
    """When to keep a checkpoint between two epochs: every half minute, and so that it takes at most a hundredth of the time."""

    def __init__(self) -> None:
        self.kept, self.took = time.perf_counter(), 0.0

    def keep(self, keep: Callable[[], None]) -> float:
        """Keep one if it is time; the seconds that it took."""
        now = time.perf_counter()
        if now - self.kept < max(KEEP_EVERY_S, self.took / KEEPING_SHARE):
            return 0.0
        keep()
        self.kept = time.perf_counter()
        self.took = self.kept - now
        return self.took


class Stepper:
    """Takes the steps of a training and reports them at most every half second."""

    def __init__(
        self, model: nn.Module, forward: Callable[..., torch.Tensor], optimizer: torch.optim.SGD, task: Task, emit: Listener
    ) -> None:
        self.model, self.forward, self.optimizer, self.task, self.emit = model, forward, optimizer, task, emit
        self.scaler = torch.amp.GradScaler(task.device.kind, enabled=task.plan.precision == "fp16")

    def epoch(
        self, epoch: int, normalise: Normaliser, start: Position | None, keep: Callable[[Position], None]
    ) -> tuple[float, float, int]:
        """Mean loss of an epoch, its seconds and its steps; ends early, with a loss that is not finite, when one is seen.

        Goes on from `start`; hands its position to `keep` every half minute, less often where that takes long, and when it must end.
        """
        task, done = self.task, start.step if start else 0
        torch.manual_seed(seeds.derive(task.seed, "dropout", epoch))
        batches = Batches(task, epoch, normalise)
        if start is not None:
            self._go_on(batches, start)
        self.model.train()
        total = torch.full((), start.loss if start else 0.0, device=task.device.torch)
        begun = time.perf_counter() - (start.seconds if start else 0.0)
        reported, pace, step = time.perf_counter(), Pace(), done
        for step, (images, labels) in enumerate(batches.after(done), start=done + 1):
            total += self.step(images, labels, epoch * task.steps_per_epoch + step - 1)
            now = time.perf_counter()
            if now - reported < REPORT_EVERY_S and step < task.steps_per_epoch:
                continue
            mean, reported = total.item() / step, now
            rate = step * task.config.batch_size / (time.perf_counter() - begun)
            if not math.isfinite(mean):
                break
            here = functools.partial(self._position, batches, step, total, begun)
            try:
                lr, memory = self.optimizer.param_groups[0]["lr"], Memory(*task.device.occupied())
                self.emit(Step(task.label, epoch * task.steps_per_epoch + step, mean, rate, lr, memory))
            except Terminated:
                keep(here())
                raise
            if step < task.steps_per_epoch:
                begun += pace.keep(lambda here=here: keep(here()))  # type: ignore[misc]
        task.device.synchronise()
        return total.item() / step, time.perf_counter() - begun, step

    def _go_on(self, batches: Batches, start: Position) -> None:
        batches.draws.set_state(start.draws)
        torch.set_rng_state(start.random)
        if start.device_random is not None:
            self.task.device.set_random_state(start.device_random)

    def _position(self, batches: Batches, step: int, total: torch.Tensor, begun: float) -> Position:
        states = (batches.draws.get_state(), torch.get_rng_state(), self.task.device.random_state())
        return Position(step, total.item(), time.perf_counter() - begun, *states)

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

"""The training loop, to be read from top to bottom.

Images lie on the device as bytes; each batch is gathered, moved and mirrored there, in one process. Where they do not fit into memory,
threads read them from the disk ahead of the step that needs them, and it is told who waits for whom. The seed and the epoch fix data
order, augmentation and dropout, so every model of a seed sees the same batches, and a resumed run the ones it would have seen.
A checkpoint is kept at the end of an epoch, between two steps about every half minute, less often where that would take over a hundredth
of the time, after the last epoch, and when the process is asked to end.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from archbench.data import Images
from archbench.data.preprocessing import Preprocessing
from archbench.data.split import Rate
from archbench.device import Device
from archbench.errors import Terminated
from archbench.events import Epoch, Input, Listener, Memory, Step
from archbench.execution import ExecutionPlan
from archbench.training import seeds
from archbench.training.batches import Batches
from archbench.training.checkpoint import Checkpoint, Position
from archbench.training.evaluate import predict
from archbench.training.ranks import ALONE, Ranks
from archbench.training.recipe import TrainingConfig
from archbench.training.stepper import Stepper

REPORT_EVERY_S, KEEP_EVERY_S = 0.5, 30.0
SHORTEST_S = 1e-6
KEEPING_SHARE = 0.01  # of the time at most goes into checkpoints, the first and the last one beside


@dataclass(frozen=True)
class Task:
    """One training: what learns what, how, and where. `label` names it in events, `key` in checkpoints.

    `ranks` says which this process is of those that train together; only the first has a validation part.
    """

    label: str
    key: str
    config: TrainingConfig
    plan: ExecutionPlan
    device: Device
    seed: int
    train: Images
    validation: Images | None
    ranks: Ranks = ALONE

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
    """What a training leaves: curves with a value an epoch, whether loss or weights stopped being finite, and where it began."""

    curves: dict[str, list[float]] = field(default_factory=dict)
    diverged: bool = False
    resumed_from_step: int = 0
    micro_batch: int = 0  # images that went through the network at once, in the last epoch

    def add(self, **values: float) -> None:
        """Append a value to each curve."""
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value)


def fit(
    model: nn.Module,
    task: Task,
    prepare: Preprocessing,
    emit: Listener,
    start: Checkpoint | None,
    keep: Callable[[Checkpoint], None],
) -> Fit:
    """Train `model` in place. Goes on from `start`, hands a checkpoint to `keep` after an epoch that is told, and now and then between.

    Of several processes that train together, the first alone tells and keeps.
    """
    result, first_epoch, position = Fit(), 0, None
    stepper = Stepper(model, task.config, task.plan, task.device, task.steps, emit, task.ranks)
    if start is not None:
        start.restore(stepper)
        first_epoch, position, result.curves = start.epoch, start.position, start.curves
        result.micro_batch = stepper.part
        result.resumed_from_step = start.steps(task.steps_per_epoch)

    def keep_at(epoch: int, position: Position | None) -> None:
        keep(Checkpoint.of(stepper, task.key, epoch, result.curves, position))

    pace = Pace()
    for epoch in range(first_epoch, task.config.epochs):
        keep_here = functools.partial(keep_at, epoch)
        loss, seconds, steps, read = train_epoch(stepper, task, epoch, prepare, position, keep_here, pace)
        position, result.micro_batch = None, stepper.part
        images_per_s = steps * task.config.batch_size / seconds
        result.add(loss=loss, epoch_s=seconds, images_per_s=images_per_s, lr=stepper.optimizer.param_groups[0]["lr"])
        if read is not None:
            result.add(input_images_per_s=read.images_per_s, model_images_per_s=read.model_images_per_s)
        if not math.isfinite(loss):
            result.diverged = True
            return result
        error = None
        if task.validation is not None:
            error = predict(stepper.result, task.validation, prepare, task.plan, task.device, stepper.part).error_pct.value
            result.add(val_error_pct=error)
        at_end = functools.partial(keep_at, epoch + 1, None)
        if not task.ranks.leads:
            continue
        try:
            emit(Epoch(task.label, epoch + 1, task.config.epochs, loss, images_per_s, error, read))
        except Terminated:
            at_end()
            raise
        pace.keep(at_end, 0.0 if epoch + 1 < task.config.epochs else None)
    trained = stepper.result.state_dict()
    result.diverged = not all(bool(values.isfinite().all()) for values in trained.values() if values.is_floating_point())
    model.load_state_dict(trained)
    return result


def train_epoch(
    stepper: Stepper, task: Task, epoch: int, prepare: Preprocessing, start: Position | None, keep: Callable[[Position], None], pace: Pace
) -> tuple[float, float, int, Input | None]:
    """Mean loss of an epoch, its seconds, its steps, and how fast images were read if they were.

    Ends early, with a loss that is not finite, when one is seen.
    Goes on from `start`; hands its position to `keep` every half minute, less often where that takes long, and when it must end. Steps are
    reported at most every half second.
    """
    done, steps = start.step if start else 0, task.steps_per_epoch
    seeds.begin(task.seed, "dropout", epoch)
    batches = Batches(task.train, task.config, task.seed, epoch, task.plan.memory_format, prepare, task.device.synchronise, task.ranks)
    if start is not None:
        start.restore(batches.draws, task.device)
    stepper.model.train()
    total = torch.full((), start.loss if start else 0.0, device=task.device.torch)
    before_s = start.seconds if start else 0.0
    begun = time.perf_counter() - before_s
    reported, step = time.perf_counter(), done
    for step, (images, labels) in enumerate(batches.after(done), start=done + 1):
        if task.ranks.world > 1:  # each process draws its own, and what it draws hangs on no state that a checkpoint would have to keep
            seeds.begin(task.seed, "dropout", epoch, step, task.ranks.rank)
        total += stepper.step(images, labels, epoch * steps + step - 1)
        del images, labels  # before the next ones are made
        now = time.perf_counter()
        if not task.ranks.leads or (now - reported < REPORT_EVERY_S and step < steps):
            continue
        mean, reported = total.item() / step, now
        seconds = time.perf_counter() - begun
        rate, read = step * task.config.batch_size / seconds, _input(batches.rate, seconds - before_s, task.ranks)
        if not math.isfinite(mean):
            break
        here = functools.partial(Position.at, step, total, begun, batches.draws, task.device)
        try:
            stepper.tell()
            lr, memory = stepper.optimizer.param_groups[0]["lr"], Memory(*task.device.occupied())
            stepper.emit(Step(task.label, epoch * steps + step, mean, rate, lr, memory, read))
        except Terminated:
            keep(here())
            raise
        if step < steps:
            begun += pace.keep(lambda here=here: keep(here()), KEEP_EVERY_S)  # type: ignore[misc]
    task.device.synchronise()
    seconds = time.perf_counter() - begun
    return total.item() / step, seconds, step, _input(batches.rate, seconds - before_s, task.ranks)


def _input(rate: Rate | None, seconds: float, ranks: Ranks) -> Input | None:
    """How fast images are read, and how fast the model is where it does not wait for them; None where none is read."""
    if rate is None or not rate.images:
        return None
    model_images_per_s = rate.images / max(seconds - rate.waited_s, SHORTEST_S)
    return Input(rate.images_per_s * ranks.world, model_images_per_s * ranks.world)  # each process reads and trains its part


class Pace:
    """When to keep a checkpoint: so that keeping takes at most a hundredth of the time of a training, its first and its last one beside."""

    def __init__(self) -> None:
        self.kept, self.took = time.perf_counter(), 0.0

    def keep(self, keep: Callable[[], None], after_s: float | None) -> float:
        """Keep one if so many seconds are over and it does not come too dear, or in any case where they are None; the seconds it took."""
        now = time.perf_counter()
        if after_s is not None and now - self.kept < max(after_s, self.took / KEEPING_SHARE):
            return 0.0
        keep()
        self.kept = time.perf_counter()
        self.took = self.kept - now
        return self.took

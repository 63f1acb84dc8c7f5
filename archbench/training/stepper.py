"""One update of a network's weights after another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from archbench.device import Device, is_out_of_memory
from archbench.events import Listener, Notice
from archbench.execution import ExecutionPlan, training_loss
from archbench.training import norm_statistics, optimizers, schedules
from archbench.training.averaging import Average
from archbench.training.ranks import ALONE, Ranks, averaged_later
from archbench.training.recipe import TrainingConfig


class Stepper:
    """A network, its optimizer, the scaler of fp16, the average of its weights, and the learning rate of each step.

    `part` is how many images go through the network at once. It is the batch, unless the plan names a smaller micro-batch or, where it
    may, finds that a step runs out of memory: then it is halved until the step fits. Gradients are summed over the parts, so the update
    is the batch's; batch norm sees the parts. Memory that runs out in the update itself, where an optimizer makes its state, passes through
    and ends the run as out of memory: activations are gone by then, so smaller parts would not help, and half an update cannot be repeated.
    Of several processes that train together, each is given its part of a batch.
    """

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        plan: ExecutionPlan,
        device: Device,
        steps: int,
        emit: Listener,
        ranks: Ranks = ALONE,
    ) -> None:
        self.model, self.config, self.plan, self.device, self.emit, self.ranks = model, config, plan, device, emit, ranks
        self.together = ranks.wrapped(model, device, plan.norm_over_devices)
        self.forward: Callable[..., torch.Tensor] = torch.compile(self.together, dynamic=False) if plan.compiled else self.together
        self.optimizer = optimizers.make(model, config)
        self.scaler = torch.amp.GradScaler(device.kind, enabled=plan.precision == "fp16")
        self.average = Average(model, config.average, steps) if config.average else None
        self.factors = schedules.factors(config, steps)
        self.untold: list[Notice] = []  # a listener may end the run, which it can between two steps
        self.part = min(plan.micro_batch or config.batch_size, config.batch_size // ranks.world)

    @property
    def result(self) -> nn.Module:
        """The network that the training has come to: with averaged weights where they are averaged."""
        return self.average.network if self.average else self.model

    def step(self, images: torch.Tensor, labels: torch.Tensor, number: int) -> torch.Tensor:
        """Update the weights with a batch, or with this process's part of one, as the step of this number from 0.

        The mean loss over the whole batch stays on the device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * group["lr_scale"] * self.factors[number]
        with norm_statistics.joined(self.model, self.ranks):
            loss = self.ranks.mean(self._gradients(images, labels))
        if self.config.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self.average.update(self.model)
        return loss

    def tell(self) -> None:
        """Emit what there is to say of the steps so far. Raises Terminated where the run must end."""
        while self.untold:
            self.emit(self.untold.pop(0))

    def _gradients(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Those of the mean loss over the batch, in parts that fit into memory; the loss."""
        while True:
            self.optimizer.zero_grad()
            try:
                return self._accumulated(images, labels)
            except Exception as error:
                if not (self.plan.micro_batch_auto and is_out_of_memory(error)):
                    raise
                if self.part == 1:
                    raise torch.OutOfMemoryError(f"a training step runs out of memory even with one image at a time: {error}") from error
                self.part //= 2
            self.optimizer.zero_grad()
            self.device.release_memory()
            norm = "; batch norm sees those alone" if has_batch_norm(self.model) else ""
            self.untold.append(Notice(f"out of memory: each batch of {len(labels)} now goes through in parts of {self.part}{norm}"))

    def _accumulated(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        total = torch.zeros((), device=labels.device)
        *others, last = zip(images.split(self.part), labels.split(self.part), strict=True)
        with averaged_later(self.together):
            for part, targets in others:
                total += self._backward(part, targets, len(targets) / len(labels))
        total += self._backward(*last, len(last[1]) / len(labels))
        return total

    def _backward(self, images: torch.Tensor, labels: torch.Tensor, share: float) -> torch.Tensor:
        with self.plan.autocast(self.device):
            output = self.forward(images)
        loss = training_loss(self.model, output, labels, self.config.label_smoothing) * share
        self.scaler.scale(loss).backward()
        return loss.detach()


def has_batch_norm(model: nn.Module) -> bool:
    """Whether the images of a batch change each other's result."""
    return any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules())

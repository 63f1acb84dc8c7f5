"""Parameters, MACs and activations of a network, on the meta device: no memory, no arithmetic, one pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from archbench.measure.operators import CLASSES, OperatorCounter, Tally
from archbench.models import Input, Model
from archbench.records.schema import Measurement, Scalar, Uncounted


@dataclass(frozen=True)
class Complexity:
    """Trainable parameters, and the tally of one forward pass of one image."""

    params: int
    head_params: int
    tally: Tally

    @property
    def macs(self) -> int:
        """Multiply-adds for one image."""
        return sum(self.tally.macs.values())

    @property
    def activations(self) -> int:
        """Elements written by the counted operations, for one image."""
        return sum(self.tally.activations.values())

    def rows(self) -> list[Measurement]:
        """The counts as measurements: the whole, and each operator class that occurs."""
        rows = [_row("params", self.params), _row("params", self.head_params, operator_class="head")]
        for name, tally, whole in (("macs", self.tally.macs, self.macs), ("activations", self.tally.activations, self.activations)):
            rows.append(_row(name, whole))
            rows.extend(_row(name, tally[kind], operator_class=kind) for kind in CLASSES if tally[kind])
        return rows

    def uncounted(self) -> tuple[Uncounted, ...]:
        """Operators that the counter does not know."""
        return tuple(Uncounted(operator=name, calls=calls) for name, calls in sorted(self.tally.uncounted.items()))


def count(model: Model, shape: Input) -> Complexity:
    """The complexity of a registered model for an input."""
    with torch.device("meta"):
        network = model.build(shape).eval()
        images = shape.example(1, "meta")
    head = [parameter for name in model.spec.head for parameter in network.get_submodule(name).parameters()]
    with torch.no_grad(), OperatorCounter(head) as counter:
        network(images)
    return Complexity(_trainable(network), sum(parameter.numel() for parameter in head), counter.tally)


def _trainable(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def _row(name: str, value: int, **at: Scalar) -> Measurement:
    return Measurement(name=name, value=value, method="meta device, one image", at=at)

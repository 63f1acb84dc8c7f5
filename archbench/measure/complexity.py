"""Parameters, MACs and activations of a network, on the meta device: no memory, no arithmetic, one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from archbench.errors import ArchbenchError, brief
from archbench.measure.operators import CLASSES, Operation
from archbench.measure.parameters import ParameterCounter
from archbench.models import Input, Model
from archbench.models.isolation import preserved_settings
from archbench.records.schema import Measurement, Scalar, Uncounted


@dataclass(frozen=True)
class Layer:
    """A module that computes: its name, operator class, output `(N, ...)`, parameters of its own, and MACs for one image."""

    name: str
    operator_class: str
    shape: tuple[int, ...]
    params: int
    macs: int


@dataclass(frozen=True)
class Complexity:
    """Parameters, frozen ones included, and the operations of one forward pass of one image."""

    params: int
    trained_params: int
    params_by_class: Mapping[str, int] = field(repr=False)
    operations: tuple[Operation, ...] = field(repr=False)
    layers: tuple[Layer, ...] = field(repr=False)

    @property
    def macs(self) -> int:
        """Multiply-adds for one image."""
        return sum(operation.macs for operation in self.operations)

    @property
    def activations(self) -> int:
        """Elements written by the counted operations, for one image."""
        return sum(operation.activations for operation in self.operations)

    @property
    def head_params(self) -> int:
        """Parameters of the classifier head."""
        return self.params_by_class.get("head", 0)

    def by_class(self, quantity: str) -> dict[str, int]:
        """`params`, `macs` or `activations` of each operator class that has any, in the classes' order."""
        if quantity == "params":
            return dict(self.params_by_class)
        sums: Counter[str] = Counter()
        for operation in self.operations:
            sums[operation.operator_class] += getattr(operation, quantity)
        return {kind: sums[kind] for kind in CLASSES if sums[kind]}

    def rows(self) -> list[Measurement]:
        """The counts as measurements: the whole, and each operator class that occurs."""
        rows = [_row("params", self.params)]
        rows += [_row("params", value, operator_class=kind) for kind, value in {"head": 0, **self.params_by_class}.items()]
        if self.trained_params != self.params:
            rows.append(_row("params", self.trained_params, part="trained"))
        for quantity in ("macs", "activations"):
            rows.append(_row(quantity, getattr(self, quantity)))
            rows.extend(_row(quantity, value, operator_class=kind) for kind, value in self.by_class(quantity).items())
        return rows

    def uncounted(self) -> tuple[Uncounted, ...]:
        """Operators that the counter does not know."""
        calls = Counter(operation.operator for operation in self.operations if not operation.known)
        return tuple(Uncounted(operator=name, calls=count) for name, count in sorted(calls.items()))


@preserved_settings()
def count(model: Model, shape: Input) -> Complexity:
    """The complexity of a model for an input. Raises ArchbenchError, which names the model, when the network cannot run."""
    try:
        network, image = model.weightless(shape)
        return complexity_of(network, (image,), model.spec.head)
    except ArchbenchError:
        raise
    except Exception as error:  # what a faulty network raises
        raise ArchbenchError(f"{model.label} cannot run: {type(error).__name__}: {brief(error)}") from error


def complexity_of(
    network: nn.Module, inputs: tuple[torch.Tensor, ...], heads: Iterable[str] = (), weights: Mapping[str, torch.Tensor] | None = None
) -> Complexity:
    """The complexity of a network in evaluation mode for its inputs; `heads` names the modules of the classifier head.

    `weights` stand for the network's own parameters and buffers, by name, where they are given.
    """
    tensors = dict(network.named_parameters(remove_duplicate=False)) if weights is None else weights
    heads = tuple(heads)
    prefixes = tuple(f"{name}." for name in heads)
    counter = ParameterCounter(
        parameters=[tensors[name] for name, _ in network.named_parameters()],
        head=[tensor for name, tensor in tensors.items() if name.startswith(prefixes)] if heads else None,
    )
    counter.begin(*inputs)
    with torch.no_grad(), counter.named(network), counter:
        torch.func.functional_call(network, dict(weights or {}), inputs)
    operations = tuple(counter.split_head())
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    layers = _layers(network, operations, counter.outputs)
    return Complexity(_size(network.parameters()), _size(trained), counter.by_class(), operations, layers)


def _layers(network: nn.Module, operations: tuple[Operation, ...], outputs: Mapping[str, tuple[int, ...]]) -> tuple[Layer, ...]:
    """A line for each module in which operations ran, in the order of its first; the costliest of them gives the class."""
    ran: dict[str, list[Operation]] = {}
    for operation in operations:
        ran.setdefault(operation.module, []).append(operation)
    layers = []
    for name, inside in ran.items():
        main = max(inside, key=lambda operation: (operation.macs, operation.operator_class != "other"))
        layers.append(
            Layer(name, main.operator_class, outputs.get(name, inside[-1].shape), _own(network, name), sum(op.macs for op in inside))
        )
    return tuple(layers)


def _own(network: nn.Module, name: str) -> int:
    return _size(network.get_submodule(name).parameters(recurse=False))


def _size(parameters: Iterable[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _row(name: str, value: int, **at: Scalar) -> Measurement:
    return Measurement(name=name, value=value, method="meta device, one image", at=at)

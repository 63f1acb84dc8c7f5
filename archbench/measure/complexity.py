"""Parameters, MACs and activations of a network, on the meta device: no memory, no arithmetic, one pass."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from archbench.errors import ArchbenchError, brief, unknown
from archbench.measure.head import Head, Pass, find
from archbench.measure.operators import CLASSES, Operation, storage
from archbench.measure.parameters import ParameterCounter
from archbench.models import Input, Model
from archbench.models.isolation import preserved_settings
from archbench.records.schema import Measurement, Scalar, Uncounted

QUANTITIES = ("params", "macs", "activations")


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
    params_by_class: Mapping[str, int]
    operations: tuple[Operation, ...]
    layers: tuple[Layer, ...]
    head: Head

    def __repr__(self) -> str:
        """The three counts; the rest would fill pages."""
        return f"Complexity(params={self.params}, macs={self.macs}, activations={self.activations})"

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
        """`params`, `macs` or `activations` of each operator class that has any, in the classes' order.

        Raises ArchbenchError for any other quantity.
        """
        if quantity not in QUANTITIES:
            raise ArchbenchError(f"counts by class are those of {', '.join(QUANTITIES[:-1])} or {QUANTITIES[-1]} (got {quantity!r})")
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
        return complexity_of(network, (image,), model.spec.head, num_classes=shape.num_classes)
    except ArchbenchError:
        raise
    except Exception as error:  # what a faulty network raises
        raise ArchbenchError(f"{model.label} cannot run: {type(error).__name__}: {brief(error)}") from error


@functools.cache
def estimated(model: Model, shape: Input) -> Complexity | None:
    """The complexity for an estimate, counted once in a process; None of a network that cannot run, whose Record will say so."""
    try:
        return count(model, shape)
    except (ArchbenchError, SystemExit):
        return None


def head_of(model: Model, shape: Input) -> Head:
    """The classifier head of a model: as its spec names it, else as its own count found it."""
    if not model.spec.head:
        return count(model, shape).head
    network, _ = model.weightless(shape)
    return named_head(network, model.spec.head)


def named_head(network: nn.Module, modules: Iterable[str]) -> Head:
    """The head that consists of these modules. Raises ArchbenchError for one that the network does not have."""
    names, known = tuple(modules), dict(network.named_modules())
    if missing := next((name for name in names if name not in known), None):
        raise unknown("module", missing, filter(None, known))
    prefixes = tuple(f"{name}." for name in names)
    return Head(tuple(name for name, _ in network.named_parameters(remove_duplicate=False) if name.startswith(prefixes)))


def complexity_of(
    network: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    heads: Iterable[str] = (),
    weights: Mapping[str, torch.Tensor] | None = None,
    num_classes: int | None = None,
) -> Complexity:
    """The complexity of a network in evaluation mode for its inputs; `heads` names the modules of the classifier head.

    Without them the head is looked for (head.py), which `num_classes` makes surer. `weights` stand for the network's own parameters and
    buffers, by name, where they are given.
    """
    tensors = {name: (weights or {}).get(name, own) for name, own in network.named_parameters(remove_duplicate=False)}
    heads = tuple(heads)
    head = named_head(network, heads)
    counter = ParameterCounter(
        parameters=[tensors[name] for name, _ in network.named_parameters()], head=[tensors[name] for name in head.parameters]
    )
    counter.begin(*inputs)
    with torch.no_grad(), counter.named(network), counter:
        out = torch.func.functional_call(network, dict(weights or {}), inputs)
    if not heads:
        head = find(network, tensors, Pass(counter.operations, counter.used, num_classes or _logits(out), certain=num_classes is not None))
        counter.name_head(storage(tensors[name]) for name in head.parameters)
    operations = tuple(counter.operations)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    layers = _layers(network, operations, counter.outputs)
    return Complexity(_size(network.parameters()), _size(trained), counter.by_class(), operations, layers, head)


def _logits(out: object) -> int | None:
    """How many values came out for each image, where that is a vector."""
    return out.shape[1] if isinstance(out, torch.Tensor) and out.dim() == 2 else None


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

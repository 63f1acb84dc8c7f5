"""The classifier head of a network whose spec does not name it: from what the network says of itself, else from what ran.

The classifier is the module that timm's `get_classifier` gives, else the last layer whose output is the logits. With it goes what stands
between it and the last map or tokens, as the linear layers of VGG do, and all of the network's part that holds it and is called `fc`,
`classifier`, `head` or `heads`. Where no layer gives the logits, all behind the last map is head. What is recurrent or attention never is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archbench.measure.operators import Operation, storage

PARTS = ("fc", "classifier", "head", "heads")


@dataclass(frozen=True)
class Head:
    """The parameters of a classifier head by name; `guessed` says that neither a person nor the network itself named them."""

    parameters: tuple[str, ...] = ()
    guessed: bool = False

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that hold the parameters; empty for the network itself."""
        return tuple(dict.fromkeys(name.rpartition(".")[0] for name in self.parameters))


@dataclass(frozen=True)
class Pass:
    """What ran in a forward pass: operations, the storages of the weights that each used, and the number of logits, if there are any.

    `certain` says that the number is that of the classes, and not merely the length of the vector that came out.
    """

    operations: Sequence[Operation]
    used: Sequence[frozenset[int]]
    logits: int | None
    certain: bool

    def layers(self) -> Iterator[int]:
        """Places of the operations that can be a head's, the last one first."""
        for place in reversed(range(len(self.operations))):
            operation = self.operations[place]
            if operation.counted and operation.kind in ("convolution", "linear"):
                yield place

    def gives_logits(self, place: int) -> bool:
        """Whether an operation's output is the logits. On maps this is certain only where nothing but pooling stands behind it."""
        operation, behind = self.operations[place], self.operations[place + 1 :]
        channels = operation.shape[1 if operation.kind == "convolution" else -1]
        bare = all(each.operator_class in ("activation", "pool") for each in behind)
        return channels == self.logits and (self.certain or bare or not operation.spatial)


def find(network: nn.Module, tensors: Mapping[str, torch.Tensor], seen: Pass) -> Head:
    """The head of a network; `tensors` are its parameters by name, as the pass used them."""
    said = {storage(tensors[name]) for name in _said(network)}
    classifier = _classifier(seen, said)
    part = _part(network, tensors, seen.used[classifier]) if classifier is not None else ()
    inside = said.union(*(seen.used[place] for place in _behind_the_last_map(seen, classifier)))
    found = tuple(name for name, tensor in tensors.items() if storage(tensor) in inside or name in part)
    return Head(found, guessed=bool(found) and not said and not part)


def _said(network: nn.Module) -> Iterator[str]:
    """Names of the parameters of what a network of timm calls its classifier; it has two where it was distilled."""
    ask: Any = getattr(network, "get_classifier", None)
    if not hasattr(network, "pretrained_cfg") or not callable(ask):
        return
    given = ask()
    named = {id(parameter): name for name, parameter in network.named_parameters()}
    for module in given if isinstance(given, tuple | list) else [given]:
        if isinstance(module, nn.Module):
            yield from (named[id(parameter)] for parameter in module.parameters() if id(parameter) in named)


def _classifier(seen: Pass, said: set[int]) -> int | None:
    """The place of the last operation of what was said to be the classifier, else of the last that gives the logits."""
    using = (place for place in seen.layers() if seen.used[place] & said)
    giving = (place for place in seen.layers() if seen.gives_logits(place))
    return next(using, None) if said else next(giving, None)


def _behind_the_last_map(seen: Pass, classifier: int | None) -> Iterator[int]:
    """The layers from behind the last map or tokens up to the classifier; up to the end where there is none."""
    end = len(seen.operations) if classifier is None else classifier
    last = max((place for place in range(end) if seen.operations[place].spatial), default=-1)
    return (place for place in seen.layers() if last < place <= end)


def _part(network: nn.Module, tensors: Mapping[str, torch.Tensor], classifier: frozenset[int]) -> tuple[str, ...]:
    """Names of all parameters of the network's part that is called after a head and holds the classifier."""
    parts = {name: [each for each in tensors if each.startswith(f"{name}.")] for name, _ in network.named_children() if name in PARTS}
    holding = (names for names in parts.values() if any(storage(tensors[name]) in classifier for name in names))
    return tuple(next(holding, ()))

"""Which operator class each parameter serves: that of the first operation that uses it.

An uncounted operation on weights alone (weight standardisation, a norm of weights) only prepares them: what it gives stands for them
until an operation works with it. Elements and not tensors are counted, once, however often they are shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import torch

from archbench.measure.operators import ALL_CLASSES, Operation, OperatorCounter, storage


class ParameterCounter(OperatorCounter):
    """An operator counter that also knows the first operation to use each of these parameters. Views are followed to their storage."""

    def __init__(self, parameters: Iterable[torch.Tensor], head: Iterable[torch.Tensor] = ()) -> None:
        parameters = list(parameters)
        super().__init__(head, parameters)
        self._elements: Counter[int] = Counter()  # by storage
        for parameter in parameters:
            self._elements[storage(parameter)] += parameter.numel()

    def by_class(self) -> dict[str, int]:
        """Elements of parameters in each class that has any, in the classes' order; the sum is that of all parameters."""
        costliest, sums = _costliest(self.operations), Counter[str]()
        first: dict[int, int] = {}  # a storage's first operation, by its place
        for place, used in enumerate(self.used):
            for key in used:
                first.setdefault(key, place)
        for key, elements in self._elements.items():
            sums[self._class_of(key, first, costliest)] += elements
        return {kind: sums[kind] for kind in ALL_CLASSES if sums[kind]}

    def _class_of(self, key: int, first: Mapping[int, int], costliest: Mapping[str, Operation]) -> str:
        """`other` for what no operation uses; an elementwise use counts to the costliest operation of its own module."""
        if key in self._head:
            return "head"
        if key not in first:
            return "other"
        operation = self.operations[first[key]]
        if operation.operator_class == "other":
            operation = costliest.get(operation.module, operation)
        return operation.operator_class


def _costliest(operations: Iterable[Operation]) -> dict[str, Operation]:
    """The counted operation of most MACs that ran in each module, outside the modules in it."""
    found: dict[str, Operation] = {}
    for operation in operations:
        if operation.counted and (operation.module not in found or operation.macs > found[operation.module].macs):
            found[operation.module] = operation
    return found

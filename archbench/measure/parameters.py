"""Which operator class each parameter serves: that of the first operation that uses it.

An uncounted operation on weights alone (weight standardisation, a norm of weights) only prepares them: what it gives stands for them
until an operation works with it. Elements and not tensors are counted, once, however often they are shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from archbench.measure.axes import tensors_in
from archbench.measure.operators import ALL_CLASSES, COUNTED, Operation, OperatorCounter, is_view, storage


class ParameterCounter(OperatorCounter):
    """An operator counter that also notes the first operation to use each of these parameters. Views are followed to their storage."""

    def __init__(self, parameters: Iterable[torch.Tensor], head: Iterable[torch.Tensor] | None = None) -> None:
        super().__init__(head)
        self._elements: Counter[int] = Counter()  # by storage
        for parameter in parameters:
            self._elements[storage(parameter)] += parameter.numel()
        self._stands_for: dict[int, tuple[int, ...]] = {key: (key,) for key in self._elements}
        self._first: dict[int, int] = {}  # a storage's first operation, by its place
        self._prepared: list[Any] = []  # kept, so that nothing else takes their place in memory

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        out = super().run(func, args, kwargs)
        if not is_view(func):
            self._note(func.overloadpacket, tensors_in((*args, *kwargs.values())), out)
        return out

    def by_class(self) -> dict[str, int]:
        """Elements of parameters in each class that has any, in the classes' order; the sum is that of all parameters."""
        operations = self.split_head()
        costliest, sums = _costliest(operations), Counter[str]()
        for key, elements in self._elements.items():
            sums[self._class_of(key, operations, costliest)] += elements
        return {kind: sums[kind] for kind in ALL_CLASSES if sums[kind]}

    def _note(self, packet: Any, tensors: list[torch.Tensor], out: Any) -> None:
        used = {key for tensor in tensors for key in self._stands_for.get(storage(tensor), ())}
        if not used:
            return
        if packet not in COUNTED and all(self._axes.of(tensor) is None for tensor in tensors):
            self._prepared.append(out)
            self._stands_for |= {storage(tensor): tuple(used) for tensor in tensors_in((out,))}
        else:
            for key in used:
                self._first.setdefault(key, len(self.operations))

    def _class_of(self, key: int, operations: Sequence[Operation], costliest: Mapping[str, Operation]) -> str:
        """`other` for what no operation uses; an elementwise use counts to the costliest operation of its own module."""
        if key in self._head:
            return "head"
        if key not in self._first:
            return "other"
        first = operations[self._first[key]]
        if first.operator_class == "other":
            first = costliest.get(first.module, first)
        return first.operator_class


def _costliest(operations: Iterable[Operation]) -> dict[str, Operation]:
    """The counted operation of most MACs that ran in each module, outside the modules in it."""
    found: dict[str, Operation] = {}
    for operation in operations:
        if operation.counted and (operation.module not in found or operation.macs > found[operation.module].macs):
            found[operation.module] = operation
    return found

"""Which class an operation belongs to, and what it costs by its handle, seen at PyTorch's dispatcher.

The class of a convolution follows from its shapes, that of a matrix product from the axis that it sums over (axes.py), and the owner of
a weight decides what belongs to the classifier head. What a recurrent layer does is of class other, in one operation or step by step:
it mixes channels and places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from archbench.measure.axes import Role
from archbench.measure.axis_tracker import AxisTracker, tensors_in
from archbench.measure.handles import ATTENTION, COUNTED, FREE, PRODUCTS, RECURRENT

CLASSES = ("head", "gate", "token_mixing", "depthwise", "grouped_conv", "pointwise", "dense_conv", "other")  # those that cost MACs
ALL_CLASSES = (*CLASSES[:-1], "norm", "activation", "pool", CLASSES[-1])  # parameters and time are spent in the others too
aten = torch.ops.aten


@dataclass(frozen=True)
class Operation:
    """One call: the module it ran in, its class, what it cost and what it wrote.

    `known` says that the counter knows the operator, `weighted` that a weight took part, `bias` that it adds one, `bias_behind` that the
    next operation does, `spatial` that it wrote maps or tokens, even if of one place alone, and not a pooled vector, `recurrent` that it
    is a part of a recurrent layer or cell.
    """

    module: str
    operator: str
    operator_class: str
    macs: int
    shape: tuple[int, ...]
    counted: bool
    known: bool = True
    weighted: bool = True
    bias: bool = False
    bias_behind: bool = False
    spatial: bool = False
    recurrent: bool = False

    @property
    def kind(self) -> str:
        """`convolution`, `linear` for other products with a weight, `attention` for those of two activations, `recurrent`."""
        if self.operator == str(aten.convolution):
            return "convolution"
        if self.recurrent:
            return "recurrent"
        return "linear" if self.weighted else "attention"

    @property
    def activations(self) -> int:
        """Elements written, by operations that are counted."""
        return math.prod(self.shape) if self.counted else 0


class RecurrentCalls(TorchFunctionMode):
    """Knows whether a recurrent layer or cell runs: some devices carry it out in one operation, others step by step."""

    def __init__(self, axes: AxisTracker) -> None:
        super().__init__()
        self.inside = False
        self._axes = axes

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.inside = func in RECURRENT
        try:
            out = func(*args, **(kwargs or {}))
        finally:
            was_recurrent, self.inside = self.inside, False
        if was_recurrent:
            self._axes.follow_recurrent(args[0], tensors_in((out,)))
        return out


class OperatorCounter(TorchDispatchMode):
    """Notes what runs inside the context. `head` are the parameters of the classifier head; `used` holds, beside each operation, which
    of `weights` and of the head's it works with, by their storage.
    """

    def __init__(self, head: Iterable[torch.Tensor] = (), weights: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.used: list[frozenset[int]] = []
        self.outputs: dict[str, tuple[int, ...]] = {}  # of each module that ran, by its name
        self._modules: list[str] = [""]
        self._axes = AxisTracker()
        self._recurrent = RecurrentCalls(self._axes)
        self._head = {storage(parameter) for parameter in head}
        self._stands_for = {key: frozenset({key}) for key in (*self._head, *map(storage, weights))}
        self._prepared: list[Any] = []  # kept, so that nothing else takes their place in memory

    def __enter__(self) -> Self:
        self._recurrent.__enter__()  # type: ignore[no-untyped-call]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        self._recurrent.__exit__(*raised)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = self.run(func, args, kwargs)
        packet = func.overloadpacket
        self._axes.follow(packet, args, out)
        if not is_view(func):
            self.used.append(self._weights_of(packet, tensors_in((*args, *kwargs.values())), out))
            self.operations.append(self._operation(packet, args, out))
        return out

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Carry an operation out; the next entry of `operations` will speak of it."""
        return func(*args, **kwargs)

    def begin(self, *inputs: torch.Tensor) -> None:
        """Say what the network's inputs are, from which the axes of all else follow."""
        for tensor in inputs:
            self._axes.begin(tensor)

    @contextmanager
    def named(self, network: nn.Module) -> Iterator[None]:
        """Inside the context the counter knows which module each operation runs in."""
        handles = []
        for name, module in network.named_modules():
            handles.append(module.register_forward_pre_hook(lambda _, __, name=name: self._modules.append(name)))
            handles.append(module.register_forward_hook(lambda _, __, out: self._leave(out)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def name_head(self, parameters: Iterable[int]) -> None:
        """Say afterwards which parameters, by their storage, are the classifier head: what works with them is the head's."""
        self._head = set(parameters)
        for place, operation in enumerate(self.operations):
            if operation.counted and self.used[place] & self._head:
                self.operations[place] = replace(operation, operator_class="head")

    def _leave(self, out: Any) -> None:
        name = self._modules.pop()
        if isinstance(out, torch.Tensor):
            self.outputs[name] = tuple(out.shape)

    def _weights_of(self, packet: Any, tensors: list[torch.Tensor], out: Any) -> frozenset[int]:
        """The weights that an operation works with; none where it only prepares them, and what it gives stands for them from then on."""
        used = frozenset[int]().union(*(self._stands_for.get(storage(tensor), frozenset()) for tensor in tensors))
        if used and packet not in COUNTED and all(self._axes.of(tensor) is None for tensor in tensors):
            self._prepared.append(out)
            self._stands_for |= {storage(tensor): used for tensor in tensors_in((out,))}
            return frozenset()
        return used

    def _operation(self, packet: Any, args: tuple[Any, ...], out: Any) -> Operation:
        first = out[0] if isinstance(out, tuple | list) and out else out
        shape = tuple(first.shape) if isinstance(first, torch.Tensor) else ()
        module, operator, recurrent = self._modules[-1], str(packet), self._recurrent.inside
        spatial = self._is_spatial(packet, first)
        if packet in COUNTED:
            bias = (packet is aten.convolution and args[2] is not None) or packet in (aten.addmm, aten.baddbmm)
            weighted = packet not in ATTENTION and not (packet in PRODUCTS and all(map(self._axes.of, args[-2:])))
            macs, found = COUNTED[packet](args, out), self._class(packet, args)
            facts: dict[str, Any] = {"weighted": weighted, "bias": bias, "spatial": spatial, "recurrent": recurrent}
            return Operation(module, operator, found, macs, shape, counted=True, **facts)
        if packet in (aten.add, aten.add_):
            self._note_bias(module, args)
        found = "other" if recurrent else FREE.get(packet, "other")
        return Operation(module, operator, found, 0, shape, counted=False, known=packet in FREE, spatial=spatial, recurrent=recurrent)

    def _note_bias(self, module: str, args: tuple[Any, ...]) -> None:
        """A vector of weights that is added right behind a product, in the same module, is its bias."""
        vector = any(isinstance(each, torch.Tensor) and each.dim() == 1 and self._axes.of(each) is None for each in args)
        if vector and self.operations and self.operations[-1].counted and self.operations[-1].module == module:
            self.operations[-1] = replace(self.operations[-1], bias_behind=True)

    def _is_spatial(self, packet: Any, out: Any) -> bool:
        """Whether an operation wrote maps or tokens; a convolution did, unless it is known better."""
        axes = self._axes.of(out)
        return packet is aten.convolution if axes is None else axes.is_map

    def _class(self, packet: Any, args: tuple[Any, ...]) -> str:
        if self.used[-1] & self._head:
            return "head"
        if self._recurrent.inside:
            return "other"
        if packet is aten.convolution:
            return self._convolution_class(args[0], args[1], args[8])
        if packet in PRODUCTS:
            return self._product_class(args[-2], args[-1])
        return "token_mixing" if packet in ATTENTION else "other"

    def _convolution_class(self, images: torch.Tensor, weight: torch.Tensor, groups: int) -> str:
        """By its shapes; one place by one place on a pooled vector is a gate."""
        axes, found = self._axes.of(images), convolution_class(weight, groups)
        return "gate" if found == "pointwise" and axes is not None and axes.pooled else found

    def _product_class(self, left: torch.Tensor, right: torch.Tensor) -> str:
        """By what the axis that is summed over stands for; two activations multiplied with each other are attention."""
        of_left, of_right = self._axes.of(left), self._axes.of(right)
        if of_left is not None and of_right is not None:
            return "token_mixing"
        axes, summed = (of_left, -1) if of_left is not None else (of_right, -2)
        if axes is None:
            return "other"
        return product_class(axes.roles(summed), axes.places_beside(summed), axes.pooled)


def convolution_class(weight: torch.Tensor, groups: int) -> str:
    """The class of a convolution from its weight `(out, in / groups, *kernel)`."""
    one_place = math.prod(weight.shape[2:]) == 1
    if groups == 1:
        return "pointwise" if one_place else "dense_conv"
    return "depthwise" if weight.shape[1] == 1 and not one_place else "grouped_conv"


def product_class(summed: frozenset[Role], at_places: bool, pooled: bool) -> str:
    """The class of an activation times a weight, from the roles that are summed over; `at_places` says that places are left to go over.

    A sum over places and channels at once, with places left, is a dense convolution in other words (a patch merging layer).
    """
    if summed == {Role.places}:
        return "token_mixing"
    if summed <= {Role.channels}:
        return "pointwise" if at_places else "gate" if pooled else "other"
    return "dense_conv" if summed == {Role.channels, Role.places} and at_places else "other"


def storage(tensor: torch.Tensor) -> int:
    """Identity of the memory behind a tensor: a view of a parameter has the parameter's own, on the meta device too."""
    return int(tensor.untyped_storage()._cdata)


def is_view(func: Any) -> bool:
    """Whether an operation only looks at its input in another way."""
    return bool(func.is_view) or func.overloadpacket in (aten.view, aten._unsafe_view, aten.detach, aten.transpose_)

"""Which class an operation belongs to, and how many multiply-adds it costs, seen at PyTorch's dispatcher.

One multiply-add is 1 MAC. Counted are convolutions, linear layers and matrix products; bias, norm, activation, pooling and elementwise
operations cost nothing. The shapes of a convolution and the owner of a weight decide here, which is enough for convolutional networks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

CLASSES = ("head", "depthwise", "grouped_conv", "pointwise", "dense_conv", "other")  # those that cost MACs
aten = torch.ops.aten


def convolution_macs(args: tuple[Any, ...], out: torch.Tensor) -> int:
    """Output elements x (input channels / groups) x kernel area; for a transposed convolution input elements x outputs each feeds."""
    images, weight, transposed = args[0], args[1], args[6]
    reached = images if transposed else out
    return int(reached.numel()) * int(math.prod(weight.shape[1:]))


def addmm_macs(args: tuple[Any, ...], out: torch.Tensor) -> int:
    """(N, K) x (K, M): N K M."""
    return out.numel() * int(args[1].shape[-1])


def mm_macs(args: tuple[Any, ...], out: torch.Tensor) -> int:
    """(..., N, K) x (..., K, M): ... N K M."""
    return out.numel() * int(args[0].shape[-1])


COUNTED: dict[Any, Callable[[tuple[Any, ...], torch.Tensor], int]] = {
    aten.convolution: convolution_macs,
    aten.addmm: addmm_macs,
    aten.mm: mm_macs,
    aten.bmm: mm_macs,
    aten.baddbmm: addmm_macs,
}
# what costs nothing by our convention: norm, activation, pooling, elementwise, and what only makes or copies memory
FREE = {
    *(aten.native_batch_norm, aten._native_batch_norm_legit, aten.native_layer_norm, aten.native_group_norm),
    *(aten.relu, aten.relu_, aten.threshold, aten.sigmoid, aten.silu, aten.gelu, aten.hardtanh, aten._softmax),
    *(aten.max_pool2d_with_indices, aten.avg_pool2d, aten._adaptive_avg_pool2d, aten.mean, aten.avg_pool3d),
    *(aten.add, aten.add_, aten.mul, aten.mul_, aten.div, aten.pow, aten.native_dropout),
    *(aten.cat, aten.clone, aten.copy_, aten._to_copy, aten.constant_pad_nd, aten.empty, aten.zeros, aten.ones, aten.full),
}


@dataclass
class Tally:
    """Counts of one forward pass. `macs` and `activations` (elements written by counted operations) by operator class."""

    macs: Counter[str] = field(default_factory=Counter)
    activations: Counter[str] = field(default_factory=Counter)
    uncounted: Counter[str] = field(default_factory=Counter)


class OperatorCounter(TorchDispatchMode):
    """Counts what runs inside the context. `head` are the parameters of the classifier head."""

    def __init__(self, head: Iterable[nn.Parameter] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tally = Tally()
        self._head = {_storage(parameter) for parameter in head}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet in COUNTED:
            operator_class = self._class(packet, args)
            self.tally.macs[operator_class] += COUNTED[packet](args, out)
            self.tally.activations[operator_class] += out.numel()
        elif packet not in FREE and not _is_view(func):
            self.tally.uncounted[str(packet)] += 1
        return out

    def _class(self, packet: Any, args: tuple[Any, ...]) -> str:
        if any(_storage(argument) in self._head for argument in args if isinstance(argument, torch.Tensor)):
            return "head"
        return convolution_class(args[1], args[8]) if packet is aten.convolution else "other"


def convolution_class(weight: torch.Tensor, groups: int) -> str:
    """The class of a convolution from its weight `(out, in / groups, *kernel)`."""
    one_place = math.prod(weight.shape[2:]) == 1
    if groups == 1:
        return "pointwise" if one_place else "dense_conv"
    return "depthwise" if weight.shape[1] == 1 and not one_place else "grouped_conv"


def _storage(tensor: torch.Tensor) -> int:
    """Identity of the memory behind a tensor: a view of a parameter has the parameter's own, on the meta device too."""
    return int(tensor.untyped_storage()._cdata)


def _is_view(func: Any) -> bool:
    """Whether an operation only looks at its input in another way."""
    return bool(func.is_view) or func.overloadpacket in (aten.view, aten._unsafe_view, aten.detach)

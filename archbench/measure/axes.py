"""What each axis of an activation stands for, followed through views and permutes: the batch, channels, or places.

The shape of a matrix product does not tell channels from places: a Mixer's token layer and its channel layer both arrive as
`(rows, K) x (K, M)`. So every activation carries, for each of its axes, the factors that it is made of, and each factor its role.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

aten = torch.ops.aten


class Role(StrEnum):
    """What a factor of an axis counts."""

    batch = "batch"
    channels = "channels"
    places = "places"
    unknown = "unknown"


Factor = tuple[Role, int]
Axis = tuple[Factor, ...]  # the product of the factors' sizes is the axis' length; an axis of length 1 may have none


@dataclass(frozen=True)
class Axes:
    """The axes of one activation. `pooled` says that its places were averaged away, as before a squeeze-and-excitation gate."""

    axes: tuple[Axis, ...]
    pooled: bool = False

    def roles(self, axis: int) -> frozenset[Role]:
        """The roles of an axis' factors; none for an axis of length 1."""
        return frozenset(role for role, _ in self.axes[axis])

    def role(self, axis: int) -> Role:
        """The role of an axis whose factors have one alone, else unknown."""
        (role, *others) = self.roles(axis) or {Role.unknown}
        return Role.unknown if others else role

    @property
    def places(self) -> int:
        """How many places the activation holds."""
        return math.prod(size for axis in self.axes for role, size in axis if role is Role.places)


def of_image(shape: Sequence[int]) -> Axes:
    """The axes of an input: `(N, C, places...)`; with two axes `(N, C)`."""
    roles = [Role.batch, Role.channels, *[Role.places] * (len(shape) - 2)]
    return Axes(tuple(_axis(role, size) for role, size in zip(roles, shape, strict=False)))


def _axis(role: Role, size: int) -> Axis:
    return ((role, size),) if size > 1 else ()


def _unknown(shape: Sequence[int]) -> Axes:
    return Axes(tuple(_axis(Role.unknown, size) for size in shape))


def regrouped(axes: Axes, shape: Sequence[int]) -> Axes:
    """The axes after a view: the factors stay in order and are grouped anew, split where an axis is split."""
    ahead = [factor for axis in axes.axes for factor in axis]
    grouped: list[Axis] = []
    for length in shape:
        axis: list[Factor] = []
        missing = length
        while missing > 1 and ahead:
            role, size = ahead.pop(0)
            taken = math.gcd(size, missing)
            if taken == 1 or (taken < size and missing != taken):
                return _unknown(shape)
            axis.append((role, taken))
            missing //= taken
            if size > taken:
                ahead.insert(0, (role, size // taken))
        if missing > 1:
            return _unknown(shape)
        grouped.append(tuple(axis))
    return Axes(tuple(grouped), axes.pooled)


def mixed(summed: frozenset[Role]) -> Role:
    """What the axis counts that a sum over an axis of these roles gives: places where only places were mixed, else channels."""
    return Role.places if summed == {Role.places} else Role.channels


class AxisTracker:
    """Knows the axes of every activation that came from the tensors it was given."""

    def __init__(self) -> None:
        self._known: Any = WeakTensorKeyDictionary()

    def begin(self, tensor: torch.Tensor, axes: Axes | None = None) -> None:
        """Start from a network's input."""
        self._known[tensor] = axes or of_image(tensor.shape)

    def of(self, tensor: Any) -> Axes | None:
        """The axes of a tensor; None for what did not come from the input, as weights do."""
        return self._known.get(tensor) if isinstance(tensor, torch.Tensor) else None

    def follow(self, packet: Any, args: tuple[Any, ...], out: Any) -> None:
        """Note the axes of an operation's outputs."""
        outputs = out if isinstance(out, tuple | list) else (out,)
        for each in outputs:
            if isinstance(each, torch.Tensor):
                axes = self._axes_of(packet, args, each)
                if axes is not None:
                    self._known[each] = axes

    def _axes_of(self, packet: Any, args: tuple[Any, ...], out: torch.Tensor) -> Axes | None:
        tracked = [(tensor, self.of(tensor)) for tensor in tensors_in(args)]
        inputs = [(tensor, axes) for tensor, axes in tracked if axes is not None]
        if not inputs:
            return None
        rule = RULES.get(packet, _same_shape)
        found = rule(inputs, args, out)
        return found if found is not None and _lengths(found) == tuple(out.shape) else _unknown(out.shape)


Inputs = list[tuple[torch.Tensor, Axes]]


def tensors_in(args: Sequence[Any]) -> list[torch.Tensor]:
    """The tensors among an operation's arguments or results, those in a list too."""
    found: list[torch.Tensor] = []
    for argument in args:
        if isinstance(argument, torch.Tensor):
            found.append(argument)
        elif isinstance(argument, list | tuple):
            found.extend(each for each in argument if isinstance(each, torch.Tensor))
    return found


def _lengths(axes: Axes) -> tuple[int, ...]:
    return tuple(math.prod(size for _, size in axis) for axis in axes.axes)


def _same_shape(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes | None:
    """Elementwise and everything else that keeps a shape: as the input of that shape; resized axes keep a role that is one alone."""
    shaped = [axes for tensor, axes in inputs if tensor.shape == out.shape]
    if shaped:
        return Axes(shaped[0].axes, all(axes.pooled for axes in shaped))
    ranked = [(tensor.numel(), axes) for tensor, axes in inputs if tensor.dim() == out.dim()]
    return _resized(max(ranked, key=lambda each: each[0])[1], out.shape) if ranked else None


def _resized(axes: Axes, shape: Sequence[int]) -> Axes:
    """Axes of other lengths, as pooling, padding, slicing and joining leave them."""
    resized = []
    for index, length in enumerate(shape):
        kept = math.prod(size for _, size in axes.axes[index]) == length
        resized.append(axes.axes[index] if kept else _axis(axes.role(index), length))
    return Axes(tuple(resized), axes.pooled)


def _view(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    return regrouped(inputs[0][1], out.shape)


def _permute(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    axes = inputs[0][1]
    return Axes(tuple(axes.axes[index] for index in args[1]), axes.pooled)


def _transpose(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    axes = list(inputs[0][1].axes)
    first, second = (args[1], args[2]) if len(args) > 2 else (0, 1)
    axes[first], axes[second] = axes[second], axes[first]
    return Axes(tuple(axes), inputs[0][1].pooled)


def _convolution(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    """Channels and places come out as a convolution's do, whatever went in."""
    axes = inputs[0][1]
    rest = [_axis(Role.places, size) for size in out.shape[2:]]
    return Axes((axes.axes[0], _axis(Role.channels, out.shape[1]), *rest), axes.pooled)


def _im2col(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    """`(N, C, H, W)` to `(N, C x places of a patch, patches)`."""
    batch, channels, *_ = inputs[0][1].axes
    patch = _axis(Role.places, out.shape[1] // math.prod(size for _, size in channels))
    return Axes((batch, (*channels, *patch), _axis(Role.places, out.shape[2])))


def _pooling(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    axes = _resized(inputs[0][1], out.shape)
    return Axes(axes.axes, axes.pooled or (axes.places == 1 and inputs[0][1].places > 1))


def _reduction(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    """A mean, sum or largest value over some axes, kept with length 1 or dropped."""
    tensor, axes = inputs[0]
    dims = args[1] if len(args) > 1 and args[1] is not None else range(tensor.dim())
    dropped = {dim % tensor.dim() for dim in ([dims] if isinstance(dims, int) else dims)}
    kept = tensor.dim() == out.dim()
    left = [() if index in dropped else axis for index, axis in enumerate(axes.axes) if kept or index not in dropped]
    reduced = Axes(tuple(left))
    return Axes(reduced.axes, axes.pooled or (reduced.places == 1 and axes.places > 1))


def _select(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    axes = inputs[0][1]
    dim = args[1] % len(axes.axes)
    left = Axes(axes.axes[:dim] + axes.axes[dim + 1 :])
    return Axes(left.axes, axes.pooled or (left.places == 1 and axes.places > 1))


def _unbind(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    axes = inputs[0][1]
    dim = (args[1] if len(args) > 1 else 0) % len(axes.axes)
    return Axes(axes.axes[:dim] + axes.axes[dim + 1 :], axes.pooled)


def _product(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes | None:
    """Rows as they were; the new axis has the role of the one that was summed over, or the other activation's."""
    left, right = args[-2], args[-1]
    by_tensor = {id(tensor): axes for tensor, axes in inputs}
    of_left, of_right = by_tensor.get(id(left)), by_tensor.get(id(right))
    if of_left is None and of_right is None:
        return None
    if of_left is not None:
        last = of_right.axes[-1] if of_right is not None else _axis(mixed(of_left.roles(-1)), out.shape[-1])
        return Axes((*of_left.axes[:-1], last), of_left.pooled)
    assert of_right is not None
    return Axes((*of_right.axes[:-2], _axis(mixed(of_right.roles(-2)), out.shape[-2]), of_right.axes[-1]), of_right.pooled)


def _embedding(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    axes = inputs[0][1]
    return Axes((*axes.axes, _axis(Role.channels, out.shape[-1])))


RULES: dict[Any, Any] = {
    **dict.fromkeys((aten.view, aten._unsafe_view, aten.reshape, aten._reshape_alias, aten.flatten, aten.unflatten), _view),
    **dict.fromkeys((aten.unsqueeze, aten.squeeze), _view),
    aten.permute: _permute,
    aten.transpose: _transpose,
    aten.t: _transpose,
    aten.convolution: _convolution,
    aten.im2col: _im2col,
    **dict.fromkeys((aten.max_pool2d_with_indices, aten.avg_pool2d, aten._adaptive_avg_pool2d, aten.adaptive_max_pool2d), _pooling),
    **dict.fromkeys((aten.mean, aten.sum, aten.amax, aten.amin, aten.max, aten.logsumexp), _reduction),
    aten.select: _select,
    aten.unbind: _unbind,
    **dict.fromkeys((aten.mm, aten.addmm, aten.bmm, aten.baddbmm), _product),
    aten.embedding: _embedding,
}

"""Follows the axes of activations through a network: a rule for each kind of operation says what becomes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.weak import WeakTensorKeyDictionary

from archbench.measure.axes import Axes, Role, axis_of, mixed, of_image, of_input, regrouped, unknown_axes, with_roles

aten = torch.ops.aten
STEP_DOWN = 2  # side of the window with which a body halves its maps


class AxisTracker:
    """Knows the axes of every activation that came from the tensors it was given."""

    def __init__(self) -> None:
        self._known: Any = WeakTensorKeyDictionary()

    def begin(self, tensor: torch.Tensor, axes: Axes | None = None) -> None:
        """Start from a network's input."""
        self._known[tensor] = axes or of_input(tensor)

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

    def follow_recurrent(self, sequence: torch.Tensor, outputs: Sequence[torch.Tensor]) -> None:
        """Note the axes of what a recurrent layer or cell gives: the sequence with other channels, then states of its end, pooled."""
        axes = self.of(sequence)
        if axes is None:
            return
        for state in outputs[1:]:
            roles = (Role.unknown, Role.batch, Role.channels)[-state.dim() :]
            self.begin(state, Axes(with_roles(roles, state.shape).axes, pooled=True))
        self.begin(outputs[0], Axes((*axes.axes[:-1], axis_of(Role.channels, outputs[0].shape[-1])), axes.pooled))

    def _axes_of(self, packet: Any, args: tuple[Any, ...], out: torch.Tensor) -> Axes | None:
        tracked = [(tensor, self.of(tensor)) for tensor in tensors_in(args)]
        inputs = [(tensor, axes) for tensor, axes in tracked if axes is not None]
        if not inputs:
            return None
        rule = RULES.get(packet, _same_shape)
        found = rule(inputs, args, out)
        return found if found is not None and _lengths(found) == tuple(out.shape) else unknown_axes(out.shape)


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
    shaped = sorted((axes for tensor, axes in inputs if tensor.shape == out.shape), key=lambda axes: axes.pooled)
    if shaped:
        return shaped[0]  # pooled if all are
    ranked = [(tensor.numel(), axes) for tensor, axes in inputs if tensor.dim() == out.dim()]
    return _resized(max(ranked, key=lambda each: each[0])[1], out.shape) if ranked else None


def _resized(axes: Axes, shape: Sequence[int]) -> Axes:
    """Axes of other lengths, as pooling, padding, slicing and joining leave them."""
    resized = []
    for index, length in enumerate(shape):
        kept = math.prod(size for _, size in axes.axes[index]) == length
        resized.append(axes.axes[index] if kept else axis_of(axes.role(index), length))
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
    return Axes((inputs[0][1].axes[0], *of_image(out.shape).axes[1:]), inputs[0][1].pooled)


def _im2col(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    """`(N, C, H, W)` to `(N, C x places of a patch, patches)`."""
    batch, channels, *_ = inputs[0][1].axes
    patch = axis_of(Role.places, out.shape[1] // math.prod(size for _, size in channels))
    return Axes((batch, (*channels, *patch), axis_of(Role.places, out.shape[2])))


def _pooling(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    """To one place, whatever the size of the maps: that is what global pooling does."""
    axes = _resized(inputs[0][1], out.shape)
    return Axes(axes.axes, axes.pooled or math.prod(out.shape[2:]) == 1)


def _window_pooling(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    """A window as large as the maps that takes no step is global pooling; one of two by two is a step down, even if it is the last."""
    images, window = inputs[0][0], args[1]
    strides = args[2] if len(args) > 2 and args[2] else window
    is_global = list(images.shape[2:]) == list(window) == list(strides) and max(window) > STEP_DOWN
    axes = _resized(inputs[0][1], out.shape)
    return Axes(axes.axes, axes.pooled or is_global)


def _reduction(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    """A mean, sum or largest value over some axes, kept with length 1 or dropped."""
    tensor, axes = inputs[0]
    dims = args[1] if len(args) > 1 and args[1] is not None else range(tensor.dim())
    dropped = {dim % tensor.dim() for dim in ([dims] if isinstance(dims, int) else dims)}
    kept = tensor.dim() == out.dim()
    left = [() if index in dropped else axis for index, axis in enumerate(axes.axes) if kept or index not in dropped]
    reduced = Axes(tuple(left))
    return Axes(reduced.axes, axes.pooled or (axes.has_places and not reduced.has_places))


def _select(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    axes = inputs[0][1]
    dim = args[1] % len(axes.axes)
    left = Axes(axes.axes[:dim] + axes.axes[dim + 1 :])
    return Axes(left.axes, axes.pooled or (axes.has_places and not left.has_places))


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
        last = of_right.axes[-1] if of_right is not None else axis_of(mixed(of_left.roles(-1)), out.shape[-1])
        return Axes((*of_left.axes[:-1], last), of_left.pooled)
    assert of_right is not None
    return Axes((*of_right.axes[:-2], axis_of(mixed(of_right.roles(-2)), out.shape[-2]), of_right.axes[-1]), of_right.pooled)


def _embedding(inputs: Inputs, args: tuple[Any, ...], out: torch.Tensor) -> Axes:
    axes = inputs[0][1]
    return Axes((*axes.axes, axis_of(Role.channels, out.shape[-1])))


RULES: dict[Any, Any] = {
    **dict.fromkeys((aten.view, aten._unsafe_view, aten.reshape, aten._reshape_alias, aten.flatten, aten.unflatten), _view),
    **dict.fromkeys((aten.unsqueeze, aten.squeeze), _view),
    aten.permute: _permute,
    **dict.fromkeys((aten.transpose, aten.transpose_), _transpose),
    aten.t: _transpose,
    aten.convolution: _convolution,
    aten.im2col: _im2col,
    **dict.fromkeys((aten._adaptive_avg_pool2d, aten.adaptive_max_pool2d), _pooling),
    **dict.fromkeys((aten.max_pool2d_with_indices, aten.avg_pool2d), _window_pooling),
    **dict.fromkeys((aten.mean, aten.sum, aten.amax, aten.amin, aten.max, aten.logsumexp), _reduction),
    aten.select: _select,
    aten.unbind: _unbind,
    **dict.fromkeys((aten.mm, aten.addmm, aten.bmm, aten.baddbmm), _product),
    aten.embedding: _embedding,
}

"""What each axis of an activation stands for, followed through views and permutes: the batch, channels, or places.

The shape of a matrix product does not tell channels from places: a Mixer's token layer and its channel layer both arrive as
`(rows, K) x (K, M)`. So every activation carries, for each of its axes, the factors that it is made of, and each factor its role.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

import torch


class Role(StrEnum):
    """What a factor of an axis counts."""

    batch = "batch"
    channels = "channels"
    places = "places"
    unknown = "unknown"


Factor = tuple[Role, int]
Axis = tuple[Factor, ...]  # the product of the factors' sizes is the axis' length; an axis of length 1 may have none
SILENT = {Role.batch, Role.unknown}  # roles that a factor of size 1 does not tell: what a network is asked must not change its classes


@dataclass(frozen=True)
class Axes:
    """The axes of one activation. `pooled` says that its places were averaged away, as before a squeeze-and-excitation gate."""

    axes: tuple[Axis, ...]
    pooled: bool = False

    def roles(self, axis: int) -> frozenset[Role]:
        """The roles of an axis' factors. One channel is channels, and one place places; of a batch of one there is nothing to tell."""
        return frozenset(role for role, size in self.axes[axis] if size > 1 or role not in SILENT)

    def role(self, axis: int) -> Role:
        """The role of an axis whose factors have one alone, else unknown."""
        (role, *others) = self.roles(axis) or {role for role, _ in self.axes[axis][:1]} or {Role.unknown}
        return Role.unknown if others else role

    @property
    def has_places(self) -> bool:
        """Whether there are axes of places, even if of one place alone."""
        return any(role is Role.places for axis in self.axes for role, _ in axis)

    def places_beside(self, summed: int) -> bool:
        """Whether there are places to go over in other axes than one: on maps of one place too, on a pooled vector not."""
        others = (axis for index, axis in enumerate(self.axes) if index != summed % len(self.axes))
        return any(role is Role.places and (size > 1 or not self.pooled) for axis in others for role, size in axis)

    @property
    def is_map(self) -> bool:
        """Whether these are maps or tokens: not a pooled vector, nor one into which all channels and places were flattened."""
        if self.pooled or not self.has_places:
            return not self.pooled and len(self.axes) > 2 and any(Role.unknown in self.roles(index) for index in range(len(self.axes)))
        holding = [{role for role, _ in axis} & {Role.channels, Role.places} for axis in self.axes]
        return [each for each in holding if each] != [{Role.channels, Role.places}]


def of_input(tensor: torch.Tensor) -> Axes:
    """The axes of a network's input: `(N, C)`, `(N, C, H, W)`, tokens `(N, L, C)`, indices `(N, L)`.

    A network of convolutions takes three axes as `(N, C, L)`: what its first convolution gives is right again.
    """
    rank, indices = tensor.dim(), not (tensor.is_floating_point() or tensor.is_complex())
    if rank == 3 or (indices and rank == 2):
        return with_roles((Role.batch, Role.places, Role.channels), tensor.shape)
    return of_image(tensor.shape)


def of_image(shape: Sequence[int]) -> Axes:
    """The axes of an image: `(N, C, places...)`; with two axes `(N, C)`."""
    return with_roles((Role.batch, Role.channels, *[Role.places] * (len(shape) - 2)), shape)


def with_roles(roles: Iterable[Role], shape: Sequence[int]) -> Axes:
    """Axes of one role each, as many as there are of the fewer."""
    return Axes(tuple(axis_of(role, size) for role, size in zip(roles, shape, strict=False)))


def axis_of(role: Role, size: int) -> Axis:
    """An axis of one factor."""
    return ((role, size),)


def unknown_axes(shape: Sequence[int]) -> Axes:
    """Axes of which nothing is known but their lengths."""
    return Axes(tuple(axis_of(Role.unknown, size) for size in shape))


def regrouped(axes: Axes, shape: Sequence[int]) -> Axes:
    """The axes after a view: the factors stay in order and are grouped anew, split where an axis is split."""
    ahead = deque(factor for axis in axes.axes for factor in axis)
    grouped: list[Axis] = []
    for index, length in enumerate(shape):
        axis: list[Factor] = []
        missing = length
        if length == 1 and ahead and ahead[0][1] == 1:
            axis.append(ahead.popleft())
        while missing > 1 and ahead:
            role, size = ahead.popleft()
            taken = math.gcd(size, missing)
            if size > 1 and (taken == 1 or (taken < size and missing != taken)):
                return unknown_axes(shape)
            axis.append((role, taken))
            missing //= taken
            if size > taken:
                ahead.appendleft((role, size // taken))
        if missing > 1:
            return unknown_axes(shape)
        grouped.append((*axis, *_left_over(ahead, shape[index + 1 :])))
    alone = {axis for axis in axes.axes if len(axis) == 1 and axis[0][1] == 1}
    return Axes(tuple(_moved(grouped, alone)), axes.pooled)


def _moved(grouped: list[Axis], alone: Set[Axis]) -> list[Axis]:
    """The axes where those that are `alone`, of length 1, may change places with longer ones: they do not fall to these while there are
    others of length 1 to take them. A view of one image of one place can do so, as that in an einsum.
    """
    empty = [index for index, axis in enumerate(grouped) if not axis]
    for index, axis in enumerate(grouped):
        longer = tuple(factor for factor in axis if (factor,) not in alone)
        if empty and any(size > 1 for _, size in longer):
            grouped[index] = longer
            for factor in (factor for factor in axis if (factor,) in alone):
                place = empty.pop(0) if len(empty) > 1 else empty[0]
                grouped[place] = (*grouped[place], factor)
    return grouped


def _left_over(ahead: deque[Factor], behind: Sequence[int]) -> Iterator[Factor]:
    """The factors of size 1 that come next, where no axis of length 1 behind takes them; one channel goes with the places behind it,
    as several would.
    """
    if behind and behind[0] == 1:
        return
    while ahead and ahead[0][1] == 1 and not (ahead[0][0] is Role.channels and behind):
        yield ahead.popleft()


def mixed(summed: frozenset[Role]) -> Role:
    """What the axis counts that a sum over an axis of these roles gives: places where only places were mixed, else channels."""
    return Role.places if summed == {Role.places} else Role.channels

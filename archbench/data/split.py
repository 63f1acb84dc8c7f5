"""The images and labels of one split, in memory; and what a split offers wherever its images lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch


@dataclass(frozen=True)
class Rate:
    """How fast images came: `images` in `busy_s` seconds of `workers` threads taken together; who took them waited for `waited_s`."""

    images: int
    busy_s: float
    workers: int
    waited_s: float

    @property
    def images_per_s(self) -> float:
        """What all threads together can read in a second."""
        return self.images * self.workers / self.busy_s if self.busy_s else math.inf


class Stream(Protocol):
    """Batches one after the other on the split's device; `rate` of those so far is None where nothing is read."""

    @property
    def rate(self) -> Rate | None:
        """Of the batches that were taken so far."""

    def __iter__(self) -> Iterator[Split]: ...


class Images(Protocol):
    """A split wherever its images lie. `kept` says where: memory, mapped or files; `crop` what is drawn anew each time, if anything.

    `shape` is `(N, C, H, W)`. `labels`, int64 `(N,)`, are on the device where images in memory are too, else on the CPU.
    """

    @property
    def kept(self) -> str: ...

    @property
    def crop(self) -> str | None: ...

    @property
    def labels(self) -> torch.Tensor: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def device(self) -> torch.device: ...

    def __len__(self) -> int: ...

    def take(self, indices: torch.Tensor) -> Images:
        """The images at these positions."""

    def relabelled(self, labels: torch.Tensor) -> Images:
        """The same images with other labels."""

    def to(self, device: torch.device) -> Images:
        """The same images, given out on a device."""

    def chunks(self, n: int) -> Iterator[Split]:
        """All images in order, as a test sees them, at most `n` at a time."""

    def stream(self, orders: Sequence[torch.Tensor], seed: int, before_waiting: Callable[[], object]) -> Stream:
        """The images at these positions, batch after batch, for training: `seed` draws what is drawn anew.

        `before_waiting` is called before each wait for images that are not read yet.
        """

    def changed(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Images:
        """A function of each image, called with chunks `(n, C, H, W)` whose results are kept as the images are."""

    def loaded(self) -> Split:
        """All of them in memory, on the device."""


@dataclass(frozen=True)
class Split:
    """`images` uint8 `(N, C, H, W)` and `labels` int64 `(N,)`, in memory."""

    images: torch.Tensor
    labels: torch.Tensor
    kept: ClassVar[str] = "memory"
    crop: ClassVar[str | None] = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, C, H, W)`."""
        return tuple(self.images.shape)

    @property
    def device(self) -> torch.device:
        """Where they lie."""
        return self.images.device

    def take(self, indices: torch.Tensor) -> Split:
        """The images at these positions."""
        return Split(self.images[indices], self.labels[indices])

    def relabelled(self, labels: torch.Tensor) -> Split:
        """The same images with other labels."""
        return Split(self.images, labels)

    def to(self, device: torch.device) -> Split:
        """The same images on a device."""
        return Split(self.images.to(device), self.labels.to(device))

    def chunks(self, n: int) -> Iterator[Split]:
        """All of it, at most `n` images at a time."""
        return map(Split, self.images.split(n), self.labels.split(n))

    def stream(self, orders: Sequence[torch.Tensor], seed: int, before_waiting: Callable[[], object]) -> Gathered:  # noqa: ARG002
        """The images at these positions, batch after batch; nothing is drawn, and nothing waited for."""
        return Gathered(self, orders)

    def changed(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Split:
        """A function of each image, called with chunks."""
        return Split(torch.cat([change(chunk) for chunk in self.images.split(CHANGED_AT_ONCE)]), self.labels)

    def loaded(self) -> Split:
        """Itself."""
        return self


CHANGED_AT_ONCE = 2048  # images in a chunk; the same wherever they lie, so that not a bit differs
PIECE_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Gathered:
    """Batches of a split in memory."""

    split: Split
    orders: Iterable[torch.Tensor]
    rate: ClassVar[Rate | None] = None

    def __iter__(self) -> Iterator[Split]:
        return map(self.split.take, self.orders)


def pieces(split: Images) -> Iterator[Split]:
    """All images in order, some megabytes at a time."""
    return split.chunks(max(PIECE_BYTES // math.prod(split.shape[1:]), 1))

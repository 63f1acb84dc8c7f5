"""A split whose images lie on the disk, in a memory-mapped cache or in their files, and are read when they are needed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from archbench.data.feed import Feed, Wanted, ahead_within
from archbench.data.split import CHANGED_AT_ONCE, Split

CPU = torch.device("cpu")


class StoredImages(Protocol):
    """Images by their row. `moments`, where they are known, are int64 `(N, 2, C)`: sums of each channel's bytes and of their squares."""

    @property
    def kept(self) -> str: ...

    @property
    def crop(self) -> str | None: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, C, H, W)`."""

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def moments(self) -> torch.Tensor | None: ...

    @property
    def folder(self) -> Path:
        """Where there is room on the disk for what is made of the images."""

    def read(self, out: torch.Tensor, rows: list[int], seed: int | None) -> None:
        """Write the images of these rows to `out`, `(n, C, H, W)`: as a test sees them, or for training as `seed` draws."""


@dataclass(frozen=True)
class StoredSplit:
    """The `rows` of stored images, int64 `(N,)`, with their `labels`, both on the CPU; images are given out on `device`.

    `room_bytes` is the memory that images may take while they are used and read ahead.
    """

    images: StoredImages
    rows: torch.Tensor
    labels: torch.Tensor
    room_bytes: int | None = None
    device: torch.device = CPU

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def kept(self) -> str:
        """`mapped` or `files`."""
        return self.images.kept

    @property
    def crop(self) -> str | None:
        """How a training image is cut out anew each time; None where it is not."""
        return self.images.crop

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, C, H, W)`."""
        return (len(self), *self.images.shape[1:])

    def take(self, indices: torch.Tensor) -> StoredSplit:
        """The images at these positions; none is read."""
        at = indices.cpu()
        return dataclasses.replace(self, rows=self.rows[at], labels=self.labels[at])

    def relabelled(self, labels: torch.Tensor) -> StoredSplit:
        """The same images with other labels."""
        return dataclasses.replace(self, labels=labels)

    def to(self, device: torch.device) -> StoredSplit:
        """The same images, given out on a device."""
        return dataclasses.replace(self, device=device)

    def chunks(self, n: int) -> Iterator[Split]:
        """All of it in order, as a test sees it, at most `n` images at a time."""
        return iter(self._feed(torch.arange(len(self)).split(n), None, lambda: None))

    def stream(self, orders: Sequence[torch.Tensor], seed: int, before_waiting: Callable[[], object]) -> Feed:
        """The images at these positions, batch after batch, for training."""
        return self._feed(orders, seed, before_waiting)

    def changed(self, change: Callable[[torch.Tensor], torch.Tensor]) -> StoredSplit:
        """The results in a mapped file of their own, which goes when nobody uses it any more. Raises StorageError when the disk is full."""
        from archbench.data.mapped import written_for_now

        assert self.crop is None
        images = written_for_now(self.images.folder, (change(chunk.images).cpu() for chunk in self.chunks(CHANGED_AT_ONCE)))
        return dataclasses.replace(self, images=images, rows=torch.arange(len(self)))

    def loaded(self) -> Split:
        """All of it in memory, on the device."""
        whole = list(self.chunks(max(len(self), 1)))
        return whole[0]

    def _feed(self, orders: Sequence[torch.Tensor], seed: int | None, before_waiting: Callable[[], object]) -> Feed:
        shape = self.images.shape[1:]
        batch_bytes = max(map(len, orders), default=0) * math.prod(shape) * self.images.dtype.itemsize

        def fill(out: torch.Tensor, rows: list[int]) -> None:
            self.images.read(out, rows, seed)

        wanted = (Wanted(self.rows[order], self.labels[order]) for order in orders)
        return Feed(fill, shape, self.images.dtype, wanted, ahead_within(self.room_bytes, batch_bytes), self.device, before_waiting)

"""Images that lie on the disk, read by threads ahead of who takes them, batch by batch, in the order that was asked for."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import torch

from archbench import environment
from archbench.data.split import Rate, Split

AHEAD = 2  # batches at most that are being read, or ready, while one is used
USED = 7  # batches that one takes while it is used: its bytes, those of the last, the same moved and mirrored, and as floats
OVERHEAD_BYTES = 64 * 2**20  # what threads, decoders and augmentation take beside them
PIECE = 16  # images at most that a thread reads at a time
Fill = Callable[[torch.Tensor, list[int]], None]  # writes the images of these rows into a tensor `(n, C, H, W)`


def num_workers() -> int:
    """Threads that read: one for each core of this process. What they do, decoding, scaling and copying, leaves Python's lock free."""
    return environment.cores_to_use()


def least_bytes(batch_bytes: int) -> int:
    """Memory that a batch takes at least: it is used while the next is read."""
    return OVERHEAD_BYTES + (1 + USED) * batch_bytes


def ahead_within(room_bytes: int | None, batch_bytes: int) -> int:
    """How many batches are read ahead in so much memory; one at least, and AHEAD where nothing limits it."""
    if room_bytes is None:
        return AHEAD
    return max(1, min(AHEAD, (room_bytes - OVERHEAD_BYTES) // max(batch_bytes, 1) - USED))


class Wanted(NamedTuple):
    """A batch: rows of the stored images, and their labels."""

    rows: torch.Tensor
    labels: torch.Tensor


class Feed:
    """The batches that are `wanted`, on a device. What is read depends neither on the number of threads nor on which is faster.

    `shape` and `dtype` are those of one image. `before_waiting` is called before a wait for images, so that a device ends what it has to
    do, and the wait is one for images alone.
    """

    def __init__(
        self,
        fill: Fill,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        wanted: Iterable[Wanted],
        ahead: int,
        device: torch.device,
        before_waiting: Callable[[], object] = lambda: None,
    ) -> None:
        self.fill, self.shape, self.dtype, self.wanted, self.ahead, self.device = fill, shape, dtype, wanted, ahead, device
        self.before_waiting, self.workers = before_waiting, num_workers()
        self.images, self.busy_s, self.waited_s = 0, 0.0, 0.0

    @property
    def rate(self) -> Rate:
        """Of the batches that were taken so far."""
        return Rate(self.images, self.busy_s, self.workers, self.waited_s)

    def __iter__(self) -> Iterator[Split]:
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="images")
        begun: deque[tuple[Split, list[Future[float]]]] = deque()
        try:
            for batch in self.wanted:
                begun.append(self._begin(pool, batch))
                if len(begun) > self.ahead:
                    yield self._finished(*begun.popleft())
            while begun:
                yield self._finished(*begun.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, batch: Wanted) -> tuple[Split, list[Future[float]]]:
        n = len(batch.rows)
        images = torch.empty((n, *self.shape), dtype=self.dtype, pin_memory=self.device.type == "cuda")
        size = max(1, min(PIECE, math.ceil(n / self.workers)))
        pieces = zip(images.split(size), batch.rows.split(size), strict=True)
        return Split(images, batch.labels), [pool.submit(self._timed, out, rows.tolist()) for out, rows in pieces]

    def _timed(self, out: torch.Tensor, rows: list[int]) -> float:
        start = time.perf_counter()
        self.fill(out, rows)
        return time.perf_counter() - start

    def _finished(self, batch: Split, pieces: list[Future[float]]) -> Split:
        if not all(piece.done() for piece in pieces):
            self.before_waiting()
            start = time.perf_counter()
            wait(pieces)
            self.waited_s += time.perf_counter() - start
        self.busy_s += sum(piece.result() for piece in pieces)
        self.images += len(batch)
        return Split(batch.images.to(self.device, non_blocking=True), batch.labels.to(self.device, non_blocking=True))

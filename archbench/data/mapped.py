"""Decoded images in a file that is mapped into memory: only what is read is in memory, and only while it is read."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar

import numpy as np
import torch

from archbench.records.store import write_error

FAULT_AROUND = 2**21  # bytes at most that Linux maps around a page that is touched, as where a file is cached in large folios


@dataclass(frozen=True)
class MappedImages:
    """Images of one shape and kind behind each other in a file; `memory` is the mapping of all of it.

    Their pages are asked for before they are read, all of a call at once, and given back afterwards: else what has been read would count
    as the process's memory until the system wants it for others.
    """

    memory: mmap.mmap
    shape: tuple[int, ...]
    dtype: torch.dtype
    folder: Path
    kept: ClassVar[str] = "mapped"
    crop: ClassVar[str | None] = None
    moments: ClassVar[torch.Tensor | None] = None

    @classmethod
    def of(cls, file: IO[bytes], shape: tuple[int, ...], dtype: torch.dtype, folder: Path) -> MappedImages:
        """The images of an open file, which may be closed, or gone, afterwards. At least one image."""
        return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), shape, dtype, folder)

    def read(self, out: torch.Tensor, rows: list[int], seed: int | None) -> None:  # noqa: ARG002  # nothing is drawn
        """Copy these rows to `out`."""
        bytes_each = out[0].numel() * out.element_size()
        whole = np.frombuffer(self.memory, dtype=np.uint8).reshape(-1, bytes_each)
        self._advise("MADV_WILLNEED", rows, bytes_each, 0)
        np.take(whole, rows, axis=0, out=out.view(len(rows), -1).view(torch.uint8).numpy(), mode="clip")
        self._advise("MADV_DONTNEED", rows, bytes_each, FAULT_AROUND)

    def _advise(self, advice: str, rows: list[int], bytes_each: int, around: int) -> None:
        """Of the pages of these rows and of so many bytes around each."""
        if not hasattr(mmap, advice):  # not on this system
            return
        for row in rows:
            start = max(row * bytes_each - around, 0) // mmap.PAGESIZE * mmap.PAGESIZE
            end = min((row + 1) * bytes_each + around, len(self.memory))
            self.memory.madvise(getattr(mmap, advice), start, end - start)


def written_for_now(folder: Path, chunks: Iterable[torch.Tensor]) -> MappedImages:
    """Chunks `(n, ...)` of one kind in a mapped file without a name, which the system removes when the process ends or nobody needs it.

    Raises StorageError where the folder cannot be written or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            shapes = [_write(file, chunk) for chunk in chunks]
            file.flush()
            like, count = shapes[0][1], sum(n for n, _ in shapes)
            return MappedImages.of(file, (count, *like.shape[1:]), like.dtype, folder)
    except OSError as error:
        raise write_error(folder, error) from None


def _write(file: IO[bytes], chunk: torch.Tensor) -> tuple[int, torch.Tensor]:
    file.write(chunk.contiguous().numpy().data)
    return len(chunk), chunk[:0]

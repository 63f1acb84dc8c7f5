"""Decoded splits on disk: found again as long as no file has changed."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from archbench.data.dataset import Split
from archbench.data.listing import Listing
from archbench.data.memory import GIB
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice
from archbench.records.schema import hash_of
from archbench.records.store import write_atomically

LARGEST_BYTES = 8 * GIB  # ImageNet's test images take 7.0 GiB at 224 pixels


@dataclass(frozen=True)
class Decoded:
    """A split in memory; `skipped` counts files that could not be read."""

    split: Split
    skipped: int


def place(root: Path, listing: Listing, how: list[str | int | float]) -> Path:
    """Where a split is kept that was decoded as `how` says. Changes with any file's name, size or time of change: never stale."""
    facts = [(repr(str(path.relative_to(listing.folder))), *_size_and_time(path)) for path in listing.files]
    key = hash_of([*how, repr(str(listing.folder.resolve())), facts])[:16]
    return root / "decoded" / f"{key}.npz"


def _size_and_time(path: Path) -> tuple[int, int]:
    """Zeros for a link that leads nowhere, which decoding will name as broken."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def find(cache: Path, listing: Listing) -> Decoded | None:
    """What an earlier decoding kept; a cache that is damaged or does not fit counts as none."""
    try:
        with cache.open("rb") as file, np.load(file) as stored:
            images, labels, skipped = stored["images"], stored["labels"], int(stored["skipped"])
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        return None
    sound = images.dtype == np.uint8 and images.ndim == 4 and labels.dtype == np.int64 and labels.shape == images.shape[:1]
    if not sound or set(labels.tolist()) != set(listing.labels) or skipped < 0:
        return None
    return Decoded(Split(torch.from_numpy(images), torch.from_numpy(labels)), skipped)


def keep(cache: Path, what: str, decoded: Decoded, emit: Listener) -> None:
    """Write a decoded split for the next time, or say why that is not done."""
    images, labels = decoded.split.images.numpy(), decoded.split.labels.numpy()
    if images.nbytes > LARGEST_BYTES:
        size, most = images.nbytes / GIB, LARGEST_BYTES / GIB
        emit(Notice(f"{what}: {size:.1f} GiB of decoded images are not cached (more than {most:g} GiB); each run decodes them anew"))
        return
    try:
        write_atomically(cache, lambda file: np.savez(file, images=images, labels=labels, skipped=np.array(decoded.skipped)))
    except ArchbenchError as error:
        emit(Notice(f"the decoded images are not cached: {error}"))

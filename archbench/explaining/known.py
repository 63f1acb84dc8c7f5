"""Which test images are explained, and what is known of the objects in them: as `shapes` drew them, or as somebody marked them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archbench.data import Dataset, imagefolder
from archbench.data.markings import marks
from archbench.data.shapes import Shapes, scenes
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice, ignore
from archbench.explaining.marked import marked
from archbench.explaining.objects import Objects
from archbench.explaining.pictures import in_turn


@dataclass(frozen=True, eq=False)
class Known:
    """Places `(N,)` of test images that are explained, and of each its objects."""

    places: NDArray[np.int64]
    objects: Objects

    def __len__(self) -> int:
        return len(self.places)

    @property
    def sha256(self) -> str:
        """In hex, of the places, and of each object's pixels and box."""
        parts = (self.places, np.packbits(self.objects.masks), np.packbits(self.objects.others), self.objects.boxes)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def drawn(name: str, n: int) -> Known:
    """The first `n` test images of a set `shapes...`."""
    return Known(np.arange(n), Objects.of_scenes(scenes(Shapes.parse(name), "test", n)))


def told(boxes: Path, dataset: Dataset, n: int, emit: Listener) -> Known:
    """Of class folders at most `n` test images that `boxes` (markings.py) tells of, one class after the other in turn.

    Images that show no object of their class are left out, and a line says of how many that is. Raises ArchbenchError where none is left,
    and as `marked` does.
    """
    assert dataset.request is not None
    listing = imagefolder.test_files(dataset.request)
    if lost := len(listing) - len(dataset.test):
        raise ArchbenchError(f"{lost} test images of {dataset.name} cannot be read, so that no file can be told by its place")
    found, labels = marks(boxes, listing.names), dataset.test.labels.cpu().numpy()
    there = np.array([place for place, name in enumerate(listing.names) if name in found.files], dtype=np.int64)
    if not len(there):
        raise ArchbenchError(f"{boxes} tells of no test image of {dataset.name}; its files are named from {listing.folder} on")
    waiting, parts, kept = there[in_turn(labels[there])], list[Known](), 0
    while kept < n and len(waiting):
        some, waiting = waiting[: n - kept], waiting[n - kept :]
        files = [listing.names[place] for place in some]
        objects = marked(found, listing.folder, files, labels[some], dataset.class_names, dataset.shape.size, ignore)
        seen = np.flatnonzero(objects.there & objects.masks.any(axis=(1, 2)))
        parts.append(Known(some[seen], objects.take(seen)))
        lost, kept = lost + len(some) - len(seen), kept + len(seen)
    if not kept:
        raise ArchbenchError(f"{boxes} marks no object of an image's own class within the square that is cut from it, in {dataset.name}")
    if lost:
        emit(Notice(f"{lost} images show no object of their class in the square that is cut from them, and are left out"))
    return Known(np.concatenate([part.places for part in parts]), Objects.joined([part.objects for part in parts]))

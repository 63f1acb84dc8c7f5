"""Which test images are explained, and what is known of the objects in them: as `shapes` drew them, or as somebody marked them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archbench.data import Dataset, imagefolder, markings
from archbench.data.shapes import Shapes, scenes
from archbench.errors import ArchbenchError
from archbench.events import Listener
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

    Images whose object lies outside the square that is cut from them are left out, and a line says of how many that is. Raises
    ArchbenchError where none is left, and as `marked` does.
    """
    assert dataset.request is not None
    listing = imagefolder.test_files(dataset.request)
    if len(listing) != len(dataset.test):
        raise ArchbenchError(
            f"{len(listing) - len(dataset.test)} test images of {dataset.name} cannot be read; without their files it can be scored"
        )
    there = markings.told_of(boxes, listing.names)
    labels, where = dataset.test.labels.cpu().numpy(), np.array([place for place, name in enumerate(listing.names) if name in there])
    if not len(where):
        raise ArchbenchError(f"{boxes} tells of no test image of {dataset.name}; its files are named from {listing.folder} on")
    chosen = where[in_turn(labels[where])][:n]
    files = [listing.names[place] for place in chosen]
    objects = marked(boxes, listing.folder, files, labels[chosen], dataset.class_names, dataset.shape.size, emit)
    kept = np.flatnonzero(objects.there)
    if not len(kept):
        raise ArchbenchError(
            f"{boxes} marks no object of its image's class in the square that is cut from any test image of {dataset.name}"
        )
    return Known(chosen[kept], objects.take(kept))

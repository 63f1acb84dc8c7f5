"""What must be known of files before they are decoded anew in each epoch: which are broken, and the moments of their pixels.

Every file is decoded once as a test sees it, and nothing of it is kept but that. The same pass finds the fingerprint, which is that of the
same images in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from archbench.data.cache import Cache
from archbench.data.decoded import Decoded, Work
from archbench.data.files import ImageFiles
from archbench.data.fingerprint import Fingerprint
from archbench.data.stored import StoredSplit

FACTS = ("broken", "moments")


@dataclass
class Survey:
    """Surveys the splits of a set, the training split first. `fingerprint` is None where the pass could not find it.

    That is where a split had been surveyed before, or where a file is broken: how many images there are is a part of it, and comes first.
    """

    fingerprint: Fingerprint | None
    room_bytes: int | None

    def split(self, work: Work, cache: Cache) -> Decoded:
        """A split whose files are decoded when they are needed. Raises ArchbenchError as `Work.labels` does, and StorageError."""
        found = cache.find(FACTS, work.emit)
        if found is None:
            with cache.alone(work.emit):
                broken, moments = self._found_out(work)
                cache.keep({"broken": broken, "moments": moments})
        else:
            broken, moments, self.fingerprint = found["broken"], found["moments"], None
        sound = np.delete(np.arange(len(work.listing)), broken)
        labels = work.labels(dict.fromkeys(broken.tolist(), "it is broken"))
        names = tuple(work.listing.names[position] for position in sound)
        images = ImageFiles(work.listing.folder, names, work.size, work.fit, torch.from_numpy(moments), cache.path.parent)
        return Decoded(StoredSplit(images, torch.arange(len(names)), labels, self.room_bytes), len(broken))

    def _found_out(self, work: Work) -> tuple[np.ndarray, np.ndarray]:
        """Positions of broken files, int64; moments of the others, int64 `(n, 2, 3)`."""
        broken: dict[int, str] = {}
        moments = [np.empty((0, 2, 3), dtype=np.int64)]
        if self.fingerprint is not None:
            self.fingerprint.begin((len(work.listing), 3, work.size, work.size))
        for part in work.parts():
            broken.update(part.broken)
            moments.append(_moments(part.images))
            if broken:
                self.fingerprint = None
            if self.fingerprint is not None:
                self.fingerprint.add(part.images)
        labels = work.labels(broken)
        if self.fingerprint is not None:
            self.fingerprint.end(labels)
        return np.array(sorted(broken), dtype=np.int64), np.concatenate(moments)


def _moments(images: np.ndarray) -> np.ndarray:
    """Of each image and channel, the sum of its bytes and of their squares: exact, as sums of whole numbers far below 2^53."""
    found = np.empty((len(images), 2, 3), dtype=np.int64)
    for image, row in zip(images, found, strict=True):
        flat = image.reshape(3, -1).astype(np.float64)
        row[:] = flat.sum(1), np.einsum("cp,cp->c", flat, flat)
    return found

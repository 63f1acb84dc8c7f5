"""A split of class folders, decoded once and cached: in memory, or mapped from the cache."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

import numpy as np
import torch

from archbench.data.cache import Cache, Facts
from archbench.data.decoding import Fit, Part, Pixels, decode_parts
from archbench.data.listing import Listing
from archbench.data.mapped import MappedImages
from archbench.data.memory import GIB, image_bytes
from archbench.data.split import Images, Split
from archbench.data.stored import StoredSplit
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice, ignore

LARGEST_BYTES = 8 * GIB  # ImageNet's test images take 7.0 GiB at 224 pixels
FACTS = ("labels", "skipped", "shape", "crc")


@dataclass(frozen=True)
class Decoded:
    """A split; `skipped` counts files that could not be read."""

    split: Images
    skipped: int


@dataclass(frozen=True)
class Work:
    """One split to be decoded: its files, how they are cut out, and whether to go on without broken ones."""

    what: str
    listing: Listing
    size: int
    fit: Fit
    skip_broken: bool
    emit: Listener

    def parts(self) -> Iterator[Part]:
        """The images, part by part."""
        return decode_parts(self.what, self.listing, self.size, self.fit, self.emit)

    def labels(self, broken: Mapping[int, str]) -> torch.Tensor:
        """Those of the images that can be read. Raises ArchbenchError that names a broken file, or where no image of a class is left."""
        if broken and not self.skip_broken:
            position, reason = next(iter(broken.items()))
            more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            raise ArchbenchError(f"cannot read {self.listing.path(position)}: {reason}{more}; --skip-broken goes on without it")
        labels = np.delete(np.array(self.listing.labels, dtype=np.int64), list(broken))
        if len(set(labels.tolist())) < len(set(self.listing.labels)):
            name, split = self.what.rsplit(" ", 1)
            raise ArchbenchError(f"{name}: a class of {split}/ has no image that can be read")
        return torch.from_numpy(labels)


def cached(cache: Cache, listing: Listing, size: int, emit: Listener) -> Facts | None:
    """What the cache of a split says of it; None, with a line that says why, where it is none or cannot be used."""
    found = cache.find(FACTS, emit)
    if found is None:
        return None
    shape, labels = tuple(found["shape"].tolist()), found["labels"]
    sound = shape[1:] == (3, size, size) and labels.dtype == np.int64 and labels.shape == shape[:1]
    bytes_there = cache.pixels_path.stat().st_size if cache.pixels_path.is_file() else -1
    if sound and set(labels.tolist()) == set(listing.labels) and bytes_there == image_bytes(shape[0], size) and found["skipped"] >= 0:
        return found
    emit(Notice(f"{cache.what}: the cache of decoded images is damaged: it is made anew"))
    return None


def in_memory(work: Work, cache: Cache, found: Facts | None) -> Decoded:
    """A split from what was found in its cache, or decoded and cached."""
    if found is not None:
        images = np.fromfile(cache.pixels_path, dtype=np.uint8).reshape(found["shape"])
        if zlib.crc32(images.data) == found["crc"]:
            return Decoded(Split(torch.from_numpy(images), torch.from_numpy(found["labels"])), int(found["skipped"]))
        work.emit(Notice(f"{work.what}: the cache of decoded images is damaged: it is made anew"))
    images = np.empty((len(work.listing), 3, work.size, work.size), dtype=np.uint8)
    broken: dict[int, str] = {}
    done = 0
    for part in work.parts():
        images[done : done + len(part.images)] = part.images
        done += len(part.images)
        broken |= part.broken
    labels = work.labels(broken)
    _keep(work, cache, images[:done], labels, len(broken))
    return Decoded(Split(torch.from_numpy(images[:done]), labels), len(broken))


def _keep(work: Work, cache: Cache, images: Pixels, labels: torch.Tensor, skipped: int) -> None:
    """Write a decoded split for the next time, or say why that is not done."""
    if images.nbytes > LARGEST_BYTES:
        size, most = images.nbytes / GIB, LARGEST_BYTES / GIB
        what = f"{work.what}: {size:.1f} GiB of decoded images are not cached"
        work.emit(Notice(f"{what} (more than {most:g} GiB); each run decodes them anew"))
        return
    try:
        with cache.alone(work.emit):
            cache.write_pixels(lambda file: file.write(images.data))
            cache.keep(_facts(labels, skipped, work.size, zlib.crc32(images.data)))
    except ArchbenchError as error:
        work.emit(Notice(f"the decoded images are not cached: {error}"))


def mapped(work: Work, cache: Cache, found: Facts | None, room_bytes: int | None) -> Decoded:
    """A split in its cache, which is written first where it is not there. Raises StorageError where the disk is full."""
    if found is None:
        with cache.alone(work.emit):
            found = cached(cache, work.listing, work.size, ignore) or _written(work, cache)
    with cache.pixels_path.open("rb") as file:
        images = MappedImages.of(file, tuple(found["shape"].tolist()), torch.uint8, cache.path.parent)
    labels = torch.from_numpy(found["labels"])
    return Decoded(StoredSplit(images, torch.arange(len(labels)), labels, room_bytes), int(found["skipped"]))


def _written(work: Work, cache: Cache) -> Facts:
    """What is written, part by part."""
    facts: Facts = {}

    def write(file: IO[bytes]) -> None:
        broken: dict[int, str] = {}
        crc = 0
        for part in work.parts():
            file.write(part.images.data)
            crc = zlib.crc32(part.images.data, crc)
            broken.update(part.broken)
        facts.update(_facts(work.labels(broken), len(broken), work.size, crc))

    cache.write_pixels(write)
    cache.keep(facts)
    return facts


def _facts(labels: torch.Tensor, skipped: int, size: int, crc: int) -> Facts:
    shape = (len(labels), 3, size, size)
    return {"labels": labels.numpy(), "skipped": np.array(skipped), "shape": np.array(shape), "crc": np.array(crc)}

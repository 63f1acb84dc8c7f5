"""Listed class folders become a data set whose images lie where there is room for them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch

from archbench.data import choice
from archbench.data.cache import Cache, Facts, remembered
from archbench.data.dataset import Dataset
from archbench.data.decoded import Decoded, Work, cached, in_memory, mapped
from archbench.data.decoding import Cut
from archbench.data.fingerprint import Fingerprint, fingerprint
from archbench.data.listing import Listing
from archbench.data.memory import image_bytes
from archbench.data.request import DataRequest
from archbench.data.split import Split
from archbench.data.survey import Survey
from archbench.events import Listener, Notice
from archbench.memory import map_large


def load(
    wanted: DataRequest, classes: tuple[str, ...], listings: Mapping[str, Listing], size: int, cut: Cut, remedy: str, emit: Listener
) -> Dataset:
    """The listed images of "train" and "test" as RGB, `size` x `size`.

    Raises ArchbenchError that names the file at fault, or the `remedy` when the images do not fit where they are wanted.
    """
    if others := sum(listing.others for listing in listings.values()):
        emit(Notice(f"{wanted.name}: {others} files are no images by their suffix and are left out"))
    filled = {split: listing for split, listing in listings.items() if listing}
    works = {split: Work(f"{wanted.name} {split}", each, size, cut.fit, wanted.skip_broken, emit) for split, each in filled.items()}
    caches = {split: _cache(wanted, work) for split, work in works.items()}
    found = {split: cached(cache, works[split].listing, size, emit) for split, cache in caches.items()}
    needed = {split: image_bytes(len(work.listing), size) for split, work in works.items()}
    to_write = sum(needed[split] for split in works if found[split] is None)
    kept = choice.choose(wanted, sum(needed.values()), to_write, image_bytes(1, size), remedy, emit)
    if kept == "files":
        splits, hashed = _from_files(wanted, classes, works)
    else:
        splits, hashed = _decoded(wanted, kept, works, caches, found), None
    if wanted.memory_limit is not None:
        map_large()
    nothing = Decoded(Split(torch.empty((0, 3, size, size), dtype=torch.uint8), torch.empty(0, dtype=torch.int64)), 0)
    train, test = (splits.get(split, nothing) for split in ("train", "test"))
    if skipped := train.skipped + test.skipped:
        emit(Notice(f"{wanted.name}: {skipped} image files could not be read and are left out"))

    def find_out() -> str:
        return hashed.value if hashed is not None else fingerprint(train.split, test.split, classes)

    known = find_out() if kept == "memory" else remembered(wanted.root, [classes, *map(_facts, caches.values(), [kept] * 2)], find_out)
    return Dataset(wanted.name, train.split, test.split, classes, True, known, skipped, cut.described)


def _cache(wanted: DataRequest, work: Work, *more: str) -> Cache:
    how: list[str | int | float] = [wanted.source, work.size, wanted.skip_broken, wanted.resize_ratio, wanted.bicubic, *more]
    return Cache.of(wanted.root, work.what, work.listing, how)


def _decoded(
    wanted: DataRequest, kept: str, works: Mapping[str, Work], caches: Mapping[str, Cache], found: Mapping[str, Facts | None]
) -> dict[str, Decoded]:
    """Splits from their caches, or decoded and cached."""
    if kept == "memory":
        return {split: in_memory(work, caches[split], found[split]) for split, work in works.items()}
    room = choice.room_bytes(wanted)
    return {split: mapped(work, caches[split], found[split], room) for split, work in works.items()}


def _from_files(wanted: DataRequest, classes: tuple[str, ...], works: Mapping[str, Work]) -> tuple[dict[str, Decoded], Fingerprint | None]:
    """Splits whose files are decoded when they are needed, and the fingerprint of both where looking at them has found it."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # Pillow's remarks on odd but readable files, in each epoch
    import torchvision.transforms.v2  # noqa: F401  # what it takes counts before it is told what is left

    running = Fingerprint(classes)
    survey = Survey(running, choice.room_bytes(wanted))
    if "train" not in works:
        size = works["test"].size
        running.begin((0, 3, size, size))
    splits = {split: survey.split(work, _cache(wanted, work, "files")) for split, work in works.items()}
    return splits, survey.fingerprint


def _facts(cache: Cache, kept: str) -> list[Any]:
    """All that the images of a split depend on: their files, and the cache that they are read from."""
    if kept == "files":
        return [kept, cache.path.name, cache.stamp]
    pixels = cache.pixels_path.stat()
    return [cache.path.name, cache.stamp, pixels.st_size, pixels.st_mtime_ns]

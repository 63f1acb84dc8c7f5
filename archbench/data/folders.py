"""Listed class folders become a data set in memory. Each split is decoded once, then cached."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from archbench.data import cache
from archbench.data.cache import Decoded
from archbench.data.dataset import Dataset, Split
from archbench.data.decoding import Fit, decode_all
from archbench.data.listing import Listing
from archbench.data.memory import check_fits, image_bytes
from archbench.data.request import DataRequest
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice


def load(
    wanted: DataRequest, classes: tuple[str, ...], listings: Mapping[str, Listing], size: int, fit: Fit, remedy: str, emit: Listener
) -> Dataset:
    """The listed images of "train" and "test" as RGB, `size` x `size`.

    Raises ArchbenchError that names the file at fault, or the `remedy` when the images do not fit into memory.
    """
    if others := sum(listing.others for listing in listings.values()):
        emit(Notice(f"{wanted.name}: {others} files are no images by their suffix and are left out"))
    check_fits(wanted.name, image_bytes(sum(len(listing.files) for listing in listings.values()), size), remedy)
    train, test = (_read(wanted, split, listings[split], size, fit, emit) for split in ("train", "test"))
    if skipped := train.skipped + test.skipped:
        emit(Notice(f"{wanted.name}: {skipped} image files could not be read and are left out"))
    return Dataset.of(wanted.name, train.split, test.split, classes, mirror_safe=True, skipped=skipped)


def _read(wanted: DataRequest, split: str, listing: Listing, size: int, fit: Fit, emit: Listener) -> Decoded:
    """A split from the cache, or decoded and cached."""
    what = f"{wanted.name} {split}"
    place = cache.place(wanted.root, listing, [wanted.source, size, wanted.skip_broken, wanted.resize_ratio, wanted.bicubic])
    if (found := cache.find(place, listing)) is not None:
        return found
    images, broken = decode_all(what, listing.files, size, fit, emit)
    if broken and not wanted.skip_broken:
        position, reason = next(iter(broken.items()))
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise ArchbenchError(f"cannot read {listing.files[position]}: {reason}{more}; --skip-broken goes on without it")
    labels = np.delete(np.array(listing.labels, dtype=np.int64), list(broken))
    if len(set(labels.tolist())) < len(set(listing.labels)):
        raise ArchbenchError(f"{wanted.name}: a class of {split}/ has no image that can be read")
    decoded = Decoded(Split(torch.from_numpy(images), torch.from_numpy(labels)), len(broken))
    cache.keep(place, what, decoded, emit)
    return decoded

"""Where the images of a set lie during a run: in memory, in a mapped cache on the disk, or in their files.

The rule of `--images-from auto`: in **memory** where the decoded images, what a training copies of them and the batches in use fit into
`--memory-limit`, less what the process takes already (without a limit: where the images fit into half of what is free, on the machine and
on the device, shared among all processes that hold them); else **mapped**, from a cache on the disk of `--data-dir`, where it fits into
nine tenths of what is free there or is there already; else from the **files**, decoded anew in each epoch. From memory and mapped a
training comes out the same, bit for bit; from the files it sees other parts of each image, and is another run.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from archbench import device as devices
from archbench.config import Settings
from archbench.data.dataset import Dataset
from archbench.data.feed import OVERHEAD_BYTES, least_bytes
from archbench.data.memory import check_fits, size_text
from archbench.data.request import DataRequest
from archbench.data.stored import StoredSplit
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice
from archbench.memory import available_bytes, resident_bytes

SHARE_OF_FREE = 0.5  # memory
SHARE_OF_DISK = 0.9
LEFT_BYTES = 32 * 2**20  # what decoding leaves in the process
FLOAT_BYTES = 4  # of a value that is a byte in an image


def room_bytes(wanted: DataRequest) -> int | None:
    """Memory that images may take, as the rule says; None where the system does not tell.

    Raises ArchbenchError where a limit leaves none.
    """
    free = [size for size in (_available_bytes(wanted), devices.choose(wanted.device).free_bytes()) if size is not None]
    if wanted.memory_limit is None:
        return int(SHARE_OF_FREE * min(free)) if free else None
    taken = resident_bytes()
    if wanted.memory_limit <= taken:
        raise ArchbenchError(
            f"--memory-limit: {size_text(wanted.memory_limit)} are less than the {size_text(taken)} that the process takes before any image"
        )
    return min([wanted.memory_limit - taken, *free])


def _available_bytes(wanted: DataRequest) -> int | None:
    """Free memory of the machine, for each process that holds the images."""
    free = available_bytes()
    return free if free is None else free // wanted.processes


def choose(wanted: DataRequest, needed_bytes: int, to_write_bytes: int, image_bytes: int, remedy: str, emit: Listener) -> str:
    """`memory`, `mapped` or `files` for images of so many bytes, of which so many are not in a cache yet; one takes `image_bytes`.

    Raises ArchbenchError, with the `remedy`, where they do not fit where the user wants them.
    """
    room, asked = room_bytes(wanted), wanted.images_from
    in_memory = needed_bytes
    if wanted.memory_limit is not None:
        in_memory += int(wanted.copies * needed_bytes) + least_bytes(wanted.batch_size * image_bytes) + LEFT_BYTES
    if asked == "memory":
        check_fits(wanted.name, in_memory, room if wanted.memory_limit else _available_bytes(wanted), remedy)
    if asked in ("memory", "files"):
        return asked
    if asked == "auto" and (room is None or in_memory <= room):
        return "memory"
    free_disk = _free_disk_bytes(wanted.root)
    fits = to_write_bytes <= SHARE_OF_DISK * free_disk
    decoded = f"{wanted.name} takes {size_text(needed_bytes)} decoded"
    short = f"its cache {size_text(to_write_bytes)} of the disk of {wanted.root}, where {size_text(free_disk)} are free"
    if fits:
        if asked == "auto":
            beside = f", {size_text(in_memory)} with batches and copies" if in_memory > needed_bytes else ""
            emit(
                Notice(f"{decoded}{beside}, and images may take {size_text(room or 0)} of memory: they are mapped from a cache on the disk")
            )
        return "mapped"
    if asked == "mapped":
        raise ArchbenchError(f"{decoded}, and {short}: --data-dir names another disk, --images-from files needs no cache")
    emit(Notice(f"{decoded}, and {short}: files are decoded anew in each epoch, a random resized crop of each"))
    return "files"


def copies(settings: Settings, whitened: bool) -> float:
    """How many times as many bytes as a whole set a training copies: a share of it, what is left and what is held out, whitened floats."""
    share = settings.train_fraction
    taken = share if share < 1 or settings.limit_train is not None else 0.0
    held_out = share if settings.val_fraction else 0.0
    return taken + held_out + (FLOAT_BYTES * share if whitened else 0.0)


def check_batch(dataset: Dataset, batch: int) -> None:
    """Raise ArchbenchError where a batch takes more memory than it may beside the images that lie there already."""
    split = dataset.test
    room = split.room_bytes if isinstance(split, StoredSplit) else _left_bytes(dataset)
    least = least_bytes(batch * math.prod(split.shape[1:]))
    if room is not None and least > room:
        raise ArchbenchError(
            f"a batch of {batch} images of {dataset.name} takes {size_text(least)} with the one that is read meanwhile, and images may "
            f"take {size_text(max(room, 0))} of memory: --memory-limit sets another limit, --batch-size a smaller batch"
        )


def _left_bytes(dataset: Dataset) -> int | None:
    """What a limit leaves beside images in memory, of which decoding has left something that counts as beside batches; None without one."""
    limit = dataset.request.memory_limit if dataset.request is not None else None
    return None if limit is None else limit - resident_bytes() + OVERHEAD_BYTES


def _free_disk_bytes(folder: Path) -> int:
    """Of the disk where a folder is, or will be."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free

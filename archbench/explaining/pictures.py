"""The images that are explained: some of a data set's test split, evenly over its classes, or files of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from archbench.data import Dataset, Split
from archbench.data.decoding import decode
from archbench.data.imagefolder import FILLED, fill
from archbench.data.listing import SUFFIXES, is_folder
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice
from archbench.models import Input
from archbench.publish.explained import UNKNOWN

GREY = np.array([0.299, 0.587, 0.114])  # of red, green and blue, as ITU-R BT.601 weighs them


@dataclass(frozen=True)
class Pictures:
    """Images uint8 `(N, C, H, W)`, labels int64 `(N,)`, -1 where there is none, a name for each, and where they come from."""

    images: torch.Tensor
    labels: torch.Tensor
    names: tuple[str, ...]
    source: str


def of_dataset(dataset: Dataset, n: int) -> Pictures:
    """The first `n` test images, one class after the other in turn. Raises ArchbenchError where there are fewer."""
    if n > len(dataset.test):
        raise ArchbenchError(f"--n {n}: {dataset.name} has {len(dataset.test)} test images")
    chosen = in_turn(dataset.test.labels.cpu().numpy())[:n]
    split: Split = dataset.test.take(torch.from_numpy(chosen)).loaded()
    return Pictures(split.images, split.labels, tuple(f"test {place}" for place in chosen), dataset.name)


def in_turn(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions such that the first of each class come first, then the second of each, and so on."""
    by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return by_class[np.lexsort((labels[by_class], rank))]


def of_folder(folder: Path, n: int, shape: Input, class_names: tuple[str, ...], emit: Listener) -> Pictures:
    """The first `n` image files below a folder, by name; a file in a folder that is called as a class is of it.

    Images of another size are scaled and cropped to the square, and a line says of how many. Raises ArchbenchError where there is none.
    """
    if not is_folder(folder):
        raise ArchbenchError(f"--images: there is no folder {folder}")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))[:n]
    if not files:
        raise ArchbenchError(f"--images: {folder} has no image ({', '.join(sorted(SUFFIXES))})")
    decoded = [_decoded(path, shape) for path in files]
    if other := [path for path in files if _size(path) != (shape.image_size,) * 2]:
        emit(Notice(f"{len(other)} of {len(files)} images are not {shape.image_size}x{shape.image_size} and were made so: {FILLED}"))
    labels = [class_names.index(path.parent.name) if path.parent.name in class_names else UNKNOWN for path in files]
    names = tuple(str(path.relative_to(folder)) for path in files)
    return Pictures(torch.from_numpy(np.stack(decoded)), torch.tensor(labels), names, folder.resolve().name)


def _decoded(path: Path, shape: Input) -> NDArray[np.uint8]:
    """uint8 `(C, size, size)`, grey where the network takes one channel."""
    found = decode(path, shape.image_size, fill)
    if isinstance(found, str):
        raise ArchbenchError(f"--images: {path} cannot be read: {found}")
    return found if shape.in_channels == len(found) else np.rint(np.tensordot(GREY, found, 1))[None].astype(np.uint8)


def _size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path) as image:
        return image.size

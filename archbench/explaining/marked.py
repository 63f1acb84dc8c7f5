"""From what somebody marked in images of a folder to objects, in the square that a network sees of each image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from archbench.data.imagefolder import fill
from archbench.data.markings import Box, Marks
from archbench.errors import ArchbenchError, unknown
from archbench.events import Listener, Notice
from archbench.explaining.objects import Objects

LONGEST_NAME = 80  # that is said
UPRIGHT, TURNED = 0x0112, (5, 6, 7, 8)  # EXIF's tag of how a camera was held, and its values where width and height change places


def marked(
    found: Marks, folder: Path, files: Sequence[str], classes: NDArray[np.int64], class_names: Sequence[str], size: int, emit: Listener
) -> Objects:
    """What is marked in these files below a folder, each scaled and cropped to `size` x `size` as `imagefolder` does.

    The object of an image is what is marked as of the class given, `(N,)`, or as of none; several of one class are one, with a box around
    all. Boxes are scaled and cropped with their image. Raises ArchbenchError for a class that is not in `class_names`, and as `Marks.of`.
    """
    own, others = np.zeros((2, len(files), size, size), dtype=bool)
    boxes = np.zeros((len(files), 4))
    for place, (file, number) in enumerate(zip(files, classes, strict=True)):
        width, height = upright_size(folder / file)
        seen = []
        for mark in found.of(file):
            if mark.name is not None and mark.name not in class_names:
                raise ArchbenchError(f"{mark.where}: {unknown('class of the network', mark.name[:LONGEST_NAME], class_names)}")
            mask = _fitted(mark.mask(width, height, file), size)
            if mark.name in (None, class_names[number]):
                own[place] |= mask
                seen.append(_cut(mark.box, width, height, size))
            else:
                others[place] |= mask
        if seen:
            each = np.array(seen)
            boxes[place] = *each[:, :2].min(axis=0), *each[:, 2:].max(axis=0)
    objects = Objects(own, others & ~own, boxes)
    if lost := int((~objects.there).sum()):
        emit(Notice(f"{lost} of {len(files)} images show no object of their map's class in the square that is cut from them"))
    return objects


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file as it is looked at."""
    with Image.open(path) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(UPRIGHT) in TURNED else (width, height)


def _fitted(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Pixels of the square of which the object has more than a half."""
    return np.asarray(fill(Image.fromarray(mask.astype(np.uint8) * 255), size)) > 127


def _cut(box: Box, width: int, height: int, size: int) -> NDArray[np.float64]:
    """A box in pixels of the square: the shorter side fills it, and as much of the longer is cut off on both ends; zeros if all is cut."""
    scale = size / min(width, height)
    left, top = ((side * scale - size) / 2 for side in (width, height))
    moved = (np.array(box) * scale - [left, top, left, top]).clip(0, size)
    return moved if (moved[2:] > moved[:2]).all() else np.zeros(4)

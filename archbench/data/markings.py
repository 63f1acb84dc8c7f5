"""Objects that somebody marked in images of a folder: a CSV of boxes, a COCO file, or an image of a mask beside each image."""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from archbench.data.boxes import around
from archbench.data.listing import SUFFIXES, is_folder
from archbench.errors import ArchbenchError, brief

COLUMNS = ("file", "left", "top", "right", "bottom")
CLASS = "class"
OPAQUE = {"RGBA": "RGB", "LA": "L", "CMYK": "L", "YCbCr": "L"}  # modes in which nothing may not be 0, and such in which it is
ROUNDED = 0.5  # of a pixel, that a box may reach over the border
NOTHING = (0.0, 0.0, 0.0, 0.0)  # the box around no pixel
Box = tuple[float, float, float, float]  # left, top, and the first pixels behind it to the right and below, in pixels of the upright image


@dataclass(frozen=True)
class Mark:
    """An object of an image: its box, and its mask's pixels where more is known; `where` is how a message names it.

    `name` is its class; without one it is the object that the image's own class is of.
    """

    where: str
    name: str | None
    box: Box
    outline: Callable[[int, int], NDArray[np.bool_]] | None = None  # from width and height to a mask (H, W)

    def mask(self, width: int, height: int, file: str) -> NDArray[np.bool_]:
        """Its pixels in an image of this size. Raises ArchbenchError for a box outside the image, or one without an area."""
        left, top, right, bottom = self.box
        exact = None if self.outline is None else self.outline(width, height)
        if exact is not None and self.box == NOTHING and not exact.any():  # a mask in which nothing is marked
            return exact
        said = f"{self.where}: the box {', '.join(f'{side:g}' for side in self.box)}"
        if not (left < right and top < bottom):
            raise ArchbenchError(f"{said} has no area; it is left, top, right, bottom")
        if not (min(left, top) >= -ROUNDED and right <= width + ROUNDED and bottom <= height + ROUNDED):
            raise ArchbenchError(f"{said} is not inside {file}, which is {width}x{height}")
        if exact is not None:
            return exact
        down, across = np.arange(height) + 0.5, np.arange(width) + 0.5
        return ((top <= down) & (down < bottom))[:, None] & ((left <= across) & (across < right))


@dataclass(frozen=True, eq=False)
class Marks:
    """What a source tells: of which `files`, by their names below the folder, with slashes, and what is marked in one of them, if anything.

    `of` raises ArchbenchError in one line that names the file at fault.
    """

    source: Path
    files: Collection[str]
    of: Callable[[str], Sequence[Mark]]

    def of_all(self, files: Sequence[str]) -> Marks:
        """The same. Raises ArchbenchError where it does not tell of each of these files."""
        without = [file for file in files if file not in self.files]
        if without and is_folder(self.source):
            called = Path(without[0]).with_suffix(".png")
            raise ArchbenchError(f"{self.source} has no mask for {without[0]}; it is an image called {called} there")
        if without:
            raise ArchbenchError(f"{self.source} has nothing of {len(without)} of {len(files)} images; the first is {without[0]}")
        return self


def marks(source: Path, files: Sequence[str]) -> Marks:
    """What is told of these files, perhaps not of all. Raises ArchbenchError in one line that names the file, line or entry at fault."""
    check(source)
    if is_folder(source):
        masks = _masks(source, files)
        return Marks(source, masks.keys(), lambda file: [_in_mask(masks[file], file)])
    found: dict[str, list[Mark]] = {}
    wanted = set(files)
    for file, mark in READERS[source.suffix.lower()](source):
        if file in wanted:
            found.setdefault(file, []).append(mark)
    return Marks(source, found.keys(), found.__getitem__)


def check(source: Path) -> None:
    """Raise ArchbenchError for what is neither a folder nor a file that may hold boxes."""
    if is_folder(source):
        return
    if source.suffix.lower() not in READERS:
        raise ArchbenchError(f"{source}: boxes are a .csv, a COCO file that ends in .json, or a folder of masks")
    if not source.exists():
        raise ArchbenchError(f"there is no file {source}")


def _masks(folder: Path, files: Sequence[str]) -> dict[str, Path]:
    """The mask of each image that has one: the file of the same name, with whatever suffix of an image."""
    by_stem: dict[Path, dict[str, Path]] = {}
    for parent in dict.fromkeys((folder / file).parent for file in files):
        there = sorted(path for path in parent.iterdir() if path.suffix.lower() in SUFFIXES) if is_folder(parent) else []
        by_stem[parent] = {path.stem: path for path in reversed(there)}
    found = {file: by_stem[(folder / file).parent].get(Path(file).stem) for file in files}
    return {file: path for file, path in found.items() if path is not None}


def _in_mask(path: Path, file: str) -> Mark:
    """The object in a mask: every pixel that is not 0, or not black, be it seen through or not."""
    try:
        with Image.open(path) as image:
            values = np.asarray(image.convert(OPAQUE[image.mode]) if image.mode in OPAQUE else image)
    except Exception as error:  # Pillow's readers raise many kinds for a damaged file
        raise ArchbenchError(f"the mask {path} cannot be read: {brief(error)}") from None
    mask = np.asarray(values.any(axis=2) if values.ndim == 3 else values != 0)
    left, top, right, bottom = map(float, around(mask))

    def whole(width: int, height: int) -> NDArray[np.bool_]:
        if mask.shape != (height, width):
            raise ArchbenchError(f"the mask {path} is {mask.shape[1]}x{mask.shape[0]}, and {file} is {width}x{height}")
        return mask

    return Mark(f"the mask {path}", None, (left, top, right, bottom), whole)


def _text(source: Path) -> str:
    try:
        return source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ArchbenchError(f"{source} cannot be read: {brief(error)}") from None


def _from_csv(source: Path) -> Iterator[tuple[str, Mark]]:
    rows = csv.DictReader(_text(source).splitlines(), strict=True)
    try:
        if missing := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
            raise ArchbenchError(f"{source} has no column {missing[0]!r}; its first line is {','.join(COLUMNS)}, and perhaps {CLASS}")
        if len(set(rows.fieldnames or ())) < len(rows.fieldnames or ()):
            raise ArchbenchError(f"{source} has a column twice: its first line is {','.join(COLUMNS)}, and perhaps {CLASS}")
        for row in rows:
            if None in row:
                raise ArchbenchError(f"{source.name} line {rows.line_num} has more values than the first line has columns")
            where = f"{source.name} line {rows.line_num}"
            yield row["file"], Mark(where, row.get(CLASS) or None, _box([row[side] for side in COLUMNS[1:]], where))
    except csv.Error as error:
        raise ArchbenchError(f"{source} is no CSV from line {rows.line_num + 1} on: {error}") from None


def _box(sides: Iterable[Any], where: str) -> Box:
    try:
        left, top, right, bottom = map(float, sides)
    except (TypeError, ValueError, OverflowError):
        raise ArchbenchError(f"{where}: a box is four numbers, {', '.join(COLUMNS[1:])}") from None
    return left, top, right, bottom


def _from_coco(source: Path) -> Iterator[tuple[str, Mark]]:
    """Boxes are left, top, width and height there."""
    try:
        whole = json.loads(_text(source))
        files = {each["id"]: str(each["file_name"]) for each in whole["images"]}
        names = {each["id"]: each["name"] for each in whole["categories"]}
        for number, each in enumerate(whole["annotations"]):
            where = f"{source.name} annotation {each.get('id', number)}"
            left, top, width, height = _box(each["bbox"], where)
            box = (left, top, left + width, top + height)
            yield files[each["image_id"]], Mark(where, names[each["category_id"]], box, _outline(each.get("segmentation"), where))
    except json.JSONDecodeError as error:
        raise ArchbenchError(f"{source} is no JSON: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ArchbenchError(f"{source} is no COCO file of objects: {type(error).__name__} {brief(error)}") from None


def _outline(segmentation: Any, where: str) -> Callable[[int, int], NDArray[np.bool_]] | None:
    """Polygons, or counts of pixels column by column, nothing first."""
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        polygons = [[float(number) for number in each] for each in segmentation]
        if not all(map(math.isfinite, itertools.chain.from_iterable(polygons))):
            raise ArchbenchError(f"{where}: a polygon has a number that is not finite")
        if any(len(each) < 6 or len(each) % 2 for each in polygons):
            raise ArchbenchError(f"{where}: a polygon has at least three pairs of numbers")
        return lambda width, height: _drawn(polygons, width, height)
    if isinstance(segmentation["counts"], str):
        raise ArchbenchError(f"{where}: a mask in COCO's compressed form is not read; leave it out, or decode it with pycocotools")
    size, counts = segmentation.get("size"), [int(count) for count in segmentation["counts"]]
    if counts != segmentation["counts"] or min(counts, default=-1) < 0:
        raise ArchbenchError(f"{where}: a mask's counts are how many pixels follow each other, none below 0")

    def laid_out(width: int, height: int) -> NDArray[np.bool_]:
        if size not in (None, [height, width]):
            raise ArchbenchError(f"{where}: a mask of size {size}, height and width, is not of an image of {width}x{height}")
        if sum(counts) != width * height:
            raise ArchbenchError(f"{where}: a mask of {sum(counts)} pixels is not of an image of {width}x{height}")
        return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T

    return laid_out


def _drawn(polygons: list[list[float]], width: int, height: int) -> NDArray[np.bool_]:
    image = Image.new("1", (width, height))
    for polygon in polygons:
        ImageDraw.Draw(image).polygon(polygon, fill=1)
    return np.asarray(image, dtype=bool)


READERS: dict[str, Callable[[Path], Iterator[tuple[str, Mark]]]] = {".csv": _from_csv, ".json": _from_coco}

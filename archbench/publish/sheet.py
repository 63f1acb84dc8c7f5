"""A sheet of images with their maps: each map at its own places, and enlarged over its image, with what the network said."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archbench.errors import ArchbenchError
from archbench.publish.explained import Column, Explained
from archbench.publish.laying import Centres, laid
from archbench.records.store import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, UNEVEN = 1.6, 2.0  # width over height that is best, as a slide's; how much a share of empty places counts against that
CELL_INCH, WORDS_INCH, GAP_INCH, EDGE_INCH, HEAD_INCH, LINE_INCH = 0.95, 0.2, 0.07, 0.25, 0.62, 0.13
NETWORK_GAP_INCH, BLOCK_GAP_INCH = 0.08, 0.36  # more between networks, and between blocks
INK, SOFT, EDGE, WRONG, BOX = "#1a1a1a", "#6b6b6b", "#c8c8c8", "#b3261e", "#d81b60"
POSITIVE, SIGNED = "viridis", "RdBu_r"
COVER, PALE = 0.72, 0.35  # opacity of the strongest place; how far a grey image is moved towards white beneath a map
RESOLUTION, SHOWN, FOOT_SIZE = 160, 6, 6.5  # dots an inch of a PNG; digits of a Record's id; points of the words below all


@dataclass(frozen=True)
class Layout:
    """Where the cells lie, in inches: blocks beside each other, in each a row an image, and in a row the image and two cells a network."""

    images: int
    networks: int
    foot: str
    blocks: int

    @classmethod
    def of(cls, images: int, networks: int, foot: str) -> Layout:
        """That with so many blocks that the sheet comes nearest to the shape of a slide, and few places stay empty."""
        return min((cls(images, networks, foot, blocks) for blocks in range(1, images + 1)), key=lambda layout: layout.badness)

    @property
    def badness(self) -> float:
        """How far it is from the best shape, and how uneven its blocks are."""
        empty = self.blocks * self.rows / self.images - 1
        return abs(math.log(self.width_inch / self.height_inch / WIDE)) + UNEVEN * empty

    @property
    def cells(self) -> int:
        """Cells beside each other in a block."""
        return 1 + 2 * self.networks

    @property
    def rows(self) -> int:
        """In the first block."""
        return math.ceil(self.images / self.blocks)

    @property
    def block_inch(self) -> float:
        """Width of a block."""
        return self.cells * CELL_INCH + (self.cells - 1) * GAP_INCH + self.networks * NETWORK_GAP_INCH

    @property
    def width_inch(self) -> float:
        """Of the sheet."""
        return 2 * EDGE_INCH + self.blocks * self.block_inch + (self.blocks - 1) * BLOCK_GAP_INCH

    @property
    def height_inch(self) -> float:
        """Of the sheet."""
        return HEAD_INCH + self.rows * (CELL_INCH + WORDS_INCH) + EDGE_INCH + len(self.foot_lines) * LINE_INCH

    @property
    def foot_lines(self) -> list[str]:
        """The words below all, in lines that fit."""
        return textwrap.wrap(self.foot, _letters(self.width_inch - 2 * EDGE_INCH, FOOT_SIZE))

    def left(self, block: int, cell: int) -> float:
        """Of a cell."""
        within = cell * (CELL_INCH + GAP_INCH) + (cell + 1) // 2 * NETWORK_GAP_INCH
        return EDGE_INCH + block * (self.block_inch + BLOCK_GAP_INCH) + within

    def bottom(self, row: int) -> float:
        """Of the cells of a row; the words stand below."""
        return self.height_inch - HEAD_INCH - row * (CELL_INCH + WORDS_INCH) - CELL_INCH


def figure(explained: Explained) -> Figure:
    """The sheet, for matplotlib to write."""
    from matplotlib.figure import Figure

    layout = Layout.of(len(explained.images), len(explained.columns), _caption(explained))
    sheet = Figure(figsize=(layout.width_inch, layout.height_inch), facecolor="white")
    for block in range(layout.blocks):
        _head(sheet, layout, block, explained)
    for place in range(layout.images):
        _row(sheet, layout, place, explained)
    for above, line in enumerate(reversed(layout.foot_lines)):
        bottom = (EDGE_INCH / 2 + above * LINE_INCH) / layout.height_inch
        sheet.text(EDGE_INCH / layout.width_inch, bottom, line, fontsize=FOOT_SIZE, color=SOFT)
    return sheet


def _write(explained: Explained, file: IO[bytes], form: str) -> None:
    """The sheet as `png` or `svg`; the same maps give the same bytes."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "archbench", "svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure(explained).savefig(file, format=form, dpi=RESOLUTION, metadata=metadata)


WRITERS: dict[str, Callable[[Explained, IO[bytes]], None]] = {
    ".png": functools.partial(_write, form="png"),
    ".svg": functools.partial(_write, form="svg"),
    ".npz": Explained.write,
}


def check(out: Path) -> None:
    """Raise ArchbenchError for a file that cannot be written as a sheet or as arrays."""
    if out.suffix.lower() not in WRITERS:
        raise ArchbenchError(f"--out {out}: the file's name ends in {', '.join(WRITERS)}")
    if out.is_dir():
        raise ArchbenchError(f"{out} is a folder; --out names the file to write")
    if not out.parent.is_dir():
        raise ArchbenchError(f"there is no folder {out.parent} to write {out.name} in")


def save(explained: Explained, out: Path) -> None:
    """Write the sheet or the arrays, whole or not at all."""
    check(out)
    write_atomically(out, functools.partial(WRITERS[out.suffix.lower()], explained))


def _head(sheet: Figure, layout: Layout, block: int, explained: Explained) -> None:
    """The names above the columns of a block, which stay within them."""
    top = layout.height_inch - HEAD_INCH
    higher = 0.13 * any("+" in column.title for column in explained.columns)
    for number, column in enumerate(explained.columns):
        left = layout.left(block, 1 + 2 * number)
        name, plus, knobs = column.title.partition("+")
        for text, above, size, colour in (
            (name, 0.26 + higher, 8.5, INK),
            (plus + knobs, 0.26, 7.0, INK),
            (_where(column), 0.1, 6.0, SOFT),
        ):
            place = (left / layout.width_inch, (top + above) / layout.height_inch)
            sheet.text(*place, _cut(text, 2 * CELL_INCH, size), fontsize=size, color=colour)


def _where(column: Column) -> str:
    """`f7b621 · 8×8 at features`."""
    places = "×".join(map(str, column.maps.shape[1:]))
    return f"{column.record[:SHOWN]} · {places}{f' at {column.layer}' if column.layer else ''}"


def _cut(text: str, inches: float, size: float) -> str:
    """Text that fits, by the mean width of its letters."""
    most = _letters(inches, size)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _letters(inches: float, size: float) -> int:
    """How many fit, of so many points, by their mean width."""
    return int(inches * 72 / (0.56 * size))


def _row(sheet: Figure, layout: Layout, place: int, explained: Explained) -> None:
    """One image, and what each network makes of it."""
    block, row = divmod(place, layout.rows)
    image = _pixels(explained.images[place])
    truth = explained.truth(place)
    under = truth or explained.names[place].rpartition("/")[2]
    _cell(sheet, layout, block, row, 0, under, INK if truth else SOFT).imshow(image, interpolation="nearest")
    for number, column in enumerate(explained.columns):
        values = column.maps[place].astype(np.float64)
        predicted, shown = column.predicted[place], column.shown[place]
        said = _said(explained, column, place, predicted)
        known_wrong = bool(truth) and predicted != explained.labels[place]
        cell = _cell(sheet, layout, block, row, 1 + 2 * number, said, WRONG if known_wrong else INK)
        colours = _colours(values, explained)
        cell.imshow(colours(values), interpolation="nearest")
        other = _said(explained, column, place, shown) if shown != predicted else ""
        over = _cell(sheet, layout, block, row, 2 + 2 * number, other, SOFT)
        laid_over = _over(image, values, column.centres, colours)
        over.imshow(laid_over, interpolation="nearest")
        if column.found is not None:
            _box(over, column.found["box"][place] * len(laid_over) / len(image))


def _said(explained: Explained, column: Column, place: int, number: int) -> str:
    """`ring −1.4`: a class and its logit."""
    logit = f"{column.logits[place, number]:.1f}".replace("-0.0", "0.0").replace("-", "−")
    return f"{explained.class_names[number]} {logit}"


def _cell(sheet: Figure, layout: Layout, block: int, row: int, cell: int, words: str, colour: str) -> Axes:
    """An empty square with words below."""
    whole = (layout.width_inch, layout.height_inch)
    left, bottom = layout.left(block, cell), layout.bottom(row)
    axes = sheet.add_axes((left / whole[0], bottom / whole[1], CELL_INCH / whole[0], CELL_INCH / whole[1]))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(linewidth=0.4, color=EDGE)
    sheet.text(left / whole[0], (bottom - 0.095) / whole[1], _cut(words, CELL_INCH, 7), fontsize=7, color=colour, va="center")
    return axes


def _box(axes: Axes, box: NDArray[np.float64]) -> None:
    """The known object's, in pixels of what is drawn."""
    from matplotlib.patches import Rectangle

    left, top, right, bottom = box
    axes.add_patch(Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, linewidth=0.9, edgecolor=BOX))


def _pixels(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """`(H, W, 3)` from 0 to 1."""
    channels = image if len(image) == 3 else image[:1].repeat(3, axis=0)
    pixels: NDArray[np.float64] = channels.transpose(1, 2, 0) / 255
    return pixels


def _colours(values: NDArray[np.float64], explained: Explained) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """From values of this map to colours `(..., 3)`: about zero where the method knows evidence against the class."""
    from matplotlib import colormaps

    largest = float(np.abs(values).max()) or 1.0
    if _is_signed(explained):
        return lambda found: np.asarray(colormaps[SIGNED]((found / largest + 1) / 2))[..., :3]
    return lambda found: np.asarray(colormaps[POSITIVE](found / largest))[..., :3]


def _is_signed(explained: Explained) -> bool:
    return any(bool((column.maps < 0).any()) for column in explained.columns)


def _over(
    image: NDArray[np.float64], values: NDArray[np.float64], centres: Centres, colours: Callable[..., NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The map laid over the image, which is grey and pale beneath it: the stronger a place, the more it covers."""
    size = image.shape[0] * max(1, round(CELL_INCH * RESOLUTION / image.shape[0]))
    (large,) = laid(values[None], size, centres * size / len(image)).astype(np.float64)
    grey = (image @ np.array([0.299, 0.587, 0.114])).repeat(size // len(image), 0).repeat(size // len(image), 1)[..., None]
    pale = grey + PALE * (1 - grey)
    strength = COVER * (np.abs(large) / (np.abs(values).max() or 1.0))[..., None]
    mixed: NDArray[np.float64] = np.clip(pale * (1 - strength) + colours(large) * strength, 0, 1)
    return mixed


def _caption(explained: Explained) -> str:
    """What is seen, on one line."""
    whose = {"predicted": "of the predicted class", "truth": "of the true class"}.get(explained.of, f"of the class {explained.of}")
    scale = "red speaks for the class, blue against it" if _is_signed(explained) else "yellow is the most, dark is none"
    return (
        f"{explained.source} · {explained.method} {whose}: at its own places, and over the image · {scale}, each map by its own largest"
        " · below: truth; prediction and its logit, red if wrong"
        f"{'; that of the map' if explained.of != 'predicted' else ''}"
    )

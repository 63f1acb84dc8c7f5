"""Names beside points: each at the first place where it covers no other name and no mark, nor does a line to it; else it is left out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from archbench.publish.figures.look import FAINT, POINTS
from archbench.publish.figures.sheet import Sheet

Boxes = NDArray[np.float64]  # a row each: left, bottom, right, top, in pixels
Box = tuple[float, float, float, float]
# where a name stands, across (beside the mark, over its end, over its middle) and up, in the order in which places are tried
BESIDE, END, MIDDLE = 1.0, 0.5, 0.0
SIDES = (
    *((BESIDE, 0), (BESIDE, 1), (BESIDE, -1), (MIDDLE, 1), (MIDDLE, -1), (-BESIDE, 1), (-BESIDE, -1), (-BESIDE, 0)),
    *((END, 1), (END, -1), (-END, 1), (-END, -1)),
)
RINGS = (1.0, 2.2, 3.6, 5.2, 7.0, 9.0)  # distances from the point, in half the height of a line
RIGHT_BESIDE, ANYWHERE = 1, len(RINGS)  # of the rings
FROM_HERE_A_LINE_LEADS = 2.0
APART = 0.4  # between two names in a row, in the size of their letters
APART_PT = 4.0  # length of the pieces of a line that are taken
BEHIND: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.2}  # so that a name is read on a line
NAMED: Any = {"ha": "left", "va": "center_baseline", "bbox": BEHIND, "zorder": 2.8}  # below the marks, above the lines


@dataclass(frozen=True)
class Point:
    """A point in data coordinates with its name, and how far its mark and its intervals reach, in data coordinates."""

    x: float
    y: float
    name: str
    bars: Sequence[tuple[float, float]] = ()  # ends of lines that begin at the point


@dataclass
class Placing:
    """What is taken on a pair of axes, and what was put there."""

    axes: Axes
    sheet: Sheet
    taken: list[Box] = field(default_factory=list)
    marks: list[Box] = field(default_factory=list)
    crossed: list[Box] = field(default_factory=list)  # lines: what is covered where nothing else is left
    names: list[Box] = field(default_factory=list)
    leads: list[Box] = field(default_factory=list)  # lines from marks to names
    bars: list[Box] = field(default_factory=list)  # intervals
    written: list[Artist] = field(default_factory=list)

    def avoid(self, points: Sequence[Point], mark_pt: float) -> None:
        """Take the marks, `mark_pt` wide, and the intervals of points."""
        half = self._pixels(mark_pt) / 2
        for point in points:
            x, y = self._at(point.x, point.y)
            self.marks.append((x - half, y - half, x + half, y + half))
            self.taken.append(self.marks[-1])
            for end in point.bars:
                ex, ey = self._at(*end)
                self.bars.append((min(x, ex) - 1, min(y, ey) - 1, max(x, ex) + 1, max(y, ey) + 1))
                self.taken.append(self.bars[-1])

    def avoid_line(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """Take a line through these points."""
        ends = [self._at(x, y) for x, y in zip(xs, ys, strict=True)]
        for start, end in itertools.pairwise(ends):
            self.crossed += self._along(start, end)

    def avoid_corner(self, part: float, height_in: float) -> None:
        """Take the lower right corner, a part of the width and so many inches high."""
        frame = self.axes.get_window_extent()
        self.taken.append((frame.x1 - part * frame.width, frame.y0, frame.x1, frame.y0 + height_in * self.sheet.look.style.dpi))

    def _along(self, start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
        """Boxes that together hold a line."""
        steps = int(math.dist(start, end) / self._pixels(APART_PT)) + 1
        pairs = itertools.pairwise(np.linspace(start, end, steps + 1).tolist())
        return [(min(x, to_x) - 1, min(y, to_y) - 1, max(x, to_x) + 1, max(y, to_y) + 1) for (x, y), (to_x, to_y) in pairs]

    def write(self, points: Sequence[Point], mark_pt: float, reach: int = ANYWHERE) -> list[str]:
        """Write the names, the first points first; those for which there is no room are returned.

        `reach` is in how many rings a place is looked for.
        """
        size = self.sheet.look.style.small_pt
        left_out = []
        for point in points:
            place = self._place(point, mark_pt, size, RINGS[:reach])
            if place is None:
                left_out.append(point.name)
                continue
            (left, low, right, high), led = place
            apart = self._pixels(APART * size)
            self.names.append((left, low, right, high))
            self.taken.append((left - apart, low, right + apart, high))
            x, y = self.axes.transAxes.inverted().transform((left, (low + high) / 2))
            self.written.append(self.axes.text(x, y, point.name, transform=self.axes.transAxes, size=size, **NAMED))
            if led:
                self._lead(point, place[0])
        return left_out

    def erase(self) -> None:
        """Take away what was written."""
        for artist in self.written:
            artist.remove()

    def _place(self, point: Point, mark_pt: float, size_pt: float, rings: Sequence[float]) -> tuple[Boxes, bool] | None:
        """The box of a name, and whether a line must lead to it."""
        x, y = self._at(point.x, point.y)
        width = self.sheet.letters.width_in(point.name, size_pt) * self.sheet.look.style.dpi
        height = self._pixels(1.15 * size_pt)
        boxes, tried = _around(x, y, width, height, self._pixels(mark_pt) / 2, rings)
        free = self._inside(boxes) & ~_touching(boxes, self.taken)
        if not free.any():
            return None
        clear = free & ~_touching(boxes, self.crossed)
        for places in (clear, free):
            for place in np.flatnonzero(places):
                led = tried[place] >= FROM_HERE_A_LINE_LEADS
                if not led or not self._leads_over(x, y, boxes[place]):
                    return boxes[place], led
        return None

    def _leads_over(self, x: float, y: float, box: Boxes) -> bool:
        """Whether a line from a point to its name would run over another mark, name or such line, or look like an interval of its own."""
        along = np.array(self._along((x, y), _nearest(x, y, box)))
        marks = [mark for mark in self.marks if not (mark[0] < x < mark[2] and mark[1] < y < mark[3])]
        own = [bar for bar in self.bars if bar[0] < x < bar[2] and bar[1] < y < bar[3]]
        return bool(_touching(along, [*marks, *self.names, *self.leads]).any() or _touching(along[-1:], own).any())

    def _inside(self, boxes: Boxes) -> NDArray[np.bool_]:
        frame = self.axes.get_window_extent()
        inside: NDArray[np.bool_] = (
            (boxes[:, 0] >= frame.x0 + 1) & (boxes[:, 1] >= frame.y0 + 1) & (boxes[:, 2] <= frame.x1) & (boxes[:, 3] <= frame.y1)
        )
        return inside

    def _lead(self, point: Point, box: Boxes) -> None:
        x, y = self._at(point.x, point.y)
        end = _nearest(x, y, box)
        self.leads += (along := self._along((x, y), end))
        self.taken += along
        xs, ys = self.axes.transAxes.inverted().transform([(x, y), end]).T
        how: dict[str, Any] = {"color": FAINT, "linewidth": 0.4 * self.sheet.look.scale, "zorder": 2.5}
        self.written += self.axes.plot(xs, ys, transform=self.axes.transAxes, **how)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        x_px, y_px = self.axes.transData.transform((x, y))
        return float(x_px), float(y_px)

    def _pixels(self, points: float) -> float:
        return points * self.sheet.look.style.dpi / POINTS


def _around(x: float, y: float, width: float, height: float, mark: float, rings: Sequence[float]) -> tuple[Boxes, list[float]]:
    """The places that are tried around a point, nearest first, and the ring of each."""
    boxes, tried = [], []
    for ring in rings:
        for across, up in SIDES:
            beside = abs(across) == BESIDE
            away = mark + (ring - 0.7) * height / 2 + width / 2 if beside else width / 2 - mark
            middle_x = x + np.sign(across) * away
            middle_y = y + up * (ring * height / 2 + (0 if beside else mark))
            boxes.append((middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2))
            tried.append(ring)
    return np.array(boxes), tried


def _nearest(x: float, y: float, box: Boxes) -> tuple[float, float]:
    """The point of a box that is nearest to another."""
    return min(max(x, float(box[0])), float(box[2])), min(max(y, float(box[1])), float(box[3]))


def _touching(boxes: Boxes, others: Sequence[Box] | Boxes) -> NDArray[np.bool_]:
    """Which of the boxes overlap any of the others."""
    taken = np.asarray(others, dtype=float).reshape(-1, 4)
    apart = (
        (boxes[:, None, 2] <= taken[None, :, 0])
        | (boxes[:, None, 0] >= taken[None, :, 2])
        | (boxes[:, None, 3] <= taken[None, :, 1])
        | (boxes[:, None, 1] >= taken[None, :, 3])
    )
    return np.asarray((~apart).any(axis=1), dtype=bool)

"""Where the members of a lineage stand: across by year, down in rows in which no name meets another and few lines cross a name."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.path import Path
from numpy.typing import NDArray

from archbench.publish.figures.years import Years

CODES = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
AWAY = 0.85  # of a name from the middle of its mark, in widths of a mark
FIRST = 0.3  # of a mark from the beginning of its year's band
CLOSE = 0.38  # of a row: where a curve runs through what stands in the row
BOWS = (0.0, 0.75, -0.75, 1.5, -1.5)  # rows by which a line leaves its own, three quarters of them in the middle; upwards first
CROSSING, FAR, OUTSIDE, LEFT = 4.0, 0.8, 1.0, 0.4  # what a crossing, a row of distance, a row more, and a name on the left cost
EDGE = 0.6  # rows that a line may be above the first one and below the last
TRIED = 40  # places in rows, from the nearest on
DEEPEST = 8  # in one year
SWEEPS, MOST_SWEPT = 3, 80  # times that each member is put where it is best by then; of so many members at most
_T = np.linspace(0, 1, 17)[1:-1, None]
_BEZIER = np.hstack([(1 - _T) ** 3, 3 * (1 - _T) ** 2 * _T, 3 * (1 - _T) * _T**2, _T**3])

Place = tuple[float, float]
Span = tuple[float, float, bool]  # from, to, and whether the name is on the left


@dataclass(frozen=True)
class Member:
    """`depth` counts ancestors of its own year in a row; `children` are those that are shown."""

    name: str
    year: float
    parents: tuple[str, ...]
    depth: int
    children: tuple[str, ...]


@dataclass(frozen=True)
class Room:
    """What there is, in inches: the width of all, a mark's, and that of each name that is written; what a depth adds to a year's width."""

    width_in: float
    mark_in: float
    names_in: Mapping[str, float]
    sub_year: float


@dataclass(frozen=True)
class Laid:
    """Places in widths of a year and in rows, curves between them, whose names stand on the left, and how many rows there are."""

    at: Mapping[str, Place]
    curves: Sequence[Sequence[Place]]
    named_left: frozenset[str]
    rows: int


def members(rows: Sequence[Mapping[str, Any]]) -> list[Member]:
    """The members by year and depth."""
    parents = {row["model"]: tuple(row["parents"]) for row in rows}
    years = {row["model"]: float(row["year"]) for row in rows}
    of_year = {name: [each for each in found if years[each] == years[name]] for name, found in parents.items()}
    depths = dict.fromkeys(parents, 0)
    for _ in range(DEEPEST):
        depths = {name: max((depths[each] + 1 for each in found), default=0) for name, found in of_year.items()}
    children = {name: tuple(other for other, found in parents.items() if name in found) for name in parents}
    made = [Member(name, years[name], parents[name], depths[name], children[name]) for name in parents]
    return sorted(made, key=lambda each: (each.year, each.depth))


def widths(found: Iterable[Member], sub_year: float) -> dict[float, float]:
    """How wide each year is: one, and more where some took from others of the same year."""
    deepest: dict[float, int] = {}
    for each in found:
        deepest[each.year] = max(deepest.get(each.year, 0), each.depth)
    return {year: 1 + sub_year * depth for year, depth in deepest.items()}


def laid_out(found: Sequence[Member], years: Years, room: Room) -> Laid:
    """Each member in the row that is best for it, by year and then again once all stand; rows count from 0, from above."""
    canvas = _Canvas(found, years, room)
    for each in found:
        canvas.put(each)
    for _ in range(SWEEPS if len(found) <= MOST_SWEPT else 0):
        for each in found:
            canvas.take_away(each)
            canvas.put(each)
    return canvas.laid()


def curve(start: Place, end: Place, bow: float = 0.0) -> list[Place]:
    """From parent to child, level at both ends: the four points of a cubic Bézier curve. A `bow` leaves the row, upwards above 0."""
    (x0, y0), (x1, y1) = start, end
    pull = max(0.5 * (x1 - x0), 0.25) if not bow else 0.2 * (x1 - x0)
    return [(x0, y0), (x0 + pull, y0 - bow), (x1 - pull, y1 - bow), (x1, y1)]


@dataclass
class _Canvas:
    """Who stands where, what they take of a row, and points along the curves to their parents and children."""

    found: Sequence[Member]
    years: Years
    room: Room
    at: dict[str, Place] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    drawn: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)

    def put(self, each: Member) -> None:
        """Where it costs least."""
        x = self._across(each)
        kin = [name for name in (*each.parents, *each.children) if name in self.at]
        middle = statistics.fmean(self.at[name][1] for name in kin) if kin else 0.0
        used = [int(row) for _, row in self.at.values()] or [0]
        drawn = np.concatenate([np.empty((0, 2)), *self.drawn.values()])
        costs: list[tuple[float, float, int, Span, dict[tuple[str, str], NDArray[np.float64]]]] = []
        for row in sorted(range(min(used) - 1, max(used) + 2), key=lambda row: abs(row - middle)):
            spans = [span for span in self._spans(each, x) if self._is_free(row, span)]
            if not spans:
                continue
            lines = {self._line(each.name, name): self._along((x, row), name) for name in kin}
            near = FAR * abs(row - middle) + OUTSIDE * (row not in used) + CROSSING * self._run_through(lines.values())
            for span in spans:
                under = (np.abs(drawn[:, 1] - row) < CLOSE) & (drawn[:, 0] > span[0]) & (drawn[:, 0] < span[1])
                costs.append((near + CROSSING * min(int(under.sum()), 3) / 2 + LEFT * span[2], abs(row - middle), row, span, lines))
            if len(costs) >= TRIED:
                break
        _, _, row, span, lines = min(costs, key=lambda cost: cost[:3])
        self.at[each.name], self.spans[each.name] = (x, row), span
        self.drawn |= lines

    def take_away(self, each: Member) -> None:
        """As if it had never stood there."""
        del self.at[each.name], self.spans[each.name]
        self.drawn = {ends: line for ends, line in self.drawn.items() if each.name not in ends}

    def laid(self) -> Laid:
        """Rows that came to be empty are left out."""
        used = sorted({row for _, row in self.at.values()})
        at = {name: (x, float(used.index(row))) for name, (x, row) in self.at.items()}
        self.at = at
        curves = [self._clearest(at[name], at[each.name], len(used)) for each in self.found for name in each.parents]
        return Laid(at, curves, frozenset(name for name, span in self.spans.items() if span[2]), len(used))

    def _clearest(self, start: Place, end: Place, rows: int) -> list[Place]:
        """The curve that runs through the fewest marks and names, as level as it can be, and within the rows."""
        drawn = [curve(start, end, bow) for bow in BOWS]
        along = [_BEZIER @ np.array(each) for each in drawn]
        costs = [
            (points[:, 1].min() < -EDGE or points[:, 1].max() > rows - 1 + EDGE, self._run_through([points]), place)
            for place, points in enumerate(along)
        ]
        return drawn[min(costs)[-1]]

    def _across(self, each: Member) -> float:
        return self.years.bands[each.year][0] + FIRST + self.room.sub_year * each.depth

    def _line(self, one: str, other: str) -> tuple[str, str]:
        return min(one, other), max(one, other)

    def _along(self, place: Place, other: str) -> NDArray[np.float64]:
        """Points along the curve between a member and one of its kin, from left to right."""
        ends = sorted([place, self.at[other]], key=lambda end: end[0])
        along: NDArray[np.float64] = _BEZIER @ np.array(curve(ends[0], ends[1]))
        return along

    def _spans(self, each: Member, x: float) -> list[Span]:
        """What a member takes of a row, its name on the right, or on the left where that is within the edges."""
        unit = self.years.width / self.room.width_in
        mark, name = self.room.mark_in * unit, self.room.names_in.get(each.name, 0.0) * unit
        near, far = 0.8 * mark, (AWAY + 0.5 * bool(name)) * mark + name
        spans = [(x - near, x + far, False), (x - far, x + near, True)]
        return [span for span in spans if span[0] >= 0 and span[1] <= self.years.width] or spans[:1]

    def _is_free(self, row: int, span: Span) -> bool:
        return all(self.at[name][1] != row or span[1] <= other[0] or span[0] >= other[1] for name, other in self.spans.items())

    def _run_through(self, lines: Iterable[NDArray[np.float64]]) -> int:
        """How many names these curves run through; a mark, at which a line would seem to end, counts three times."""
        along = np.concatenate([np.empty((0, 2)), *lines])
        if not self.spans or not len(along):
            return 0
        spans = np.array([(self.at[name][1], *span[:2]) for name, span in self.spans.items()])
        x, y = along[:, :1], along[:, 1:]
        in_row = np.abs(y - spans[:, 0]) < CLOSE
        through = (in_row & (x > spans[:, 1]) & (x < spans[:, 2])).any(axis=0)
        beyond = np.array([place[0] for place in self.at.values()])
        over = (in_row & (x < beyond)).any(axis=0) & (in_row & (x > beyond)).any(axis=0)
        return int(through.sum()) + 2 * int((through & over).sum())

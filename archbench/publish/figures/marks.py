"""Marks with their intervals, hollow where a figure is doubtful, and the panels that they stand in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from archbench.publish.figures.labels import Point
from archbench.publish.figures.look import LINES, POINTS, Look
from archbench.publish.figures.sheet import Sheet

MARK_PT, MANY = 4.2, 100  # width of a mark; of more marks each is smaller
PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
HOLLOW = "hollow: in doubt ({})"
STEPS = ((1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1, 3), (1,))  # of a decade
MOST_TICKS = 5
TICK_WIDE, NUMBER_WIDE, TICK_HIGH = 4.6, 2.2, 1.6  # of the words at a tick, or its number alone, in the size of their letters
LEAST_LINES = 6.0  # height of a panel
BETWEEN_PANELS, BESIDE_PANELS = 4.0, 10.0  # lines between two panels, and small lines that a page has beside them
STACKED = 0.75  # height of a panel below others, as a part of one beside others
MARGIN = 0.06  # free around the points of a panel, as a part of it


@dataclass(frozen=True)
class Mark:
    """A point with its shape and colour, hollow where it is in doubt, and the ends of its intervals along both axes, if it has any."""

    x: float
    y: float
    shape: str
    color: str
    hollow: bool = False
    x_ends: tuple[float, float] | None = None
    y_ends: tuple[float, float] | None = None

    @property
    def bars(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        """Its intervals as lines."""
        along_x = [((self.x_ends[0], self.y), (self.x_ends[1], self.y))] if self.x_ends else []
        return along_x + ([((self.x, self.y_ends[0]), (self.x, self.y_ends[1]))] if self.y_ends else [])

    def named(self, name: str) -> Point:
        """What the placing of names must know of it."""
        return Point(self.x, self.y, name, [end for bar in self.bars for end in bar])


def known(figures: Sequence[float | None]) -> dict[str, float | None]:
    """A value and the ends of its interval, as a picture's row holds them."""
    there = [None if figure is None or math.isnan(figure) else float(figure) for figure in figures]
    return dict(zip(("value", "low", "high"), there, strict=True))


def upright(figures: Mapping[str, float | None], x: float, shape: str, color: str, hollow: bool = False) -> Mark:
    """The mark of a value that is `known`, with its interval up and down."""
    value, low, high = figures["value"], figures["low"], figures["high"]
    assert value is not None
    return Mark(x, value, shape, color, hollow, y_ends=None if low is None or high is None else (low, high))


def draw(axes: Axes, look: Look, marks: Sequence[Mark]) -> None:
    """Marks over their intervals, the last on top among those that look alike."""
    for color in dict.fromkeys(mark.color for mark in marks):
        bars = [bar for mark in marks if mark.color == color for bar in mark.bars]
        lines = LineCollection(bars, colors=color, linewidths=0.7 * look.scale, alpha=0.55, zorder=2, capstyle="butt")
        axes.add_collection(lines, autolim=False)
    for alike in dict.fromkeys((mark.shape, mark.color, mark.hollow) for mark in marks):
        members = [mark for mark in marks if (mark.shape, mark.color, mark.hollow) == alike]
        shape, color, hollow = alike
        xs, ys = [mark.x for mark in members], [mark.y for mark in members]
        axes.plot(xs, ys, shape, zorder=3, **_how(look, color, hollow, len(marks)))


def handle(look: Look, mark: str, color: str, hollow: bool = False) -> Line2D:
    """A mark for a legend."""
    return Line2D([], [], marker=mark, linestyle="None", **_how(look, color, hollow))


def width_pt(look: Look, count: int = 1) -> float:
    """How wide a mark is, of so many in a panel."""
    return MARK_PT * look.scale * min(1.0, math.sqrt(MANY / count))


def _how(look: Look, color: str, hollow: bool, count: int = 1) -> dict[str, Any]:
    width = 0.9 * width_pt(look, count) / MARK_PT
    return {
        "markersize": width_pt(look, count),
        "markerfacecolor": "white" if hollow else color,
        "markeredgecolor": color,
        "markeredgewidth": width,
    }


def line_handle(look: Look, color: str = LINES, style: Any = "solid", mark: str | None = None) -> Line2D:
    """A line for a legend, with a mark on it where its points have one."""
    return Line2D([], [], color=color, linestyle=style, linewidth=1.0 * look.scale, marker=mark, markersize=width_pt(look))


def pages(shown: Sequence[str], look: Look, height_lines: float) -> list[Sequence[str]]:
    """The panels of each page: all on one side by side, else as many as the height holds one below the other."""
    line_in = look.line_in(look.style.text_pt)
    room_in = look.style.most_height_in - BESIDE_PANELS * look.line_in(look.style.small_pt)
    fits = len(shown) if look.columns == 2 else max(1, int(room_in / (line_in * (STACKED * height_lines + BETWEEN_PANELS))))
    return [shown[first : first + fits] for first in range(0, len(shown), fits)]


def panels(sheet: Sheet, count: int, height_lines: float, left_text: str, titles: bool = False, shared: bool = False) -> list[Axes]:
    """Panels side by side where there are two columns, else one below the other; left of each is room for `left_text` and a label.

    `shared` leaves the room for labels out between panels side by side. They are lower where the page is not high enough.
    """
    look = sheet.look
    line_in, small_in = look.line_in(look.style.text_pt), look.line_in(look.style.small_pt)
    left_in = sheet.letters.width_in(left_text, look.style.small_pt) + 1.25 * line_in + 3 * sheet.edge_in
    below_in = small_in + line_in + 2 * sheet.edge_in
    above_in = (1.3 if titles else 0.35) * line_in
    rows, columns = (1, count) if look.columns == 2 else (count, 1)
    gap_in = (3.5 * small_in if shared else left_in, below_in + above_in + 0.4 * line_in)
    room_in = look.style.most_height_in - sheet.fixed_in - above_in - below_in - (rows - 1) * gap_in[1]
    height_in = min(height_lines * line_in * (STACKED if rows > 1 else 1), room_in / rows)
    return sheet.axes(rows, columns, max(height_in, LEAST_LINES * line_in), left_in, below_in, gap_in, above_in)


def log_axis(axes: Axes, which: str, low: float, high: float, unit: str | None) -> None:
    """A logarithmic axis with room at both ends, and ticks as `10 M`, or as plain numbers where there is no unit that takes a prefix."""
    set_scale, set_limits = (axes.set_xscale, axes.set_xlim) if which == "x" else (axes.set_yscale, axes.set_ylim)
    room = max((high / low) ** MARGIN, 1.2)
    low, high = low / room, high * room
    set_scale("log")
    set_limits(low, high)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(log_ticks(low, high, _apart(axes, which, TICK_WIDE if unit is not None else NUMBER_WIDE))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if unit is None else prefixed(value, unit)))
    axis.set_minor_locator(NullLocator())


def _apart(axes: Axes, which: str, wide: float) -> float:
    """How far apart ticks must stand, as a part of an axis, so that each has room for its words."""
    box, figure = axes.get_position(), axes.get_figure(root=True)
    assert figure is not None
    width_in, height_in = figure.get_size_inches()
    size_in = rcParams["xtick.labelsize" if which == "x" else "ytick.labelsize"] / POINTS
    return float(wide * size_in / (box.width * width_in) if which == "x" else TICK_HIGH * size_in / (box.height * height_in))


def log_ticks(low: float, high: float, apart: float) -> list[float]:
    """Round numbers between two, in the finest steps that give no more than can be read, each `apart` from the next."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    whole = math.log(high / low)
    for steps in STEPS:
        found = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        near = any(math.log(after / before) / whole < apart for before, after in itertools.pairwise(found))
        if len(found) <= MOST_TICKS and not near:
            return found
    return found[:: max(-(-len(found) // MOST_TICKS), math.ceil(apart * whole / math.log(10)))]


def prefixed(value: float, unit: str = "") -> str:
    """`10 M`, `3 ms`; without a space where there is neither prefix nor unit."""
    for factor, prefix in PREFIXES:
        if value >= factor * 0.9999:
            return f"{value / factor:.3g} {prefix}{unit}".rstrip()
    factor, prefix = PREFIXES[-1]
    return f"{value / factor:.3g} {prefix}{unit}".rstrip()


def percent_axis(axes: Axes, low: float, high: float) -> None:
    """A linear axis of percent from a little below the least to a little above the greatest, of shares not far below 0 nor above 100."""
    room = max(0.12 * (high - low), 0.04 * high, 0.5)
    axes.set_ylim(low - room if low < 0 else max(low - room, -0.04 * (high - low + 1)), min(high + room, 104.0))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))


def grid(axes: Axes, look: Look) -> None:
    """Faint lines behind."""
    axes.grid(visible=True, which="major", color="#e4e4e4", linewidth=0.5 * look.scale, zorder=0)
    axes.set_axisbelow(True)


def caption_in(axes: Axes, text: str, look: Look) -> None:
    """A word above a panel, on the left."""
    axes.set_title(text, loc="left", size=look.style.text_pt, pad=3 * look.scale)

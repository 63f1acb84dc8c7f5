"""A scale of years on which only those that occur have room, with a break where years are left out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes

from archbench.publish.figures.look import BAND, FAINT
from archbench.publish.figures.sheet import Sheet

BREAK = 0.4  # widths of a year


class Years:
    """Bands, one a year, as wide as `width_of` says (1 unless given); positions count from 0 in such widths."""

    def __init__(self, years: Iterable[float], width_of: Mapping[float, float] | None = None) -> None:
        self.years = sorted(set(years))
        self.bands: dict[float, tuple[float, float]] = {}
        self.breaks: list[float] = []
        at = 0.0
        for before, year in itertools.pairwise([None, *self.years]):
            assert year is not None
            if before is not None and year - before > 1:
                self.breaks.append(at + BREAK / 2)
                at += BREAK
            width = (width_of or {}).get(year, 1.0)
            self.bands[year] = (at, at + width)
            at += width
        self.width = at

    def middle(self, year: float) -> float:
        """Where the band of a year has its middle."""
        return sum(self.bands[year]) / 2

    def draw(self, axes: Axes, sheet: Sheet) -> None:
        """Bands behind all else, a tick for each year, of two digits where four have no room, and two slashes where years are left out."""
        look, small = sheet.look, sheet.look.style.small_pt
        axes.set_xlim(0, self.width)
        room_in = axes.get_position().width * look.width_in / self.width
        whole = sheet.letters.width_in("2000 ", small) <= room_in
        shown = self.years[:: math.ceil(sheet.letters.width_in("’00 ", small) / room_in)]
        axes.set_xticks(list(map(self.middle, shown)), [f"{year:.0f}" if whole else f"’{year % 100:02.0f}" for year in shown])
        axes.tick_params(axis="x", length=0)
        for start, end in list(self.bands.values())[::2]:
            axes.axvspan(start, end, color=BAND, linewidth=0, zorder=0)
        for place in self.breaks:
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.2}
            where: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "center", "clip_on": False}
            axes.text(place, 0, "//", size=small, color=FAINT, bbox=behind, **where)

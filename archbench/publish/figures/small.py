"""Small panels, one for each network, row by row, and the pages that they take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes

from archbench.publish.figures.look import Look
from archbench.publish.figures.picture import MOST_PAGES
from archbench.publish.figures.sheet import Sheet

BELOW = 2.5  # lines of a page below its panels and above the first


def pages(names: Sequence[str], sheet: Sheet, across: int, panel_lines: float) -> list[Sequence[str]]:
    """The networks of each page: as many as its height holds, `across` beside each other, and no more pages than a picture may have.

    `sheet` is one with the same words on it; `panel_lines` is how many lines a panel takes with what stands between it and the next.
    """
    line_in = sheet.look.line_in(sheet.look.style.text_pt)
    rows = int((sheet.look.style.most_height_in - sheet.fixed_in - BELOW * line_in) / (panel_lines * line_in))
    most = across * max(1, rows)
    return [names[first : first + most] for first in range(0, min(len(names), most * MOST_PAGES), most)]


def part(place: int, parts: Sequence[Sequence[str]]) -> str:
    """`1 of 3`; nothing where one page holds all."""
    return f"{place + 1} of {len(parts)}" if len(parts) > 1 else ""


def titled(made: Sequence[Axes], titles: Sequence[str], across: int, look: Look) -> Iterator[Axes]:
    """The panel of each title, with numbers at its axes where none stands left of it or below; those left over are removed."""
    for axes in made[len(titles) :]:
        axes.remove()
    for place, (axes, title) in enumerate(zip(made, titles, strict=False)):
        axes.set_title(title, loc="left", size=look.style.small_pt, pad=2 * look.scale)
        axes.tick_params(labelleft=place % across == 0, labelbottom=place >= len(titles) - across)
        yield axes

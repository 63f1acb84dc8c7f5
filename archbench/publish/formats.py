"""Figures and cells as people read them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from archbench.publish.footnotes import Elsewhere

if TYPE_CHECKING:
    from archbench.publish.results import Table

Row = dict[str, Any]
MISSING = "–"
FIGURE = re.compile(  # what the functions below write, so that a format may lay out its parts
    r"(?P<value>[+-]?\d[\d,]*(?:\.\d+)?)(?: (?P<prefix>[kMG]))?"
    r"(?: \[(?P<low>-?\d[\d,]*(?:\.\d+)?)(?:–| to )(?P<high>-?\d[\d,]*(?:\.\d+)?)\])?(?P<n> n=\d+)?(?P<doubt>\*)?"
)
SHORT, MUCH = 60, 200  # characters: of a note that is always said, and of notes that are said once for several tables


def scaled(value: float) -> str:
    """`967 k`, `223 M`, `4.09 G`: three digits and a unit."""
    if math.isnan(value):
        return MISSING
    value = _to_three_digits(value)
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return three_digits(value / factor) + unit
    return f"{value:.0f}"


def epochs_text(count: int) -> str:
    """`1 epoch`, `8 epochs`."""
    return f"{count} epoch{'s' * (count != 1)}"


def three_digits(value: float) -> str:
    """`5.00`, `11.3`, `412`, `1234`: with no more decimals than that takes."""
    return f"{value:.{max(0, 2 - math.floor(math.log10(_to_three_digits(value))))}f}" if value > 0 else "0"


def _to_three_digits(value: float) -> float:
    """Rounded before its size is looked at: 999,600 is 1.00 M, not 1000 k."""
    return float(f"{value:.2e}")


def decimals(value: float, low: float, high: float, usual: int) -> int:
    """How many decimals an interval leaves a figure; `usual` where there is none. Below zero: so many places before the point are 0.

    The half width of the interval keeps two digits where they begin with 1.00 to 3.54, else one (Particle Data Group, Review of Particle
    Physics, "Rounding"), and of the figure itself one at least is shown.
    """
    half = (high - low) / 2
    if not half > 0:
        return usual
    exponent = math.floor(math.log10(half))
    first = half / 10**exponent
    deserved = (1 if first < 3.545 else 0) - exponent
    return max(deserved, -math.floor(math.log10(abs(value)))) if value else deserved


def fixed(value: float, places: int) -> str:
    """`1,230`, `1.20`: to so many decimals, which may be below zero."""
    return f"{round(value, places) + 0.0:,.{max(places, 0)}f}"


def rounded(value: float, low: float, high: float, usual: int | None = None) -> str:
    """`29.9`: a figure with no more digits than its interval deserves; without one three, or `usual` decimals."""
    if math.isnan(value):
        return MISSING
    if usual is None and not high > low:
        return three_digits(value)
    return fixed(value, decimals(value, low, high, usual or 0))


def interval(value: float, low: float, high: float, usual: int = 2) -> str:
    """`29.0 to 30.8`: the interval of a figure, with as many digits as that."""
    return _span(value, low, high, usual, " to ")


def figure(value: float, low: float, high: float, usual: int | None = None) -> str:
    """`29.9 [29.0–30.8]`: a figure and its interval, where it has one; `0.5 [-0.2 to 1.3]` where an end is below zero."""
    if math.isnan(value) or math.isnan(low):
        return rounded(value, low, high, usual)
    return f"{rounded(value, low, high, usual)} [{_span(value, low, high, 2 if usual is None else usual, '–' if low >= 0 else ' to ')}]"


def _span(value: float, low: float, high: float, usual: int, to: str) -> str:
    if math.isnan(low):
        return MISSING
    places = decimals(value, low, high, usual)
    return f"{fixed(low, places)}{to}{fixed(high, places)}"


def plain(value: float, digits: Callable[[float], str] = three_digits) -> str:
    """Three digits, or as `digits` writes it; a dash for what is not known."""
    return MISSING if math.isnan(value) else digits(value)


def whole(value: float) -> str:
    """`52`: no decimals; `<1` for a little that is not nothing."""
    return plain(value, lambda value: "<1" if 0 < value < 0.5 else f"{value:.0f}")


def texts(table: Table) -> dict[str, list[str]]:
    """The table as text, a column for each figure that any row has."""
    figures = {str(name): table.frame[name].tolist() for name in table.frame}  # of 100,000 rows `to_dict` takes three times as long
    rows: list[Row] = [dict(zip(figures, row, strict=True)) for row in zip(*figures.values(), strict=True)]
    columns = {header: [str(cell(row)) for row in rows] for header, cell in table.columns.items()}
    return {header: column for header, column in columns.items() if any(text != MISSING for text in column)}


def cells(table: Table) -> pd.DataFrame:
    """The same as a frame."""
    return pd.DataFrame(texts(table))


def once(tables: Iterable[Table]) -> list[Table]:
    """The same tables, but notes that take much room below the first alone that has them; the others say where they stand."""
    first: dict[str, tuple[int, str]] = {}
    made = []
    for place, table in enumerate(tables):
        again = [note for note in table.notes if len(note) > SHORT and note in first]
        again = again if sum(map(len, again)) > MUCH else []
        notes = [note for note in table.notes if note not in again]
        first |= {note: (place, table.caption) for note in notes if note not in first}
        if again:
            notes.append(Elsewhere(f"{len(again)} more note{'s' * (len(again) != 1)} as under", dict(first[note] for note in again)))
        made.append(dataclasses.replace(table, notes=tuple(notes)))
    return made

"""Figures and cells as people read them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from archbench.publish.results import Table

Row = dict[str, Any]
MISSING = "–"
SHORT, MUCH = 60, 200  # characters: of a note that is always said, and of notes that are said once for several tables


def scaled(value: float) -> str:
    """`967 k`, `223 M`, `4.09 G`: three digits and a unit."""
    if math.isnan(value):
        return MISSING
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return three_digits(value / factor) + unit
    return f"{value:.0f}"


def epochs_text(count: int) -> str:
    """`1 epoch`, `8 epochs`."""
    return f"{count} epoch{'s' * (count != 1)}"


def three_digits(value: float) -> str:
    """`5.00`, `11.3`, `412`."""
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def plain(value: float, digits: Callable[[float], str] = three_digits) -> str:
    """Three digits, or as `digits` writes it; a dash for what is not known."""
    return MISSING if math.isnan(value) else digits(value)


def whole(value: float) -> str:
    """`52`: no decimals; `<1` for a little that is not nothing."""
    return plain(value, lambda value: "<1" if 0 < value < 0.5 else f"{value:.0f}")


def cells(table: Table) -> pd.DataFrame:
    """The table as text, a column for each figure that any row has."""
    rows: list[Row] = table.frame.to_dict("records")  # type: ignore[assignment]
    text = pd.DataFrame({header: [cell(row) for row in rows] for header, cell in table.columns.items()})
    return text.loc[:, [bool((text[header] != MISSING).any()) for header in table.columns]]


def once(tables: Iterable[Table]) -> list[Table]:
    """The same tables, but notes that take much room below the first alone that has them; the others say where they stand."""
    first: dict[str, str] = {}
    made = []
    for table in tables:
        again = [note for note in table.notes if len(note) > SHORT and note in first]
        again = again if sum(map(len, again)) > MUCH else []
        above = ", ".join(dict.fromkeys(f"“{first[note]}”" for note in again))
        notes = [note for note in table.notes if note not in again]
        notes += [f"{len(again)} more note{'s' * (len(again) != 1)} as under {above}"] * bool(again)
        made.append(dataclasses.replace(table, notes=tuple(notes)))
        first |= {note: table.caption for note in notes if note not in first}
    return made

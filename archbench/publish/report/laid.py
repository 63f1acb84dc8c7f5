"""Pages of tables as plain values: cells as text, a number to sort by beside each figure, and the Records that each row is from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archbench.publish.citing.latex import one_line
from archbench.publish.formats import FIGURE, MISSING, once
from archbench.publish.pages import Page
from archbench.publish.reading import Reading
from archbench.publish.results import Table
from archbench.publish.writing.grid import Cell, grid
from archbench.publish.writing.stated import stated

FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
LITTLE = 0.5  # by which `<1` sorts, and of what else is less than something that part


def page(made: Page) -> dict[str, Any]:
    """The tables of a page and what is read from them."""
    return {"name": made.name, "tables": [_table(each) for each in once(made.tables)], "readings": list(map(_reading, made.readings))}


def _table(table: Table) -> dict[str, Any]:
    made = grid(table)
    numbers = [[number(text) for text in column] for column in made.columns]
    figures = [_is_of_figures(texts, values) for texts, values in zip(made.columns, numbers, strict=True)]
    rows = table.frame.to_dict("records")
    return {
        "caption": one_line(table.caption),
        "stated": [one_line(line) for line in stated(table)],
        "headers": list(made.headers),
        "numbers": [values if is_figure else None for values, is_figure in zip(numbers, figures, strict=True)],
        "rows": [_row(cells, row) for cells, row in zip(made.rows, rows, strict=True)],
        "notes": list(made.notes),
        "footnotes": list(made.footnotes.items()),
    }


def _row(cells: Sequence[Cell], row: Mapping[Any, Any]) -> dict[str, Any]:
    """Its texts, which cells are best, the footnotes of some, its model as the table has it, and the ids of its Records."""
    found: dict[str, Any] = {"cells": [cell.text for cell in cells], "model": one_line(str(row.get("model", "")))}
    found["records"] = list(dict.fromkeys(_ids(row)))
    if best := [place for place, cell in enumerate(cells) if cell.best]:
        found["best"] = best
    if marks := {place: cell.marks for place, cell in enumerate(cells) if cell.marks}:
        found["marks"] = marks
    return found


def _ids(row: Mapping[Any, Any]) -> list[str]:
    cells = (row.get(name) for name in ("records", "record"))
    return [id for cell in cells if isinstance(cell, str) for id in cell.split()]


def number(text: str) -> float | None:
    """What a cell sorts by: `967 k [900 k–1 M]` by 967,000; None for what is no figure."""
    if text.startswith("<"):
        below = FIGURE.fullmatch(text[1:])
        return _plain(below) * LITTLE if below else None
    figure = FIGURE.fullmatch(text.removesuffix(" ms"))
    if figure is None:
        return None
    value = _plain(figure) * FACTORS[figure["prefix"] or ""]
    return value if math.isfinite(value) else None


def _plain(figure: re.Match[str]) -> float:
    return float(figure["value"].replace(",", ""))


def _is_of_figures(texts: Sequence[str], values: Iterable[float | None]) -> bool:
    """Whether a column holds figures, and beside them no more than dashes and words such as `diverged`."""
    known = [value is not None for value in values]
    return any(known) and all(is_known or text == MISSING or text.isalpha() for is_known, text in zip(known, texts, strict=True))


def _reading(reading: Reading) -> dict[str, Any]:
    answers = [[one_line(question), [one_line(line) for line in lines]] for question, lines in reading.answers.items()]
    return {"caption": one_line(reading.caption), "answers": answers}

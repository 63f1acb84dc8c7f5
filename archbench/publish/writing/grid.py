"""A table laid out once for all formats: cells as text, which of them are bold, and footnotes that rows lead to."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archbench.publish.citing.latex import one_line
from archbench.publish.footnotes import OfRows
from archbench.publish.formats import texts
from archbench.publish.results import Table


class Cell(NamedTuple):
    """A cell's text, whether it is among the best of its column, and the letters of the footnotes behind it."""

    text: str
    best: bool = False
    marks: str = ""


@dataclass(frozen=True)
class Grid:
    """Headers, rows of cells, notes about the whole, and footnotes by letter."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str]
    footnotes: Mapping[str, str]

    @property
    def columns(self) -> list[list[str]]:
        """The texts of each column."""
        return [[row[place].text for row in self.rows] for place in range(len(self.headers))]


def grid(table: Table) -> Grid:
    """The table, without columns that nothing fills; the marks of footnotes stand at the model's name, or the first cell."""
    shown = texts(table)
    headers = [one_line(header) for header in shown]
    columns = [_cells(column, table.best.get(header, frozenset())) for header, column in shown.items()]
    rows = [list(row) for row in zip(*columns, strict=True)]
    footnotes, marks, rest = _footnotes(table)
    named = headers.index("model") if "model" in headers else 0
    for row, letters in zip(rows, marks, strict=True):
        row[named] = row[named]._replace(marks=letters)
    return Grid(headers, rows, [one_line(note) for note in rest], footnotes)


def _cells(column: Sequence[str], best: frozenset[int]) -> list[Cell]:
    made = {text: Cell(one_line(text)) for text in set(column)}
    return [made[text]._replace(best=True) if place in best else made[text] for place, text in enumerate(column)]


def _footnotes(table: Table) -> tuple[dict[str, str], list[str], list[str]]:
    """Footnotes by letter, the letters of each row, and the notes that are about no row or about some that are not there."""
    if not any(isinstance(note, OfRows) for note in table.notes):
        return {}, [""] * len(table.frame), list(table.notes)
    rows_of = _rows_of(table)
    letters, footnotes, rest = _letters(), {}, []
    marks: list[list[str]] = [[] for _ in range(len(table.frame))]
    for note in table.notes:
        parts = _parts(note, rows_of)
        if not parts or not all(parts.values()):
            rest.append(note)
            continue
        for said, rows in parts.items():
            letter = next(letters)
            footnotes[letter] = one_line(said)
            for row in rows:
                marks[row].append(letter)
    return footnotes, [",".join(row) for row in marks], rest


def _parts(note: str, rows_of: Mapping[str, Sequence[int]]) -> dict[str, set[int]]:
    """What a note says of some rows, with the places of these."""
    parts = note.parts if isinstance(note, OfRows) else {}
    return {said: {row for id in ids for row in rows_of.get(id, ())} for said, ids in parts.items()}


def _rows_of(table: Table) -> Mapping[str, Sequence[int]]:
    """The places of the rows that a Record stands in, by its id."""
    found: dict[str, tuple[int, ...]] = {}
    for place, ids in enumerate(table.frame.get("records", table.frame.get("record", ()))):
        mine = str(ids).split()
        again = {id: (*found[id], place) for id in found.keys() & mine}  # as a profile stands beside several trainings
        found.update(dict.fromkeys(mine, (place,)))
        found.update(again)
    return found


def _letters() -> Iterator[str]:
    """`a` to `z`, then `aa`, `ab` and so on."""
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_lowercase, repeat=length))

"""Tables with those of their columns that a reader asks for, and the notes that these need."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence

from archbench.errors import unknown
from archbench.publish.footnotes import under_of
from archbench.publish.formats import texts
from archbench.publish.results import Table

ROW = ("share of", "model")  # what a row is of: these columns stay


def headers(asked: Sequence[str], tables: Iterable[Table]) -> list[str]:
    """The headers that are asked for by their first words: `test error, %` by `test error`.

    Raises ArchbenchError for words by which none begins.
    """
    known = list(dict.fromkeys(header for table in tables for header in table.columns))
    return list(dict.fromkeys(header for name in asked for header in _meant(name, known)))


def narrowed(tables: Iterable[Table], wanted: Sequence[str]) -> list[Table]:
    """The tables with something under one of these headers: what a row is of and then these, in this order."""
    made = [_narrowed(table, wanted) for table in tables if set(wanted) & table.columns.keys()]
    return [table for table in made if set(wanted) & texts(table).keys()]


def _narrowed(table: Table, wanted: Sequence[str]) -> Table:
    kept = [header for header in dict.fromkeys((*ROW, *wanted)) if header in table.columns]
    columns = {header: table.columns[header] for header in kept}
    notes = tuple(note for note in table.notes if _is_about(under_of(note), kept))
    return dataclasses.replace(
        table, columns=columns, notes=notes, best={header: table.best[header] for header in kept if header in table.best}
    )


def _is_about(under: Sequence[str], headers: Iterable[str]) -> bool:
    return not under or any(word in header for header in headers for word in under)


def _meant(name: str, headers: Sequence[str]) -> list[str]:
    """The headers of this name, or else all that begin with it."""
    mine = _words(name)
    found = [header for header in headers if _words(header) == mine] or [
        header for header in headers if f"{_words(header)} ".startswith(f"{mine} ")
    ]
    if not mine or not found:
        raise unknown("column", name, headers)
    return found


def _words(name: str) -> str:
    return " ".join(re.findall(r"[^\s,_]+", name.replace("×", "x").casefold()))

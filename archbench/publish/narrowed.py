"""Tables of the conditions, and with the columns, that a reader asks for, and the notes that these need."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence

from archbench.errors import unknown
from archbench.publish.footnotes import under_of
from archbench.publish.formats import texts
from archbench.publish.results import Table

# what a row is of, on whatever page: these columns stay
ROW = ("share of", "experiment", "environment", "model", "pair", "claim", "batch", "mode", "class", "link, %", "kind")


def captions(asked: Sequence[str], tables: Iterable[Table]) -> list[str]:
    """The captions that hold each of these phrases, whatever the case. Raises ArchbenchError where none does."""
    known = list(dict.fromkeys(table.caption for table in tables))
    found = [caption for caption in known if all(f" {_words(phrase)} " in f" {_words(caption)} " for phrase in asked)]
    if not found:
        raise unknown("condition", ", ".join(asked), known)
    return found


def headers(asked: Sequence[str], tables: Iterable[Table]) -> list[str]:
    """The headers that are asked for, whole or by some of their words: `test error, %` by `test error`.

    A header with a comma may come in parts, as options are split. Raises ArchbenchError for words that none has.
    """
    known = list(dict.fromkeys(header for table in tables for header in table.columns))
    return list(dict.fromkeys(header for name in _joined(asked, known) for header in _meant(name, known)))


def with_columns(tables: Iterable[Table], wanted: Sequence[str]) -> list[Table]:
    """The tables with something under one of these headers: what a row is of and then these, in this order."""
    made = [_with_columns(table, wanted) for table in tables if set(wanted) & table.columns.keys()]
    return [table for table in made if set(wanted) & texts(table).keys()]


def _with_columns(table: Table, wanted: Sequence[str]) -> Table:
    kept = [header for header in dict.fromkeys((*ROW, *wanted)) if header in table.columns]
    notes = tuple(note for note in table.notes if _is_needed(under_of(note), kept, table.columns))
    best = {header: table.best[header] for header in kept if header in table.best}
    return dataclasses.replace(table, columns={header: table.columns[header] for header in kept}, notes=notes, best=best)


def _is_needed(under: Sequence[str], shown: Iterable[str], known: Iterable[str]) -> bool:
    """Whether a note is about a column that is shown, or about none that is known."""
    about = [header for header in known if set(under) & set(_words(header).split())]
    return not about or bool(set(about) & set(shown))


def _joined(parts: Sequence[str], known: Iterable[str]) -> list[str]:
    """The names that these parts are: as many together as make a header."""
    whole, made, at = set(map(_words, known)), [], 0
    while at < len(parts):
        ends = range(len(parts), at, -1)
        end = next((end for end in ends if _words(" ".join(parts[at:end])) in whole), at + 1)
        made.append(" ".join(parts[at:end]))
        at = end
    return made


def _meant(name: str, known: Sequence[str]) -> list[str]:
    """The headers of this name, or else all that begin with it, or else all that hold it."""
    mine = _words(name)
    held = [header for header in known if f" {mine} " in f" {_words(header)} "]
    begun = [header for header in held if f"{_words(header)} ".startswith(f"{mine} ")]
    found = [header for header in begun if _words(header) == mine] or begun or held
    if not found:
        raise unknown("column", name, known)
    return found


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\s,;:·()_]+", text.replace("×", "x").casefold()))

"""Tables in LaTeX with booktabs and siunitx: a file that pdflatex takes as it stands, and that an article may `\\input`.

A table too long for a page goes on in further ones, and what stands below it has one of its own where no page holds both. Columns of
figures are aligned at the point, counts under one prefix; a table no wider than a column of a two-column article is a `table`, else a
`table*`, which in an article of one column is the same. One that would have to shrink to less than three quarters is turned, if it is not
too high for that.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archbench.publish import formats
from archbench.publish.citing.latex import one_line
from archbench.publish.footnotes import Elsewhere
from archbench.publish.results import Table
from archbench.publish.writing.grid import Grid, grid
from archbench.publish.writing.latex_columns import GAP, Column, columns
from archbench.publish.writing.latex_text import breakable
from archbench.publish.writing.stated import stated
from archbench.records.schema import hash_of

COLUMN, PAGE, NARROW = 54, 110, 80  # digits of \footnotesize across a column and a page of a two-column article, and one of one column
FILLED = 0.85  # of a line that breaks between words
SHRUNK = 1.15  # so much wider than a column a table is still set in one, smaller
LINES, CAPTION, HEAD = 55, 4, 3  # lines of \footnotesize on a page, and about those of a caption and of headers
TURNED = 24  # lines, of a caption, headers, rows and notes: as many as stand beside each other across a narrow article
LABEL, HASH = 40, 4  # characters of the words of a label, and of the hash behind them
NOTE_TO_TEXT = 1.2  # so many more characters has a line of notes
SYNTAX = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
}


class Line(NamedTuple):
    """A row; `parted` stands apart from the one above."""

    text: str
    parted: bool


@dataclass(frozen=True)
class Float:
    """A table as it floats in an article: rows, notes below them, or both. One that may turn does so where it would become too small.

    A further part of one has no number, so that nothing but `caption` stands above it, and no `label`.
    """

    environment: str
    caption: str
    label: str
    spec: str
    header: str
    rows: Sequence[Line]
    notes: Sequence[str]
    flexible: bool
    turns: bool


def document(pages: Mapping[str, Sequence[Table]]) -> str:
    """A file with the tables of pages, which come by their names, each table under its caption; what several say stands below the first."""
    from archbench.publish.templates import environment

    made = [(name, table) for name, tables in pages.items() for table in tables if len(table.frame)]
    tables = formats.once(table for _, table in made)
    labels = _apart(table.label or _label(name, table.caption) for name, table in made)
    floats = [each for place, table in enumerate(tables) for each in _floats(table, labels[place], labels)]
    templates = environment("archbench.publish.writing", autoescape=False, **SYNTAX)
    return templates.get_template("tables.tex").render(names=" ".join(pages), floats=floats)


def _label(name: str, caption: str) -> str:
    """What an article refers to a table by: the first words of its caption and the hash of all, so that no other table changes it."""
    words = re.findall("[a-z0-9_.]+", re.sub(r"\([^()]*\)", "", f"{name} {caption}".lower().replace("×", "x")))
    return f"tab:{_shortened(words)}-{hash_of([name, caption])[:HASH]}"


def _apart(wanted: Iterable[str]) -> list[str]:
    """Labels, of which those of one caption are numbered."""
    found: Counter[str] = Counter()
    made = []
    for label in wanted:
        found[label] += 1
        made.append(label if found[label] == 1 else f"{label}-{found[label]}")
    return made


def _shortened(words: Sequence[str]) -> str:
    """As many of the words as there is room for, one at least."""
    ends = itertools.accumulate(len(word) + 1 for word in words)
    return "-".join(word for word, end in zip(words, ends, strict=True) if end <= LABEL) or words[0][:LABEL]


def _floats(table: Table, label: str, labels: Sequence[str]) -> list[Float]:
    elsewhere = [note for note in table.notes if isinstance(note, Elsewhere)]
    laid = grid(dataclasses.replace(table, notes=tuple(note for note in table.notes if not isinstance(note, Elsewhere))))
    if not laid.headers:
        return []
    made = columns(laid, NARROW)
    width = sum(each.width + GAP for each in made)
    flexible = any(each.share for each in made)
    wide = flexible or width > SHRUNK * COLUMN
    notes = [breakable(note) for note in laid.notes]
    notes += [rf"\textsuperscript{{{letter}}}\,{breakable(said)}" for letter, said in laid.footnotes.items()]
    notes += [f"{breakable(note.said)} {_named([labels[place] for place in note.places])}" for note in elsewhere]
    characters = PAGE if wide else COLUMN
    of_rows, of_notes = _heights(len(laid.rows), made), [math.ceil(len(note) / (NOTE_TO_TEXT * characters)) for note in notes]
    parts = _parts(of_rows, of_notes)
    turns = wide and not flexible and sum([*of_rows, *of_notes]) + CAPTION + HEAD <= TURNED
    lines = _rows(laid, made)
    return [
        Float(
            environment="table*" if wide else "table",
            caption=_further(label, bool(lines[part.rows])) if place else _caption(table),
            label=label if place == 0 else "",
            spec="".join(each.spec for each in made),
            header=" & ".join(each.header for each in made),
            rows=lines[part.rows],
            notes=notes[part.notes],
            flexible=flexible,
            turns=turns,
        )
        for place, part in enumerate(parts)
    ]


def _named(labels: Sequence[str]) -> str:
    return f"Table{'s' * (len(labels) > 1)}~" + ", ".join(rf"\ref{{{label}}}" for label in labels)


def _further(label: str, has_rows: bool) -> str:
    """What a further part of a table is."""
    return f"{_named([label])}, continued" if has_rows else f"Notes on {_named([label])}"


def _caption(table: Table) -> str:
    """The reader's title, the condition, and all that is stated of the rows."""
    said = [one_line(table.caption), *map(one_line, stated(table))]
    return breakable(" ".join([*[one_line(table.title)] * bool(table.title), "; ".join(said)]) + ".")


def _rows(laid: Grid, made: Sequence[Column]) -> list[Line]:
    """The rows; where the first column names groups, a group stands apart."""
    firsts = [row[0].text for row in laid.rows]
    grouped = laid.headers[0] == "share of"
    return [
        Line(" & ".join(each.cells[place] for each in made), grouped and place > 0 and firsts[place] != firsts[place - 1])
        for place in range(len(laid.rows))
    ]


def _heights(rows: int, made: Sequence[Column]) -> list[int]:
    """How many lines each row is high, by its longest text in a column that breaks."""
    room = NARROW - sum(each.width + GAP for each in made if not each.share)
    breaking = [(each.lengths, each.share * room - GAP if each.share else each.width) for each in made if each.lengths]
    return [max([1, *(math.ceil(lengths[place] / (FILLED * width)) for lengths, width in breaking)]) for place in range(rows)]


class Part(NamedTuple):
    """Which rows and which notes stand together on a page."""

    rows: slice
    notes: slice


def _parts(rows: Sequence[int], notes: Sequence[int]) -> list[Part]:
    """Rows and then notes, page by page, by their heights; the notes follow the last rows where there is room."""
    pages = [*_pages(rows, LINES - CAPTION - HEAD)]
    last, below = pages[-1], [*_pages(notes, LINES - CAPTION)]
    used = sum(rows[last])
    none = slice(0, 0)
    if len(below) == 1 and used + sum(notes) + 1 <= LINES - CAPTION - HEAD:
        return [*(Part(page, none) for page in pages[:-1]), Part(last, below[0])]
    return [*(Part(page, none) for page in pages), *(Part(none, page) for page in below)]


def _pages(heights: Sequence[int], room: int) -> Iterator[slice]:
    first, used = 0, 0
    for place, height in enumerate(heights):
        if used and used + height > room:
            yield slice(first, place)
            first, used = place, 0
        used += height
    if first < len(heights):
        yield slice(first, len(heights))

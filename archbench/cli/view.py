"""What the terminal shows: tables and JSON on stdout, words to the reader on stderr."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
import textwrap
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement as RichMeasurement
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text

from archbench.errors import complaint, harmless
from archbench.publish import formats
from archbench.publish.captioning import caption
from archbench.publish.citing.latex import one_line
from archbench.publish.results import Table
from archbench.publish.writing.rows import as_json
from archbench.records.schema import Record

if TYPE_CHECKING:
    from archbench.publish.reading import Reading

NUMBER = re.compile(r"[<+-]?[\d.,]+( [a-zA-Z]+)?\*?|–")
TIMES, INTERVAL = {"latency, ms", "images/s"}, re.compile(r" \[.*\]")  # columns that lose their intervals where they do not fit
WRAPPED = {"measurement", "title", "from", "test error, %"}
WIDE, WIDEST_WHOLE = 100, 18  # columns: from here on a table has wider gaps; longest cell or word that is never broken

STDOUT, STDERR = 1, 2  # descriptors

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def kept_clean() -> Iterator[None]:
    """What a user's model prints, from C too, goes to stderr, so that stdout holds the result alone."""
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)


def say(line: str) -> None:
    """A line for the reader, not for a pipe."""
    with contextlib.suppress(OSError):  # a log that nobody reads any more ends no run
        err.print(Text(line), soft_wrap=True)


def print_tables(made: Sequence[Table]) -> None:
    """Each table with its caption above and its notes below; a wide one that a narrow terminal would cut loses its intervals, or is only
    mentioned.
    """
    hidden: list[tuple[str, int]] = []
    for table in made:
        text = {str(header): [one_line(str(cell)) for cell in cells] for header, cells in formats.cells(table).to_dict("list").items()}
        drawn, narrow = _drawn(table, text), False
        if _least(drawn) > out.width and TIMES & text.keys():
            short = _without_intervals(text, TIMES)
            drawn, narrow = _drawn(table, short), short != text
        if table.wide and (needed := _widest(drawn)) > out.width:
            short = _without_intervals(text, text.keys())
            drawn, narrow = _drawn(table, short), True
            if short == text or _least(drawn) > out.width:
                hidden.append((table.caption, needed))
                continue
        out.print(Text(f"\n{one_line(table.caption)}", style="bold"))
        print_table(drawn)
        out.print()
        for note in [*table.notes, *["a wider terminal or --format md shows the intervals too"] * narrow]:
            say_dim(note)
    _say_hidden(hidden)


def _without_intervals(text: Mapping[str, list[str]], headers: Collection[str]) -> dict[str, list[str]]:
    """The same cells, without intervals under these headers."""
    return {header: [INTERVAL.sub("", cell) for cell in cells] if header in headers else cells for header, cells in text.items()}


def _say_hidden(hidden: Sequence[tuple[str, int]]) -> None:
    """Which tables are not shown; what all their captions begin with is not said."""
    parts = [caption.split(" · ") for caption, _ in hidden]
    alike = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False))
    shared = sum(1 for _ in alike) if len(hidden) > 1 else 0
    named = "; ".join(" · ".join(part[shared:]) or " · ".join(part) for part in parts)
    if hidden:
        say_dim(f"{named}: {max(needed for _, needed in hidden)} columns wide; a wider terminal or --format md shows it")


def _drawn(table: Table, text: dict[str, list[str]]) -> RichTable:
    return columns_table(text, grouped=next(iter(table.columns)) == "share of", bold=table.best)


def print_readings(found: Sequence[Reading]) -> None:
    """What is read from the tables, a sentence a paragraph."""
    for reading in found:
        out.print(Text(f"\nreading · {one_line(reading.caption)}", style="bold"))
        for question, sentences in reading.answers.items():
            if question:
                out.print(Text(f"\n{one_line(question)}"))
            for sentence in sentences:
                out.print(Text(f"· {one_line(sentence)}"))


def say_dim(note: str) -> None:
    """A note below a table."""
    out.print(Text(f"· {one_line(note)}", style="dim"))


def print_table(drawn: RichTable) -> None:
    """A table, wider than the terminal where its figures would else be cut."""
    _narrow(drawn)
    least = _least(drawn)
    if least > out.width:
        drawn.width = least  # the terminal's is a bound that Rich keeps by hiding columns
    out.print(drawn, width=max(out.width, least), crop=False, no_wrap=least > out.width)


def _least(drawn: RichTable) -> int:
    """The least columns that a table takes where each of its own is as narrow as it may be; Rich counts a word that is broken as whole."""
    bare = RichTable(box=drawn.box, show_edge=drawn.show_edge, padding=drawn.padding, pad_edge=drawn.pad_edge)
    for column in drawn.columns:
        bare.add_column("x" * (column.min_width or 1), no_wrap=True)
    return _extent(bare).minimum


def needed_width(columns: dict[str, list[str]]) -> int:
    """How wide a terminal must be to show these columns with nothing broken."""
    return _widest(columns_table(columns))


def _widest(drawn: RichTable) -> int:
    return _extent(drawn).maximum


def _extent(drawn: RichTable) -> RichMeasurement:
    """The least and the most columns that a table takes, whatever the terminal has."""
    return RichMeasurement.get(out, out.options.update(max_width=1000), drawn)


def columns_table(
    columns: dict[str, list[str]],
    whole: str = "",
    grouped: bool = False,
    yielding: Sequence[str] = (),
    bold: Mapping[str, Container[int]] = MappingProxyType({}),
) -> RichTable:
    """A table whose figures stay whole, and the column `whole`; what gives way on a narrow terminal is text with spaces, very long names
    and the columns `yielding`.

    In a `grouped` one a line stands between rows whose first cells differ. `bold` holds the places of bold cells in a column. Headers have
    a line for each word where the terminal is too narrow else.
    """
    drawn = _columns(columns, whole, grouped, yielding, bold, folded=False)
    return _columns(columns, whole, grouped, yielding, bold, folded=True) if _least(drawn) > out.width else drawn


def _columns(
    columns: dict[str, list[str]],
    whole: str,
    grouped: bool,
    yielding: Sequence[str],
    bold: Mapping[str, Container[int]],
    folded: bool,
) -> RichTable:
    gap = 1 if out.width >= WIDE else 0
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap), pad_edge=False)
    for header, cells in columns.items():
        longest = max((cell_len(line) for cell in cells for line in cell.split("\n")), default=0)
        wraps = header != whole and (header in WRAPPED or header in yielding or longest > WIDEST_WHOLE)
        numbers = header.endswith("%") or all(NUMBER.fullmatch(cell) for cell in cells)
        justify: Literal["right", "left"] = "right" if numbers else "left"
        words = [word for text in (header, *cells) for word in text.split() if cell_len(word) <= WIDEST_WHOLE]
        # without a least width Rich cuts figures at a space when all columns are too wide together, and words within
        heading = [line for part in header.split(", ") for line in (_folded(part, longest) if folded else [part])]
        whole_width = max(longest, *map(cell_len, heading))
        least = max(map(cell_len, words), default=0) if wraps else whole_width
        drawn.add_column(Text("\n".join(heading)), justify=justify, no_wrap=not wraps, overflow="fold", min_width=least, width=whole_width)
    rows = list(zip(*columns.values(), strict=True))
    for place, (row, following) in enumerate(itertools.zip_longest(rows, rows[1:])):
        styles = ("bold" if place in bold.get(header, ()) else "" for header in columns)
        drawn.add_row(*map(Text, row, styles), end_section=grouped and following is not None and row[0] != following[0])
    return drawn


def _folded(text: str, width: int) -> list[str]:
    """Its lines, of so many columns where its words are no longer."""
    return textwrap.wrap(text, max(width, *map(len, text.split())), break_on_hyphens=False) if text.split() else [text]


def _narrow(drawn: RichTable) -> None:
    """Take from the columns that have most to give until the table fits; Rich takes from the widest, even below its least width."""
    for _ in range(_widest(drawn) - out.width):
        column = max(drawn.columns, key=_to_give)
        column.width = (column.width or 0) - min(1, _to_give(column))


def _to_give(column: Column) -> int:
    return (column.width or 0) - (column.min_width or 0)


def print_line(line: str) -> None:
    """A line of the result on stdout; signs that would steer a terminal are shown as another."""
    print(harmless(line), flush=True)


def print_json(value: Any) -> None:
    """JSON on stdout."""
    print(as_json(value))


def print_of_weights(
    record: Record, told: Mapping[str, Any], columns: Callable[[Record], dict[str, list[str]]], results: Path, json: bool, quiet: bool
) -> None:
    """What was found of the kept weights of a training: `told` as JSON, or a table with its doubts. Exit status 1 where it failed."""
    failed = [record] * (record.status != "ok")
    if json:
        print_json({"record": record.id, **told})
    elif not failed:
        say(caption(record))
        print_table(columns_table(columns(record)))
        for doubt in record.warnings:
            say_dim(doubt.message)
    say_failures(failed)
    if not quiet:
        say(f"Record {record.id}, with weights of {record.config['weights']['record']}, in {results / 'runs'}")
    if failed:
        raise typer.Exit(1)


def say_failures(failed: Iterable[Record]) -> None:
    """A line for each run that gave no result."""
    for record in failed:
        say(record.failure_line)


def report_problems(problems: Sequence[str]) -> None:
    """Name the Records that could not be read; exit status 2, after everything else is done."""
    for problem in problems:
        print(complaint(problem), file=sys.stderr)
    if problems:
        raise typer.Exit(2)

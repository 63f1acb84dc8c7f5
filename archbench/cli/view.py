"""What the terminal shows: tables and JSON on stdout, words to the reader on stderr."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement as RichMeasurement
from rich.table import Table as RichTable
from rich.text import Text

from archbench.publish import formats, results
from archbench.publish.results import Table
from archbench.records.schema import Record

INTEGERS = ("year", "params", "macs", "infer_peak_bytes", "train_peak_bytes")
NUMERIC = {"year", "test error, %", "params", "MACs", "in 1×1, %", "latency, ms", "images/s"}

WRAPPED = {"title", "from", "test error, %"}
WIDE, WIDEST_WHOLE = 100, 18  # columns: from here on a table has wider gaps; longest cell that is never broken

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def kept_clean() -> Iterator[None]:
    """What a user's model prints goes to stderr, so that stdout holds the result alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def say(line: str) -> None:
    """A line for the reader, not for a pipe."""
    with contextlib.suppress(OSError):  # a log that nobody reads any more ends no run
        err.print(Text(line), soft_wrap=True)


def print_tables(made: Sequence[Table]) -> None:
    """Each table with its caption above and its notes below."""
    for table in made:
        out.print(Text(f"\n{table.caption}", style="bold"))
        print_table(columns_table(formats.cells(table).to_dict("list")))  # type: ignore[arg-type]
        out.print()
        for note in table.notes:
            out.print(Text(f"· {note}", style="dim"))


def print_table(drawn: RichTable) -> None:
    """A table, wider than the terminal where its figures would else be cut."""
    least = RichMeasurement.get(out, out.options, drawn).minimum
    out.print(drawn, width=max(out.width, least), crop=False, no_wrap=least > out.width)


def columns_table(columns: dict[str, list[str]], whole: str = "") -> RichTable:
    """A table whose figures stay whole, and the column `whole`; text with spaces and very long names give way on a narrow terminal."""
    gap = 1 if out.width >= WIDE else 0
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap), pad_edge=False)
    for header, cells in columns.items():
        wraps = header != whole and (header in WRAPPED or max(map(len, cells), default=0) > WIDEST_WHOLE)
        justify: Literal["right", "left"] = "right" if header in NUMERIC or header.endswith("%") else "left"
        drawn.add_column(header.replace(", ", "\n"), justify=justify, no_wrap=not wraps, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """What `--json` gives: an object a row of the results table, and one for each run that failed."""
    records = list(records)
    frame = results.frame(records).rename(columns={"model": "name"})
    failed = [
        {
            "name": record.model.label,
            "params": results.value(record, "params"),
            "macs": results.value(record, "macs"),
            "kind": record.kind,
            "status": record.status,
            "failure": record.failure.message,
        }
        for record in records
        if record.failure is not None and record.status != "diverged"
    ]
    found: list[dict[Any, Any]] = [*frame.to_dict("records"), *failed]
    return [{str(key): _plain(str(key), value) for key, value in row.items()} for row in found]


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if name in INTEGERS and value is not None else value


def print_json(value: Any) -> None:
    """JSON on stdout."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def say_failures(failed: Iterable[Record]) -> None:
    """A line for each run that gave no result."""
    for record in failed:
        assert record.failure is not None
        say(f"{record.model.label} ({record.kind}) {record.status.replace('_', ' ')}: {record.failure.message}")


def report_problems(problems: Sequence[str]) -> None:
    """Name the Records that could not be read; exit status 2, after everything else is done."""
    for problem in problems:
        print(f"archbench: {' '.join(problem.split())}", file=sys.stderr)
    if problems:
        raise typer.Exit(2)

"""Tables as people read them: cells with units and intervals, in Markdown; and raw numbers as CSV."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from archbench.publish.results import Table

Row = dict[str, Any]
MISSING = "–"


def percent(row: Row) -> str:
    """`3.61 [2.1–6.1] n=5`."""
    if math.isnan(row["test_error_pct"]):
        return "diverged" if row["diverged"] else MISSING
    text = f"{row['test_error_pct']:.2f}"
    if not math.isnan(row["test_error_low_pct"]):
        text += f" [{row['test_error_low_pct']:.1f}–{row['test_error_high_pct']:.1f}]"
    return f"{text} n={row['n']}" if row["n"] > 1 else text


def left_chance(row: Row) -> str:
    """`1 of 2`: how many runs learned something; nothing to say where all did."""
    return MISSING if row["left_chance"] == row["runs"] else f"{row['left_chance']} of {row['runs']}"


def scaled(value: float) -> str:
    """`967 k`, `223 M`, `4.09 G`: three digits and a unit."""
    if math.isnan(value):
        return MISSING
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return _digits(value / factor) + unit
    return f"{value:.0f}"


def _digits(value: float) -> str:
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def _plain(value: float, digits: Callable[[float], str] = _digits) -> str:
    return MISSING if math.isnan(value) else digits(value)


# header -> how a row's cell reads; a column whose every cell is missing is left out
COLUMNS: dict[str, Callable[[Row], str]] = {
    "model": lambda row: row["model"],
    "year": lambda row: _plain(row["year"], lambda value: f"{value:.0f}"),
    "test error, %": percent,
    "left chance": left_chance,
    "params": lambda row: scaled(row["params"]),
    "MACs": lambda row: scaled(row["macs"]),
    "in 1×1, %": lambda row: _plain(row["pointwise_macs_pct"], lambda value: f"{value:.0f}"),
    "time in 1×1, %": lambda row: _plain(row["pointwise_time_pct"], lambda value: f"{value:.0f}"),
    "latency, ms": lambda row: _plain(1e3 * row["latency_s"]),
    "images/s": lambda row: _plain(row["infer_images_per_s"], lambda value: f"{value:,.0f}"),
    "head": lambda row: row["head"],
}
ONLY_TRAINED = {"test error, %", "left chance"}


def cells(table: Table) -> pd.DataFrame:
    """The table as text, a column for each figure that any row has."""
    rows: list[Row] = table.frame.to_dict("records")  # type: ignore[assignment]
    trained = "test_error_pct" in table.frame
    headers = [header for header in COLUMNS if trained or header not in ONLY_TRAINED]
    text = pd.DataFrame([{header: COLUMNS[header](row) for header in headers} for row in rows], columns=headers)
    return text.loc[:, [bool((text[header] != MISSING).any()) for header in headers]]


def markdown(tables: Sequence[Table]) -> str:
    """All tables as GitHub's Markdown, each under its caption."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    text = cells(table)
    lines = markdown_table(list(text.columns), text.values.tolist())
    notes = "".join(f"- {note}\n" for note in table.notes)
    return f"**{table.caption}**\n\n" + "\n".join(lines) + f"\n\n{notes}"


def markdown_table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table in GitHub's Markdown."""
    return ["| " + " | ".join(map(_escaped, row)) + " |" for row in (head, ["---"] * len(head), *body)]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def csv(frame: pd.DataFrame) -> str:
    """Raw numbers, a line a row, the condition in a column."""
    whole = frame.astype({"year": "Int64"}) if "year" in frame else frame
    text: str = whole.to_csv(index=False, lineterminator="\n")
    return text

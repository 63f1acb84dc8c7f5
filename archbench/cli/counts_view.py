"""What the terminal shows of counts: a table that is fitted to its width without a figure cut, then exact figures and other counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from archbench.cli import view
from archbench.cli.view import columns_table, needed_width, print_table
from archbench.publish import formats

LEAST_NAME = 12  # columns that a model's name is left before the table is turned
SHORT = {"depthwise": "depth-wise", "pointwise": "point-wise"}  # where a heading may be broken
MARKS = ":/_+"
Columns = dict[str, list[str]]


def print_counts(counted: Sequence[dict[str, Any]]) -> None:
    """Counts by operator class, a line a model, or a column where lines do not fit; then what tells other counters from ours."""
    for place, columns in enumerate(_fitted(counted)):
        if place:
            view.out.print()
        print_table(columns_table(columns))
    for row in counted:
        for line in _lines(row):
            view.out.print(Text(line))


def _fitted(counted: Sequence[dict[str, Any]]) -> Iterator[Columns]:
    """The whole table where the terminal is wide enough; else headings and names are broken, and the input is left to the lines below;
    else a model is a column, and as many stand side by side as there is room for.
    """
    kinds = list(dict.fromkeys(kind for row in counted for kind in row["operators"]))
    whole = _by_model(counted, [row["model"] for row in counted], {kind: kind for kind in kinds})
    if needed_width(whole) <= view.out.width:
        yield whole
        return
    headings = {kind: SHORT.get(kind, kind).replace("_", ", ").replace("-", "-, ") for kind in kinds}
    unnamed = _by_model(counted, [""] * len(counted), headings)
    del unnamed["input"]
    room = view.out.width - needed_width(unnamed) + len("model")
    if room >= LEAST_NAME:
        yield {**unnamed, "model": [_folded(row["model"], room) for row in counted]}
    else:
        yield from _turned(counted, kinds)


def _by_model(counted: Sequence[Mapping[str, Any]], names: list[str], headings: Mapping[str, str]) -> Columns:
    return {
        "model": names,
        "input": [row["input"] for row in counted],
        "params": [formats.scaled(row["params"]) for row in counted],
        "MACs": [formats.scaled(row["macs"]) for row in counted],
        **{f"{heading}, %": [_share(row, kind) for row in counted] for kind, heading in headings.items()},
    }


def _turned(counted: Sequence[Mapping[str, Any]], kinds: list[str]) -> Iterator[Columns]:
    """Tables in which a column is a model, each with as many as fit, and at least one."""
    labels = ["input", "params", "MACs", *(f"{kind} %" for kind in kinds)]
    table: Columns = {"model": labels}
    for row in counted:
        cells = [row["input"], formats.scaled(row["params"]), formats.scaled(row["macs"]), *(_share(row, kind) for kind in kinds)]
        name = _folded(row["model"], max(LEAST_NAME, *map(len, cells)))
        if len(table) > 1 and needed_width({**table, name: cells}) > view.out.width:
            yield table
            table = {"model": labels}
        table[name] = cells
    yield table


def _folded(name: str, room: int) -> str:
    """A name in lines of at most so many characters, broken behind one of its marks where there is one."""
    lines = []
    while len(name) > room:
        cut = max(name.rfind(mark, 0, room) for mark in MARKS) + 1 or room
        lines.append(name[:cut])
        name = name[cut:]
    return "\n".join([*lines, name])


def _share(row: Mapping[str, Any], kind: str) -> str:
    share = 100 * row["operators"].get(kind, 0) / max(row["macs"], 1)
    return f"{share:.1f}" if share else formats.MISSING


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Exact figures, what is not counted, what the head was guessed to be, and each other counter with its causes."""
    yield f"\n{row['model']} ({row['input']}): {row['params']:,} parameters, {row['macs']:,} MACs, {row['activations']:,} activations"
    if row["uncounted"]:
        yield "  not counted: " + ", ".join(f"{each['operator']} ({each['calls']})" for each in row["uncounted"])
    if row["head"]["guessed"]:
        yield f"  head: guessed ({', '.join(row['head']['modules'])})"
    for other in row.get("counters", ()):
        if other["failure"]:
            yield f"  {other['counter']}: could not count ({other['failure']})"
            continue
        yield f"  {other['counter']}: {other['macs']:,}"
        for cause in other["causes"]:
            yield f"    {cause['macs']:+,}  {cause['name']}"
        yield f"    {other['unexplained']:+,}  unexplained"

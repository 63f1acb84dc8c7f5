"""The table of `archbench compare`: what differs between two sides, and by how much."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

import pandas as pd

from archbench.publish.compare import Difference
from archbench.publish.formats import MISSING, Row, three_digits
from archbench.publish.results import Table

ALWAYS = ("latency_s", "train_step_s", "test_error_pct")  # shown even where nothing is real
REAL = "real: at the 5 % level over all that are compared (Holm); intervals are 95 % each, pt are percent points"
VERDICTS = {False: "not real", None: "unknown"}
CANNOT_TELL = "cannot tell"  # instead of "not real", where the interval reaches beyond a limit
KIB = 1024


def table(found: Sequence[Difference], circumstances: Sequence[str], untold: Sequence[Difference] = ()) -> Table:
    """Differences that are real, and all of what people compare; the rest is counted in a note. `untold` cannot be told to a limit."""
    shown = [each for each in found if each.real or each.name in ALWAYS]
    rows = [{**dataclasses.asdict(each), "verdict": verdict(each, untold)} for each in shown]
    return Table("before and after", pd.DataFrame(rows, columns=_fields()), tuple(_notes(found, shown, circumstances)), COLUMNS)


def _fields() -> list[str]:
    return [*(field.name for field in dataclasses.fields(Difference)), "verdict"]


def line(difference: Difference) -> str:
    """`nin: latency, batch 1 from 3.36 ms to 5.04 ms, +50.0 %`."""
    row = dataclasses.asdict(difference)
    return f"{difference.model}: {_what(row)} from {_figure(row, 'before')} to {_figure(row, 'after')}, {_change(row)}"


def verdict(difference: Difference, untold: Sequence[Difference] = ()) -> str:
    """`real, worse`; `cannot tell` for one of the `untold` of which nothing is real."""
    if difference.real:
        return "real, worse" if difference.worse else "real, better"
    return CANNOT_TELL if difference in untold else VERDICTS[difference.real]


def _notes(found: Sequence[Difference], shown: Sequence[Difference], circumstances: Sequence[str]) -> list[str]:
    notes = [f"{name}: {method}" for name, method in dict.fromkeys((each.name, each.method) for each in shown)]
    rest = [each for each in found if each not in shown]
    for real, said in ((False, "do not differ"), (None, "are of one process each or of too few seeds, of which nothing can be told")):
        count = sum(each.real is real for each in rest)
        if count:
            notes.append(f"{count} further measurements {said}; --json lists them")
    return [*notes, REAL, *circumstances]


def _what(row: Row) -> str:
    """`latency, batch 8`."""
    at = row["at"]
    said = [str(at[name]).replace("_", " ") for name in ("operator_class", "phase", "part") if name in at]
    said += [f"batch {at['batch']}"] if "batch" in at else []
    said += [row["data"]] if row["data"] else []
    said += [at["mode"]] if at.get("mode", "eager") != "eager" else []
    name = re.sub("_(s|pct)$", "", row["name"].replace("_per_s", "/s").replace("_bytes", "_memory"))
    return ", ".join([name.replace("_", " "), *said])


def _figure(row: Row, side: str) -> str:
    value, name = row[side], row["name"]
    if name.endswith("_pct"):
        return f"{value:.2f} %"
    if name.endswith("_s") and not name.endswith("per_s"):
        return f"{three_digits(1e3 * value)} ms"
    return _memory(value) if name.endswith("_bytes") else f"{value:,.0f}"


def _memory(value: float) -> str:
    """`512 bytes`, `13.4 MiB`."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if value >= KIB**power:
            return f"{three_digits(value / KIB**power)} {unit}"
    return f"{value:.0f} bytes"


def _change(row: Row) -> str:
    unit = "pt" if row["name"].endswith("_pct") else "%"
    return f"{row['change']:+.1f} {unit}" if math.isfinite(row["change"]) else MISSING


def _interval(row: Row) -> str:
    return f"{row['low']:+.1f} to {row['high']:+.1f}" if math.isfinite(row["low"]) else MISSING


COLUMNS = {
    "model": lambda row: row["model"],
    "measurement": _what,
    "before": lambda row: _figure(row, "before"),
    "after": lambda row: _figure(row, "after"),
    "change": _change,
    "interval": _interval,
    "verdict": lambda row: row["verdict"],
}

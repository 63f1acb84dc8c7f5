"""The roofline table: what each operator class achieves in the forward pass, beside what the machine's peaks allow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from archbench.publish import notes
from archbench.publish.columns import MODEL, Columns
from archbench.publish.formats import MISSING, Row, plain, whole
from archbench.publish.operators import captions, comparable
from archbench.publish.results import Table, identity, stacked, value
from archbench.publish.shares import OPERATOR_CLASSES
from archbench.records.schema import Record

WHOLE = "all"


def tables(records: Iterable[Record]) -> list[Table]:
    """A table for each condition that occurs."""
    groups, made = comparable(records), []
    for profiles, caption in zip(groups, captions(groups), strict=True):
        found = pd.DataFrame([row for profile in profiles for row in _rows(profile)])
        if not found.empty:
            made.append(Table(f"roofline · {caption}", found, tuple(_notes(profiles)), COLUMNS, shown=tuple(profiles)))
    return made


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """All tables below each other, the condition in a column."""
    return stacked(tables(records))


def _rows(profile: Record) -> list[dict[str, Any]]:
    """A row for each class that has a place under the roof, and one for the whole pass."""
    peak, moved = value(profile, "peak_macs_per_s"), value(profile, "peak_bytes_per_s")
    by_class = {row.at.get("operator_class", WHOLE): row for row in profile.measurements if row.name == "roof_share_pct"}
    rows = []
    for name in (*OPERATOR_CLASSES, WHOLE):
        if name not in by_class:
            continue
        at = {row.name: row.value for row in profile.measurements if row.at == by_class[name].at}
        intensity = at.get("macs_per_byte")
        rows.append(
            {
                **identity(profile),
                "operator_class": name,
                "macs_per_byte": math.nan if intensity is None else intensity,
                "macs_per_s": math.nan if at.get("macs_per_s") is None else at["macs_per_s"],
                "roof_share_pct": by_class[name].value,
                "bound_by": "memory" if intensity is None or intensity < peak / moved else "arithmetic",
                "record": profile.id,
            }
        )
    return rows


def _notes(profiles: list[Record]) -> list[str]:
    timed = [profile for profile in profiles if profile.measurement("roof_share_pct") is not None]
    measured = dict.fromkeys((value(each, "peak_macs_per_s"), value(each, "peak_bytes_per_s")) for each in timed)
    peaks = " or ".join(f"{peak / 1e9:.3g} GMAC/s and {moved / 1e9:.3g} GB/s" for peak, moved in measured)
    meet = " or ".join(f"{peak / moved:.2g}" for peak, moved in measured)
    return [
        f"peaks of the machine, measured with each run: {peaks}{notes.on_threads(timed[0])}",
        f"they meet at {meet} multiply-adds a byte, below which memory is the bound",
        "of the roof, %: the least time that the peaks allow beside the measured one; above 100 where data came from caches",
        "forward pass of a training step, the loss in it; bytes are what its operations must read and write",
        *notes.doubts(timed),
    ]


def _gmacs(row: Row) -> str:
    return plain(row["macs_per_s"] / 1e9)


COLUMNS: Columns = {
    **MODEL,
    "class": lambda row: row["operator_class"].replace("_", " "),
    "MACs a byte": lambda row: plain(row["macs_per_byte"]),
    "GMAC/s": _gmacs,
    "of the roof, %": lambda row: whole(row["roof_share_pct"]) if row["roof_share_pct"] is not None else MISSING,
    "bound by": lambda row: row["bound_by"],
}

"""What the plots show: points of the results tables, a set for each condition, and shares of MACs beside shares of time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from archbench.publish.captioning import caption
from archbench.publish.citing.latex import one_line
from archbench.publish.lineage import member_rows, members
from archbench.publish.report.stored import rounded
from archbench.publish.results import Table
from archbench.publish.shares import COORDINATES
from archbench.records.schema import Record

MIB = 2**20
TIMES = ("latency", "images")  # of which a table stars what is doubtful
# how a quantity is called, its unit, the column that holds it and its interval, and the factor to the unit
_COLUMNS: dict[str, tuple[str, str, tuple[str, ...], float]] = {
    "error": ("test error", "%", ("test_error_pct", "test_error_low_pct", "test_error_high_pct"), 1),
    "macs": ("MACs", "", ("macs",), 1),
    "params": ("parameters", "", ("params",), 1),
    "latency": ("latency of one image", "ms", ("latency_s", "latency_low_s", "latency_high_s"), 1e3),
    "images": ("inference", "images/s", ("infer_images_per_s", "infer_images_low_per_s", "infer_images_high_per_s"), 1),
    "pointwise_macs": ("share of the MACs in 1×1", "%", ("pointwise_macs_pct",), 1),
    "pointwise_time": ("share of the time in 1×1", "%", ("pointwise_time_pct",), 1),
    "memory": ("peak memory of inference", "MiB", ("infer_peak_bytes",), 1 / MIB),
    "training": ("training", "images/s", ("train_images_per_s",), 1),
    "year": ("year", "", ("year",), 1),
}
QUANTITIES = [{"key": key, "name": name, "unit": unit} for key, (name, unit, *_) in _COLUMNS.items()]


def sets(tables: Iterable[Table]) -> list[dict[str, Any]]:
    """A set of points for each results table: what may be compared, and no more."""
    made = [{"caption": one_line(table.caption), "points": _points(table.frame)} for table in tables]
    return [each for each in made if each["points"]]


def _points(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found = [_point(row) for row in frame.to_dict("records")]
    return [point for point in found if point["values"].keys() - {"year"}]


def _point(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row's model, its Records, of each quantity the value with its interval, and which of these are doubtful, if any."""
    values = {}
    for key, (_, _, columns, factor) in _COLUMNS.items():
        figures = [float(row[name]) for name in columns if name in row and not math.isnan(row[name])]
        if figures and not (key == "pointwise_macs" and math.isnan(row["macs"])):  # a share of what was not counted
            values[key] = [rounded(factor * figure) for figure in figures]
    point = {"model": one_line(row["model"]), "records": str(row["records"]).split(), "values": values}
    doubtful = [key for key in TIMES if key in values and row.get(f"{key}_doubtful") is True]
    return point | {"doubtful": doubtful} if doubtful else point


def shares(records: Iterable[Record]) -> list[dict[str, Any]]:
    """For each lineage table its members by year: percent of MACs and of time in each coordinate, null where not measured."""
    return [{"caption": one_line(caption(found[0])), "coordinates": COORDINATES, "rows": _shares(found)} for found in members(records)]


def _shares(found: Sequence[Record]) -> list[dict[str, Any]]:
    rows = member_rows(found).to_dict("records")
    return [
        {
            "model": one_line(row["model"]),
            "year": None if math.isnan(row["year"]) else int(row["year"]),
            "record": row["record"],
            **{quantity: _of(row, quantity) for quantity in ("macs", "time")},
        }
        for row in rows
    ]


def _of(row: Mapping[Any, Any], quantity: str) -> list[float] | None:
    found = [float(row[f"{coordinate}_{quantity}_pct"]) for coordinate in COORDINATES]
    return None if any(map(math.isnan, found)) else [round(share, 2) for share in found]

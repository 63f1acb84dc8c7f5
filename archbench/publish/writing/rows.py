"""Rows as JSON: an object a row, the model by its `name`, what is not known as null."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from archbench.publish import grouping, results
from archbench.publish.writing.csv import DIGITS
from archbench.records.schema import Record
from archbench.records.store import SETTLED

INTEGERS = (
    *("year", "link_pct", "params", "macs", "infer_peak_bytes", "train_peak_bytes"),
    *("runs", "n", "n_against", "left_chance", "tuned_trials", "diverged", "epochs", "batch", "rank"),
)


def as_json(value: Any) -> str:
    """JSON as files and stdout hold it."""
    return json.dumps(value, indent=1, ensure_ascii=False)


def of_results(records: Iterable[Record]) -> list[dict[str, Any]]:
    """The rows of the results page, and one for each run that failed."""
    records = grouping.Stored.of(records)
    return [*of_frame(results.frame(records)), *of_failed(records)]


def of_failed(records: Iterable[Record]) -> list[dict[str, Any]]:
    """A row for each run that came to nothing."""
    records = grouping.several(records)
    lost = [place for place, status in enumerate(grouping.column(records, "status")) if status not in SETTLED]
    return [
        _plain(
            {
                "name": record.model.label,
                "params": results.value(record, "params"),
                "macs": results.value(record, "macs"),
                "kind": record.kind,
                "status": record.status,
                "failure": record.failure.message,
            }
        )
        for record in grouping.picked(records, lost)
        if record.failure is not None
    ]


def of_frame(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a page's frame."""
    found: list[dict[Any, Any]] = frame.rename(columns={"model": "name"}).to_dict("records")
    return [_plain(row) for row in found]


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(key): _value(str(key), value) for key, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if name in INTEGERS and value is not None:
        return int(value)
    return float(DIGITS % value) if isinstance(value, float) else value

"""The latency table: a row for each model, batch size and mode, with its interval, and a mark where something makes it doubtful."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from archbench.publish import notes
from archbench.publish.best import LAUNCHES, least
from archbench.publish.columns import MODEL, Columns
from archbench.publish.formats import MISSING, Row, interval, plain, rounded
from archbench.publish.launches import logarithms
from archbench.publish.operators import captions, comparable
from archbench.publish.results import Table, identity, stacked
from archbench.records.schema import Measurement, Record

BY_EAGER = "beside eager: the time of eager execution at the same batch size divided by this one"


def tables(records: Iterable[Record]) -> list[Table]:
    """A table for each condition that occurs."""
    groups, made = comparable(records), []
    for profiles, caption in zip(groups, captions(groups, batch=False), strict=True):
        found = pd.DataFrame([row for profile in profiles for row in _rows(profile)])
        if not found.empty:
            below = [f"95 % interval: {_method(profiles)}; a star marks what is doubtful"]
            below += [f"timed{on}" for on in [notes.on_threads(profiles[0])] if on]
            below += [BY_EAGER] * bool((found["mode"] != "eager").any())
            best = {"ms a pass": _best(found, profiles)}
            below += [LAUNCHES] * bool(best["ms a pass"])
            made.append(Table(f"latency · {caption}", found, (*below, *notes.doubts(profiles)), COLUMNS, shown=tuple(profiles), best=best))
    return made


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """All tables below each other, the condition in a column."""
    return stacked(tables(records))


def _rows(profile: Record) -> list[dict[str, Any]]:
    eager = {row.at["batch"]: row.value for row in _latencies(profile) if row.at.get("mode") == "eager"}
    return [
        {
            **identity(profile),
            "batch": row.at["batch"],
            "mode": row.at.get("mode", "eager"),
            "latency_s": row.value,
            "low_s": math.nan if row.low is None else row.low,
            "high_s": math.nan if row.high is None else row.high,
            "images_per_s": float(row.at["batch"] or 0) / row.value,
            "speed_up": (eager.get(row.at["batch"]) or math.nan) / row.value,
            "doubtful": notes.is_doubtful(profile, row),
            "record": profile.id,
        }
        for row in _latencies(profile)
        if row.value
    ]


def _best(rows: pd.DataFrame, profiles: Iterable[Record]) -> frozenset[int]:
    """The fastest networks at each batch size and mode, by their launches."""
    timed = [logarithms(each, row) for each in profiles for row in _latencies(each) if row.value]
    found: set[int] = set()
    for places in rows.groupby(["batch", "mode"], sort=False).indices.values():
        found |= {int(places[place]) for place in least([timed[place] for place in places])}
    return frozenset(found)


def _latencies(profile: Record) -> list[Measurement]:
    return [row for row in profile.measurements if row.name == "latency_s"]


def _method(profiles: list[Record]) -> str:
    return next((row.method for profile in profiles for row in _latencies(profile)), "")


def _ms(row: Row) -> tuple[float, float, float]:
    return 1e3 * row["latency_s"], 1e3 * row["low_s"], 1e3 * row["high_s"]


def _images(row: Row) -> tuple[float, float, float]:
    """Images a second, whose interval is that of the time turned over."""
    return row["images_per_s"], row["batch"] / row["high_s"], row["batch"] / row["low_s"]


COLUMNS: Columns = {
    **MODEL,
    "batch": lambda row: str(row["batch"]),
    "mode": lambda row: row["mode"].replace("_", " "),
    "ms a pass": lambda row: rounded(*_ms(row)) + notes.mark(row["doubtful"]),
    "interval, ms": lambda row: interval(*_ms(row)),
    "images/s": lambda row: rounded(*_images(row), usual=0) + notes.mark(row["doubtful"]),
    "beside eager, ×": lambda row: MISSING if row["mode"] == "eager" else plain(row["speed_up"], lambda value: f"{value:.2f}"),
}

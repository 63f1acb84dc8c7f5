"""The columns of each table: a header, and how a row's cell reads. A column whose every cell is missing is left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from archbench.publish.formats import MISSING, Row, figure, plain, scaled, three_digits, whole
from archbench.publish.notes import mark
from archbench.publish.shares import COORDINATES, OPERATOR_CLASSES, QUANTITIES

Columns = Mapping[str, Callable[[Row], str]]


def percent(row: Row) -> str:
    """`3.6 [2.1–6.1] n=5`."""
    if math.isnan(row["test_error_pct"]):
        return "diverged" if row["diverged"] else MISSING
    text = figure(row["test_error_pct"], row["test_error_low_pct"], row["test_error_high_pct"], usual=2)
    return f"{text} n={row['n']}" if row["n"] > 1 else text


def left_chance(row: Row) -> str:
    """`1 of 2`: how many runs learned something; nothing to say where all did."""
    return MISSING if row["left_chance"] == row["runs"] else f"{row['left_chance']} of {row['runs']}"


def change(row: Row) -> str:
    """`+31`: points more than the parents' mean; a minus sign for fewer."""
    return plain(row["channels_macs_change_points"], lambda value: f"{value:+.0f}")


def total(row: Row) -> str:
    """All classes together: a count, or the time in ms."""
    if row["quantity"] != "time_s":
        return scaled(row["whole"])
    return plain(1e3 * row["whole"], lambda ms: f"{three_digits(ms)} ms")


def _latency(row: Row) -> str:
    return figure(1e3 * row["latency_s"], 1e3 * row["latency_low_s"], 1e3 * row["latency_high_s"])


def _images(row: Row) -> str:
    return figure(row["infer_images_per_s"], row["infer_images_low_per_s"], row["infer_images_high_per_s"], usual=0)


MODEL: Columns = {
    "model": lambda row: row["model"],
    "year": lambda row: plain(row["year"], lambda value: f"{value:.0f}"),
}
TRAINED: Columns = {
    "test error, %": percent,
    "left chance": left_chance,
    "tuned, trials": lambda row: plain(row["tuned_trials"], lambda value: f"{value:.0f}"),
}
PROFILED: Columns = {
    "params": lambda row: scaled(row["params"]),
    "MACs": lambda row: scaled(row["macs"]),
    "in 1×1, %": lambda row: whole(row["pointwise_macs_pct"]),
    "time in 1×1, %": lambda row: whole(row["pointwise_time_pct"]),
    "latency, ms": lambda row: _latency(row) + mark(row["latency_doubtful"]),
    "images/s": lambda row: _images(row) + mark(row["images_doubtful"]),
}
BENCHMARKED: Columns = {
    **{header: PROFILED[header] for header in ("params", "MACs")},
    "latency, ms": lambda row: plain(1e3 * row["latency_s"]),
    "images/s": lambda row: plain(row["infer_images_per_s"], lambda value: f"{value:,.0f}"),
    "training step, ms": lambda row: plain(1e3 * row["train_step_s"]),
    "training, images/s": lambda row: plain(row["train_images_per_s"], lambda value: f"{value:,.0f}"),
}
HEAD: Columns = {"head": lambda row: row["head"] or MISSING}
TRAININGS: Columns = {**MODEL, **TRAINED, **PROFILED, **HEAD}
PROFILES: Columns = {**MODEL, **PROFILED, **HEAD}
BENCHMARKS: Columns = {**MODEL, **BENCHMARKED}


def _shares(names: tuple[str, ...], unit: str, suffix: str = "pct") -> Columns:
    return {f"{name.replace('_', ' ')}, {unit}": _share(f"{name}_{suffix}") for name in names}


def _share(column: str) -> Callable[[Row], str]:
    return lambda row: whole(row[column])


def _where_any(cell: Callable[[Row], str]) -> Callable[[Row], str]:
    """A dash for nothing, so that classes which no network has take no column."""
    return lambda row: MISSING if cell(row) == "0" else cell(row)


OF: Columns = {"share of": lambda row: QUANTITIES[row["quantity"]], **MODEL}
BY_COORDINATE: Columns = {**OF, **_shares(COORDINATES, "%"), "in all": total}
BY_CLASS: Columns = {
    **{header: OF[header] for header in ("share of", "model")},
    **{header: _where_any(cell) for header, cell in _shares(OPERATOR_CLASSES, "%").items()},
}
LINEAGE: Columns = {**MODEL, **_shares(COORDINATES[:-1], "MACs", "macs_pct"), **_shares(COORDINATES[:-1], "time", "time_pct")}
BRIEF: Columns = {
    **MODEL,
    "from": lambda row: row["parents"] or MISSING,
    "channels only, %": _share("channels_macs_pct"),
    **HEAD,
    "takes from NIN": lambda row: row["takes"] or MISSING,
}
TAKEN: Columns = {
    "model": lambda row: row["model"],
    "from": lambda row: row["parents"] or MISSING,
    "change, points": change,
    **HEAD,
    "takes from NIN": lambda row: row["takes"] or MISSING,
}

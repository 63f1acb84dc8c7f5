"""The environment page: the machines, devices, threads, versions and commits behind the Records, and which Records each is behind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from archbench.publish import grouping
from archbench.publish.captioning import of_device
from archbench.publish.columns import Columns
from archbench.publish.formats import MISSING, Row, three_digits
from archbench.publish.results import Table, identity
from archbench.records.coded import groups
from archbench.records.schema import Record

GIB, COMMIT = 2**30, 10  # bytes, and digits of a commit that are shown
CAPTION, LIBRARIES, OF_RECORDS = "environments of the Records", "libraries of each environment", "the Records of each environment"
CHANGED = "commit: that of archbench's code; one with + had changes that were not committed"
MOST_NAMED = 5  # Records of a network in an environment
EACH = "of many Records the first are named; --format csv and json name each"
NONE = "commit: – where archbench was not run from a clone"


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """A row for each Record with what is known of its environment; `environment` names those that are equal, oldest first."""
    rows: list[Row] = []  # one of those that are alike
    taken: list[int] = []
    ids: list[str] = []
    for number, (facts, members) in enumerate(grouping.by_alike(records, _facts).items(), start=1):
        row_of = np.empty(len(members), np.intp)
        for _, places in groups(grouping.alike(members)):
            row_of[places] = len(rows)
            one = members[int(places[0])]
            rows.append({"environment": f"E{number}", **identity(one), "kind": one.kind, **dict(facts)})
        taken += row_of.tolist()
        ids += grouping.column(members, "id")
    return pd.DataFrame(rows).take(taken).reset_index(drop=True).assign(record=ids) if rows else pd.DataFrame()


def tables(rows: pd.DataFrame, records: Sequence[Record]) -> list[Table]:
    """The environments, their libraries, and the Records of each, from the rows of `frame`."""
    if rows.empty:
        return []
    ids = rows.groupby("environment", sort=False).record
    first = rows.drop_duplicates("environment").set_index("environment").assign(records=ids.agg(" ".join), count=ids.size()).reset_index()
    below = [CHANGED] * bool((first.commit != "").any()) + [NONE] * bool((first.commit == "").any())
    return [
        Table(CAPTION, first, tuple(below), ENVIRONMENTS, shown=records),
        Table(LIBRARIES, first, (), {"environment": ENVIRONMENTS["environment"], **_versions(records)}, shown=records),
        Table(OF_RECORDS, *_of_networks(rows), RECORDS, shown=records),
    ]


def _of_networks(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A row for each network in an environment with what names some of its Records, and a note where it does not name all."""
    ids = rows.groupby(["environment", "model", "kind"], sort=False).record
    found = ids.agg(lambda each: " ".join(each.iloc[:MOST_NAMED])).reset_index().assign(count=ids.size().to_numpy())
    return found, (EACH,) if (found["count"] > MOST_NAMED).any() else ()


def _facts(record: Record) -> tuple[tuple[str, Any], ...]:
    """What makes two environments one; what varies while a machine runs, as its clock and its load, is none of it."""
    environment, git = record.environment, record.environment.get("git") or {}
    facts = {
        "os": environment.get("os", ""),
        "processor": environment.get("cpu", ""),
        "processor_capability": environment.get("cpu_capability", ""),
        "cores": environment.get("cores", math.nan),
        "usable_cores": environment.get("usable_cores", environment.get("cores", math.nan)),
        "memory_bytes": environment.get("memory_bytes", math.nan),
        "device": of_device(environment["device"]),
        "cuda": environment.get("cuda") or "",
        "threads": environment["threads"],
        "python": environment.get("python", ""),
        "archbench": environment["archbench"],
        "commit": (git.get("commit") or "") + "+" * bool(git.get("changed")),
        **{_library(name): str(version) for name, version in sorted(environment["libraries"].items())},
    }
    return tuple((name, None if isinstance(fact, float) and math.isnan(fact) else fact) for name, fact in facts.items())


def _library(name: str) -> str:
    return f"{name}_version"


def _versions(records: Iterable[Record]) -> Columns:
    """A column for each library that any Record names."""
    names = sorted({name for record in grouping.one_of_each(records) for name in record.environment["libraries"]})
    return {name: _text(_library(name)) for name in names}


def _text(name: str) -> Any:
    return lambda row: MISSING if _is_missing(row[name]) else str(row[name])


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _count(name: str) -> Any:
    return lambda row: MISSING if _is_missing(row[name]) else f"{row[name]:.0f}"


def _memory(row: Row) -> str:
    return MISSING if _is_missing(row["memory_bytes"]) else three_digits(row["memory_bytes"] / GIB)


def _commit(row: Row) -> str:
    commit = row["commit"]
    return commit[:COMMIT] + "+" * commit.endswith("+") if commit else MISSING


ENVIRONMENTS: Columns = {
    "environment": lambda row: row["environment"],
    "processor": _text("processor"),
    "instructions": _text("processor_capability"),
    "cores": _count("cores"),
    "memory, GiB": _memory,
    "device": _text("device"),
    "CUDA": _text("cuda"),
    "threads": _count("threads"),
    "system": _text("os"),
    "Python": _text("python"),
    "archbench": _text("archbench"),
    "commit": _commit,
    "Records": _count("count"),
}
RECORDS: Columns = {
    "environment": lambda row: row["environment"],
    "model": lambda row: row["model"],
    "kind": lambda row: row["kind"],
    "Records": _count("count"),
    "ids": lambda row: row["record"] + " …" * (row["count"] > MOST_NAMED),
}

"""The memory table: peaks of a forward pass and of a training step, and what a training step holds, part by part."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from archbench.publish import notes
from archbench.publish.columns import MODEL, Columns
from archbench.publish.formats import Row, plain
from archbench.publish.operators import captions, comparable
from archbench.publish.results import Table, identity, stacked, value
from archbench.records.schema import Record

PEAKS = {"infer": "infer_peak_bytes", "train": "train_peak_bytes"}
KINDS = ("process", "allocated", "reserved")
PARTS = ("parameters", "gradients", "optimizer", "activations", "workspace")
MIB = 2**20


def tables(records: Iterable[Record]) -> list[Table]:
    """Two tables for each condition that occurs: the peaks, and the parts of a training step."""
    groups, made = comparable(records), []
    for profiles, caption in zip(groups, captions(groups), strict=True):
        found = pd.DataFrame([row for profile in profiles if (row := _row(profile))])
        if not found.empty:
            for what, names, columns in (
                ("peaks of memory", PEAKS.values(), PEAK_COLUMNS),
                ("a training step's memory", ["train_bytes"], PART_COLUMNS),
            ):
                below = tuple(_notes(profiles, names))
                made.append(Table(f"{what}, MiB · {caption}", found, below, columns, shown=tuple(profiles)))
    return made


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """All tables below each other, the condition in a column."""
    peaks = tables(records)[::2]  # both tables of a condition have the same rows
    return stacked([dataclasses.replace(table, caption=table.caption.replace(", MiB", ", bytes", 1)) for table in peaks])


def _row(profile: Record) -> dict[str, Any]:
    """Bytes; empty for a Record that does not tell the parts."""
    if profile.measurement("train_bytes") is None:
        return {}
    peaks = {f"{phase}_{kind}_bytes": value(profile, name, part=kind) for phase, name in PEAKS.items() for kind in KINDS}
    parts = {f"{part}_bytes": value(profile, "train_bytes", part=part) for part in PARTS}
    return {**identity(profile), **peaks, **parts, "record": profile.id}


def _notes(profiles: Sequence[Record], names: Iterable[str]) -> list[str]:
    """How each was measured, in the words of the Records."""
    rows = [row for name in names for profile in profiles for row in profile.measurements if row.name == name and "part" in row.at]
    said = {str(row.at["part"]): row.method.rpartition(": ")[2] for row in rows}
    return ["eager fp32", *(f"{part}: {method}" for part, method in said.items()), *notes.widths(profiles)]


def _mib(column: str) -> Callable[[Row], str]:
    return lambda row: plain(row[column] / MIB)


PEAK_COLUMNS: Columns = {**MODEL, **{f"{phase}, {kind}": _mib(f"{phase}_{kind}_bytes") for phase in PEAKS for kind in KINDS}}
PART_COLUMNS: Columns = {**MODEL, **{part: _mib(f"{part}_bytes") for part in PARTS}}

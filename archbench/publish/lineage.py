"""The lineage table: its members by year, where each spends its MACs and time, what it took from NIN, and what changed from its parents."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from archbench.publish import captioning, columns, grouping, notes
from archbench.publish.operators import captions, comparable
from archbench.publish.results import Table, identity, value
from archbench.publish.shares import COORDINATES, QUANTITIES, by_class, class_shares, coordinate_shares
from archbench.records.schema import Record

IMAGENET = "_imagenet"  # how the names of the networks for ImageNet end


def tables(records: Iterable[Record]) -> list[Table]:
    """Two tables for each condition that occurs: shares of MACs and time, and what each member took, beside the change from its parents."""
    groups, made = members(records), []
    for found, caption in zip(groups, captions(groups), strict=True):
        rows = member_rows(found)
        made.append(Table(f"lineage · {caption}", rows, _notes(found), columns.LINEAGE, shown=tuple(found)))
        made.append(Table(f"what each took from NIN · {caption}", rows, _change_notes(rows), columns.TAKEN, shown=tuple(found)))
    return made


def in_brief(made: Sequence[Table]) -> list[Table]:
    """What each took from NIN, of the most members that `tables` found together: those that took the same share the row of the first."""
    if not made:
        return []
    table = max(made, key=lambda each: len(each.frame))
    rows = table.frame.drop_duplicates("takes")
    return [Table(f"lineage · {captioning.of_input(table.shown[0])}", rows, BRIEF_NOTES, columns.BRIEF, shown=table.shown)]


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """All members below each other with all of their shares, and what the reading is computed from; the condition in a column."""
    groups = members(records)
    made = [member_rows(found).assign(condition=caption) for found, caption in zip(groups, captions(groups), strict=True)]
    return pd.concat(made, ignore_index=True) if made else pd.DataFrame()


def members(records: Iterable[Record]) -> list[list[Record]]:
    """Profiles of networks of the lineage as published, those that may be compared together; ImageNet's apart from those for 32x32."""
    groups: list[list[Record]] = []
    for profiles in comparable(records):
        unmodified = [record for record in profiles if not record.model.knobs and record.model.spec["year"] is not None]
        groups += grouping.by(unmodified, lambda record: record.model.name.endswith(IMAGENET)).values()
    return groups


def member_rows(found: Sequence[Record]) -> pd.DataFrame:
    """A row a member, by its name, of profiles that may be compared."""
    rows = {record.model.name: {**_row(record), "model": record.model.name} for record in found}
    for record in found:
        parents = [name for name in _parents(record) if name in rows]
        before = [rows[name]["channels_macs_pct"] for name in parents]
        rows[record.model.name] |= {
            "compared_with": " ".join(parents),
            "channels_macs_change_points": rows[record.model.name]["channels_macs_pct"]
            - (statistics.fmean(before) if before else math.nan),
        }
    return pd.DataFrame(list(rows.values()))


def _row(record: Record) -> dict[str, Any]:
    spec = record.model.spec
    return {
        **identity(record),
        "parents": ", ".join(_parents(record)),
        "takes": spec.get("takes", ""),
        "head": spec["head_kind"],
        **_shares(record),
        **_pointwise(record),
        **_latency(record),
        "record": record.id,
    }


def _parents(record: Record) -> tuple[str, ...]:
    return texts(record.model.spec, "parents")


def texts(spec: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts of a list in a spec, which a Record of anybody's may hold as something else."""
    found = spec.get(name)
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def _shares(record: Record) -> dict[str, float]:
    """Percent of each quantity in each coordinate: `channels_macs_pct`, `head_time_pct`."""
    return {
        f"{coordinate}_{quantity.removesuffix('_s')}_pct": coordinate_shares(by_class(record, quantity)).get(coordinate, math.nan)
        for quantity in QUANTITIES
        for coordinate in COORDINATES
    }


def _pointwise(record: Record) -> dict[str, Any]:
    """What 1x1 takes and achieves: shares of MACs and time, MAC/s of the forward pass beside dense convolutions', place under the roof."""
    times = by_class(record, "time_s")
    precision = record.config["execution"]["precision"]
    forward = {"phase": "forward", "operator_class": "pointwise"}
    peaks = [value(record, name, precision=precision) for name in ("peak_macs_per_s", "peak_bytes_per_s")]
    return {
        "largest_time_class": max(times, key=lambda kind: times[kind]) if times else "",
        "pointwise_macs_pct": class_shares(by_class(record, "macs")).get("pointwise", math.nan),
        "pointwise_time_pct": class_shares(times).get("pointwise", math.nan),
        "pointwise_macs_per_s": _macs_per_s(record, "pointwise"),
        "dense_conv_macs_per_s": _macs_per_s(record, "dense_conv"),
        "pointwise_roof_share_pct": value(record, "roof_share_pct", **forward),
        "pointwise_macs_per_byte": value(record, "macs_per_byte", **forward),
        "ridge_macs_per_byte": peaks[0] / peaks[1],
    }


def _macs_per_s(record: Record, operator_class: str) -> float:
    """Multiply-adds a second that a class achieves in the forward pass of a training step."""
    macs = by_class(record, "macs").get(operator_class, math.nan)
    seconds = by_class(record, "time_s", phase="forward").get(operator_class, math.nan)
    return record.config["batch"] * macs / seconds if seconds else math.nan


def _latency(record: Record) -> dict[str, float]:
    """MACs of an image, and its time alone and in a batch, eager."""
    images_per_s = value(record, "infer_images_per_s", mode="eager")
    return {
        "macs": value(record, "macs"),
        "latency_s": value(record, "latency_s", batch=1, mode="eager"),
        "image_in_batch_s": 1 / images_per_s if images_per_s else math.nan,
    }


BRIEF_NOTES = (
    "channels only: percent of a network's MACs in 1×1 convolutions and their equals, which mix channels at one place",
    "a network that took the same as one above it has no row, from whichever parents",
)
CHANGE_NOTES = (
    "change: of the share of the MACs that mix channels only, in percentage points from the mean of those parents that stand in this table",
)


def _change_notes(rows: pd.DataFrame) -> tuple[str, ...]:
    """What the column of changes is of, where there is one."""
    return CHANGE_NOTES if rows.channels_macs_change_points.notna().any() else ()


def _notes(found: Sequence[Record]) -> tuple[str, ...]:
    untimed = [record.model.label for record in found if not by_class(record, "time_s")]
    lines = [f"time by operator class not measured (profile --time): {', '.join(untimed)}"] if untimed else []
    lines += [notes.of_training_step(found[0])] * (len(untimed) < len(found))
    whole = "percent of each network's own MACs and time; what is missing to 100 is norm, activation, pooling and other"
    return (whole, *lines, *notes.doubts(found))

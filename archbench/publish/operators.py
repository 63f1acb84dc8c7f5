"""The operators table: where each network spends its parameters, MACs, activations and time, by coordinate and by operator class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from archbench.publish import captioning, columns, grouping, guard, notes
from archbench.publish.results import Table, condition, identity, measured_under, newest
from archbench.publish.shares import COORDINATE, COORDINATES, OPERATOR_CLASSES, QUANTITIES, by_class, class_shares, coordinate_shares
from archbench.records.schema import Record


def tables(records: Iterable[Record]) -> list[Table]:
    """Two tables for each condition that occurs: shares by coordinate, and by class; the rows grouped by quantity, then by year."""
    records = grouping.Stored.of(records)
    groups, made = comparable(records), []
    for profiles, caption in zip(groups, captions(groups), strict=True):
        shown = [quantity for quantity in QUANTITIES if any(by_class(profile, quantity) for profile in profiles)]
        if not shown:
            continue
        frame = pd.DataFrame([_row(profile, quantity) for quantity in shown for profile in profiles])
        below = (*_notes(profiles, shown), *notes.older(profiles, records))
        of = tuple(profiles)
        made.append(Table(f"shares by coordinate · {caption}", frame, below, columns.BY_COORDINATE, shown=of))
        made.append(Table(f"shares by operator class · {caption}", frame, (), columns.BY_CLASS, wide=True, shown=of))
    return made


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """A row for each model, quantity and operator class: how much, and what share of the whole; the condition in a column."""
    groups = comparable(records)
    rows = [
        {**row, "condition": caption}
        for profiles, caption in zip(groups, captions(groups), strict=True)
        for profile in profiles
        for quantity in QUANTITIES
        for row in _class_rows(profile, quantity)
    ]
    return pd.DataFrame(rows)


def comparable(records: Iterable[Record]) -> list[list[Record]]:
    """The profiles that may stand in one table, by year and name: of each model the newest, one with time before one without."""
    groups = []
    for same in grouping.by_alike(newest(records, "profile"), condition).values():
        chosen = [max(runs, key=_timed_and_new) for runs in grouping.by(same, lambda record: record.model.label).values()]
        groups.append(sorted(chosen, key=lambda record: (record.model.spec["year"] or math.inf, record.model.label)))
    return groups


def captions(groups: Sequence[Sequence[Record]], batch: bool = True) -> list[str]:
    """What holds for each group of profiles; those that would read alike go on with what sets them apart."""
    firsts = [group[0] for group in groups]
    return guard.distinct([captioning.caption(first, batch) for first in firsts], firsts, measured_under, fewest=True)


def _timed_and_new(record: Record) -> tuple[bool, str]:
    return record.measurement("time_s") is not None, record.created


def _row(profile: Record, quantity: str) -> dict[str, Any]:
    amounts = by_class(profile, quantity)
    shares = {**dict.fromkeys((*COORDINATES, *OPERATOR_CLASSES), math.nan), **class_shares(amounts), **coordinate_shares(amounts)}
    whole = sum(amounts.values()) if amounts else math.nan
    return {
        **identity(profile),
        "quantity": quantity,
        **{f"{name}_pct": share for name, share in shares.items()},
        "whole": whole,
        "record": profile.id,
    }


def _class_rows(profile: Record, quantity: str) -> list[dict[str, Any]]:
    amounts = by_class(profile, quantity)
    return [
        {
            **identity(profile),
            "quantity": quantity,
            "operator_class": kind,
            "coordinate": COORDINATE[kind],
            "share_pct": share,
            "value": amounts.get(kind, 0),
            "record": profile.id,
        }
        for kind, share in class_shares(amounts).items()
        if share
    ]


def _notes(profiles: Sequence[Record], shown: Sequence[str]) -> list[str]:
    """What the shares are of, what was not measured, and what was not counted."""
    lines = [
        "channels: pointwise, gate · space: depthwise, token mixing · both: dense and grouped convolutions · "
        "rest: norm, activation, pooling, other",
        "params, MACs and activations are counted for one image",
    ]
    missing = [word for quantity, word in QUANTITIES.items() if quantity not in shown]
    if missing:
        lines.append(f"not in these profiles by class: {', '.join(missing)}; archbench profile --time --rerun measures all")
    if "time_s" in shown:
        lines.append(notes.of_training_step(profiles[0]))
        lines += notes.explained(profiles)
        return [*lines, *notes.doubts(profiles), *notes.widths(profiles)]
    return [*lines, *notes.uncounted(profiles), *notes.widths(profiles)]

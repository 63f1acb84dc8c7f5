"""The times of each launch of a profile: processes of their own, whose scatter says whether two networks differ."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from archbench.records.schema import Measurement, Record


def launches(record: Record, row: Measurement) -> list[float]:
    """Seconds of each launch: the median of its rounds, or of its repeats; empty where one holds nothing, or nothing above zero."""
    taken = {"latency_s": _rounds, "time_s": _repeats}.get(row.name)
    try:
        found = list(taken(record, row)) if taken else []
        medians = [statistics.median(launch) for launch in found if launch]
        return medians if len(medians) == len(found) and all(each > 0 for each in medians) else []
    except (TypeError, KeyError, AttributeError):  # of somebody else's Record, whose samples are free
        return []


def logarithms(record: Record, row: Measurement, least: int = 1) -> list[float]:
    """Of the seconds of each launch; of a time without launches, or with less than `least`, the one that is known, without scatter."""
    few = (record.config.get("launches") or least) < least  # their samples need not be read
    known = ([] if few else launches(record, row)) or ([row.value] if row.value else [])
    return [math.log(each) for each in known]


def _rounds(record: Record, row: Measurement) -> Iterator[list[float]]:
    for series in record.samples.get("latency", []):
        if (series["batch"], series["mode"]) == (row.at.get("batch"), row.at.get("mode")):
            yield from (launch["rounds"] for launch in series["launches"])


def _repeats(record: Record, row: Measurement) -> Iterator[list[float]]:
    """Seconds of a phase, of one operator class or as a whole; Records of before there were launches have none."""
    phase, kind = row.at.get("phase"), row.at.get("operator_class")
    for launch in record.samples.get("time_s", {}).get("launches", []):
        yield launch["whole"].get(phase, []) if kind is None else launch["by_class"].get(phase, {}).get(kind, [])

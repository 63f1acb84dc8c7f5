"""What the raw samples in a Record say of its times and speeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

from archbench import stats
from archbench.records.schema import Measurement, Record
from archbench.stats import Interval
from archbench.verifying.check import Figure


def latency(row: Measurement, record: Record) -> Figure | None:
    """Seconds a pass: over launches, over the rounds of the one process, or over the rounds of pytest-benchmark."""
    samples = record.samples.get("latency_s")
    found = stats.median(samples["rounds"]) if samples is not None else _over_launches(row, record)
    return Figure(row, found.value, found.low, found.high) if found is not None else None


def images_per_s(row: Measurement, record: Record) -> Figure | None:
    """Of inference: the batch over the seconds, whose ends change places."""
    found = _over_launches(row, record)
    if found is None or not found.value:
        return None
    batch = row.at["batch"]
    assert isinstance(batch, int)
    return Figure(row, batch / found.value, batch / found.high, batch / found.low)


def time_s(row: Measurement, record: Record) -> Figure | None:
    """Seconds of a phase of training steps, of one operator class or as a whole."""
    found = _phase(row, record, row.at.get("operator_class"))
    return Figure(row, found.value, found.low, found.high) if found is not None else None


def explained_pct(row: Measurement, record: Record) -> Figure | None:
    """What part of a phase its operator classes add up to."""
    whole, launches = _phase(row, record, None), record.samples.get("time_s", {}).get("launches", [])
    kinds = sorted({kind for launch in launches for kind in launch["by_class"][row.at["phase"]]})
    parts = [part.value for kind in kinds if (part := _phase(row, record, kind)) is not None]
    return Figure(row, 100 * sum(parts) / whole.value) if whole is not None and parts else None


def training_speed(row: Measurement, record: Record) -> Figure | None:
    """Images/s over whole epochs; the first is left out where it holds the compiling."""
    rates = _curve(record, "images_per_s")
    if not rates:
        return None
    skips = record.config["execution"]["compiled"] and len(rates) > 1 and not record.config.get("resumed_from_step")
    return Figure(row, statistics.median(rates[1:] if skips else rates))


def input_speed(row: Measurement, record: Record) -> Figure | None:
    """The median over epochs of the curve of the same name."""
    rates = _curve(record, row.name)
    return Figure(row, statistics.median(rates)) if rates else None


def _curve(record: Record, name: str) -> list[float]:
    """A figure for each epoch; none where there is no such curve."""
    curves = record.samples.get("curves")
    known = curves.get(name) if isinstance(curves, dict) else None
    return known if isinstance(known, list) and all(isinstance(each, int | float) for each in known) else []


FIGURES: dict[str, Callable[[Measurement, Record], Figure | None]] = {
    "latency_s": latency,
    "infer_images_per_s": images_per_s,
    "time_s": time_s,
    "time_explained_pct": explained_pct,
    "train_images_per_s": training_speed,
    "input_images_per_s": input_speed,
    "model_images_per_s": input_speed,
}


def _over_launches(row: Measurement, record: Record) -> Interval | None:
    for series in record.samples.get("latency", []):
        if (series["batch"], series["mode"]) == (row.at.get("batch"), row.at.get("mode", "eager")) and "launches" in series:
            rounds = [launch["rounds"] for launch in series["launches"]]
            if len(rounds) == 1:
                return stats.bootstrap_median(rounds[0])
            return stats.geometric_t([statistics.median(each) for each in rounds])
    return None


def _phase(row: Measurement, record: Record, kind: Any) -> Interval | None:
    launches = record.samples.get("time_s", {}).get("launches")
    if not launches:
        return None
    phase = row.at["phase"]
    found = [launch["whole"][phase] if kind is None else launch["by_class"][phase].get(kind, [0.0]) for launch in launches]
    made = stats.over_launches(found)
    return None if math.isnan(made.value) else made

"""Two sides of Records, measurement by measurement: how large the difference is, and whether it is real."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from archbench import stats
from archbench.records.schema import Measurement, Record
from archbench.records.store import settled
from archbench.stats import Comparison

EXACT = {"params", "macs", "activations"}  # the same each time they are counted
EXACT_PARTS = {"allocated", "reserved", "parameters", "gradients", "optimizer", "activations"}  # of memory, likewise
MORE_IS_BETTER = {"infer_images_per_s", "train_images_per_s"}
COMPARED = (
    *sorted(EXACT),
    "test_error_pct",
    "train_error_pct",
    "latency_s",
    "time_s",
    "infer_peak_bytes",
    "train_peak_bytes",
    "train_bytes",
)
COUNTED = "counted"
TWO_NETWORKS = "Newcombe over test images: of two trained networks, it says nothing about other seeds"
NOT_TOLD = "one process each: how much two processes differ is not known"


@dataclass(frozen=True)
class Difference:
    """One measurement on both sides. Changes are in percent of `before`, those of errors in points.

    `real` says that it stands at the 5 % level among all that are compared, None that nothing can be told; `worse` that the later side
    is the worse one.
    """

    model: str
    data: str
    name: str
    at: dict[str, Any]
    before: float
    after: float
    change: float
    low: float
    high: float
    p: float
    real: bool | None
    worse: bool
    method: str

    @property
    def relative_pct(self) -> float:
        """The change in percent of `before`."""
        return 100 * (self.after / self.before - 1) if self.before else math.inf * (self.after - self.before or 0.0)


def compare(before: Iterable[Record], after: Iterable[Record]) -> list[Difference]:
    """All differences between two sides, each real or not by Holm's rule over all of them; empty where they have no run in common."""
    found = [each for old, new in pairs(list(before), list(after)) for each in _differences(old, new)]
    told = stats.holm([each.p for each in found])
    return [dataclasses.replace(each, real=_real(each, stands)) for each, stands in zip(found, told, strict=True)]


def _real(difference: Difference, stands: bool) -> bool | None:
    """A count has no chance in it: any difference is real."""
    if difference.method == COUNTED:
        return difference.before != difference.after
    return None if math.isnan(difference.p) else stands


def pairs(before: Sequence[Record], after: Sequence[Record]) -> list[tuple[list[Record], list[Record]]]:
    """Runs of the same network under the same settings on both sides, seeds together; two single Records of a kind are a pair."""
    if len(before) == len(after) == 1 and before[0].kind == after[0].kind:
        return [(list(before), list(after))]
    old, new = _runs(before), _runs(after)
    return [(old[key], new[key]) for key in old if key in new]


def worse_than(differences: Iterable[Difference], limit_pct: float) -> list[Difference]:
    """Those that are real, for the worse, and larger than a limit in percent."""
    return [each for each in differences if each.real and each.worse and abs(each.relative_pct) > limit_pct]


def circumstances(before: Sequence[Record], after: Sequence[Record]) -> list[str]:
    """What else than the code differs between the sides, for a reader who would blame the code."""
    facts: dict[str, Callable[[Record], object]] = {
        "device": lambda record: record.environment["device"]["name"],
        "threads": lambda record: record.environment["threads"],
        "torch": lambda record: record.environment["libraries"]["torch"],
    }
    lines = []
    for name, fact in facts.items():
        old, new = (", ".join(sorted({str(fact(record)) for record in side})) for side in (before, after))
        if old != new:
            lines.append(f"{name} differs: {old} before, {new} after")
    return lines


def _runs(records: Sequence[Record]) -> dict[tuple[Any, ...], list[Record]]:
    """The Records that stand for each run that ended well, by what makes two of them comparable."""
    runs: dict[tuple[Any, ...], list[Record]] = {}
    for record in settled(records).values():
        if record.status == "ok":
            runs.setdefault(_comparable(record), []).append(record)
    return runs


def _comparable(record: Record) -> tuple[Any, ...]:
    model, config = record.model, record.config
    data, training = config.get("data") or {}, config.get("training") or {}
    shape = (model.num_classes, model.in_channels, model.image_size, config["batch"], config["execution"]["precision"])
    return (record.kind, model.label, *shape, data.get("name"), data.get("train_images"), training.get("name"), training.get("epochs"))


def _differences(old: list[Record], new: list[Record]) -> Iterator[Difference]:
    for row in old[-1].measurements:
        other = new[-1].measurement(row.name, **row.at)
        if row.name in COMPARED and row.value is not None and other is not None and other.value is not None and other.at == row.at:
            yield _difference(row, other, old, new)


def _difference(row: Measurement, other: Measurement, old: list[Record], new: list[Record]) -> Difference:
    found, method = _compared(row, old, new)
    before, after = float(row.value or 0), float(other.value or 0)
    if row.name.endswith("_error_pct"):
        before, after = statistics.fmean(_values(old, row)), statistics.fmean(_values(new, row))
    else:
        found = _in_percent(found)
    worse = after < before if row.name in MORE_IS_BETTER else after > before
    data = old[-1].config.get("data")
    return Difference(
        model=old[-1].model.label,
        data=data["name"] if data else "",
        name=row.name,
        at=dict(row.at),
        before=before,
        after=after,
        **found._asdict(),
        real=None,
        worse=worse,
        method=method,
    )


def _compared(row: Measurement, old: list[Record], new: list[Record]) -> tuple[Comparison, str]:
    """The statistic that a measurement allows: a ratio, for errors a difference in points."""
    if row.name in EXACT or row.at.get("part") in EXACT_PARTS:
        return _alone(row, old, new), COUNTED
    if row.name.endswith("_error_pct"):
        return _errors(row, old, new)
    before, after = _launches(old[-1], row), _launches(new[-1], row)
    if min(len(before), len(after)) > 1:
        paired = _together(old[-1], new[-1]) and len(before) == len(after)
        how = "paired, as they were interleaved" if paired else "Welch; what changed on the machine between the runs is in it"
        return stats.ratio_t(before, after, paired=paired), f"t over launches, {how}"
    return _alone(row, old, new), NOT_TOLD


def _errors(row: Measurement, old: list[Record], new: list[Record]) -> tuple[Comparison, str]:
    before, after = _values(old, row), _values(new, row)
    if min(len(before), len(after)) > 1:
        return stats.difference_t(before, after), "Welch's t over seeds"
    return stats.difference_of_errors(_errors_of(old[-1], row), _errors_of(new[-1], row)), TWO_NETWORKS


def _errors_of(record: Record, row: Measurement) -> tuple[int, int]:
    found = record.measurement(row.name, **row.at)
    assert found is not None and found.value is not None and found.n is not None
    return round(found.value * found.n / 100), found.n


def _alone(row: Measurement, old: list[Record], new: list[Record]) -> Comparison:
    """The ratio of two figures of which no scatter is known."""
    before, after = _values(old, row)[-1], _values(new, row)[-1]
    ratio = after / before if before else math.inf if after else 1.0
    return Comparison(ratio, math.nan, math.nan, math.nan)


def _in_percent(ratio: Comparison) -> Comparison:
    change, low, high, p = ratio
    return Comparison(100 * (change - 1), 100 * (low - 1), 100 * (high - 1), p)


def _values(records: Sequence[Record], row: Measurement) -> list[float]:
    """The measurement of each Record that has it."""
    found = (record.measurement(row.name, **row.at) for record in records)
    return [float(each.value) for each in found if each is not None and each.value is not None]


def _launches(record: Record, row: Measurement) -> list[float]:
    """Seconds of each launch of a latency: the median of its rounds."""
    if row.name != "latency_s":
        return []
    for series in record.samples.get("latency", []):
        if (series["batch"], series["mode"]) == (row.at.get("batch"), row.at.get("mode")):
            return [statistics.median(launch["rounds"]) for launch in series["launches"]]
    return []


def _together(one: Record, other: Record) -> bool:
    """Whether two Records come from one interleaved run: they saw the same machine at the same moments."""
    seen = one.environment.get("conditions")
    return seen is not None and seen == other.environment.get("conditions")

"""Two sides of Records, measurement by measurement: how large the difference is, and whether it is real."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from archbench import stats
from archbench.errors import ArchbenchError, unknown
from archbench.publish.launches import launches
from archbench.publish.pairwise import LEAST_SEEDS
from archbench.publish.predictions import Kept
from archbench.publish.sides import pairs
from archbench.records.schema import Measurement, Record
from archbench.stats import Comparison

EXACT = {"params", "macs", "activations"}  # the same each time they are counted
# of memory, likewise on a CPU; on a GPU cuDNN chooses anew in each process what it needs to compute
EXACT_PARTS = {"allocated", "reserved", "parameters", "gradients", "optimizer", "activations"}
MORE_IS_BETTER = {"train_images_per_s"}
COMPARED = (
    *sorted(EXACT),
    "test_error_pct",
    "train_error_pct",
    "latency_s",
    "train_step_s",
    "train_images_per_s",
    "time_s",
    "infer_peak_bytes",
    "train_peak_bytes",
    "train_bytes",
)
UNIT = re.compile("_(s|pct|bytes)$")  # how a name ends
COUNTED = "counted"
TWO_NETWORKS = "Newcombe over test images: of two trained networks, it says nothing about other seeds"
ON_THE_SAME_IMAGES = "McNemar over the same test images: of two trained networks, it says nothing about other seeds"
FEW_SEEDS = f"Welch's t over seeds; no verdict below {LEAST_SEEDS} on both sides"
NOT_TOLD = "one process each: how much two processes differ is not known"


@dataclass(frozen=True)
class Difference:
    """One measurement on both sides. Changes are in percent of `before`, those of errors in points.

    `before` and `after` are what the change is between: geometric means of launches or means of seeds where there are several. `real`
    says that it stands at the 5 % level among all that are compared, None that nothing can be told; `worse` that the later side is the
    worse one.
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
        """The change in percent of `before`, of errors too."""
        return self._relative(self.change)

    @property
    def worst_pct(self) -> float:
        """By how much worse, in percent of `before`, the later side may be by the interval; NaN where there is none."""
        return self._relative(-self.low if self.name in MORE_IS_BETTER else self.high)

    def _relative(self, change: float) -> float:
        if not _is_error(self.name):
            return change
        return 100 * change / self.before if self.before else math.inf if change else 0.0


class _Told(NamedTuple):
    """Both sides of a measurement and the statistic between them, all from the same values."""

    before: float
    after: float
    comparison: Comparison
    method: str


def compare(before: Sequence[Record], after: Sequence[Record], kept: Sequence[Kept] = (), only: Sequence[str] = ()) -> list[Difference]:
    """All differences between two sides, each real or not by Holm's rule over all of them; empty where they have no run in common.

    `kept` are the predictions beside each of the two, with which two single tests are compared image by image. `only` holds globs:
    nothing but measurements of such a name is compared.
    """
    found = [each for old, new in pairs(before, after) for each in _differences(old, new, kept) if is_asked(each.name, only)]
    told = stats.holm([each.p for each in found])
    return [dataclasses.replace(each, real=_real(each, stands)) for each, stands in zip(found, told, strict=True)]


def check_asked(before: Sequence[Record], after: Sequence[Record], only: Sequence[str]) -> None:
    """Raise ArchbenchError for a glob that no measurement goes by, and where the two sides hold none that is asked for."""
    for pattern in only:
        if not any(is_asked(name, [pattern]) for name in COMPARED):
            raise unknown("measurement", pattern, [UNIT.sub("", name) for name in COMPARED])
    held = dict.fromkeys(row.name for old, new in pairs(before, after) for row in _in_common(old, new))
    if held and not any(is_asked(name, only) for name in held):
        raise ArchbenchError(f"the two sides have no {' or '.join(only)} in common, but {', '.join(held)}")


def worse_than(differences: Iterable[Difference], limit_pct: float) -> list[Difference]:
    """Those that are real, for the worse, and larger than a limit in percent."""
    return [each for each in differences if each.real and each.worse and abs(each.relative_pct) > limit_pct]


def is_asked(name: str, only: Sequence[str]) -> bool:
    """Whether a measurement goes by one of these globs, with its unit or without: `latency`, `train_*`; all do where there are none."""
    return not only or any(fnmatch.fnmatchcase(each, pattern) for pattern in only for each in (name, UNIT.sub("", name)))


def _real(difference: Difference, stands: bool) -> bool | None:
    """A count has no chance in it: any difference is real."""
    if difference.method == COUNTED:
        return difference.before != difference.after
    return None if math.isnan(difference.p) else stands


def _differences(old: list[Record], new: list[Record], kept: Sequence[Kept]) -> Iterator[Difference]:
    return (_difference(row, old, new, kept) for row in _in_common(old, new))


def _in_common(old: list[Record], new: list[Record]) -> Iterator[Measurement]:
    """Those that the newest of both sides have, as the earlier one has them."""
    for row in old[-1].measurements:
        if row.name in COMPARED and row.value is not None and _values(new[-1:], row):
            yield row


def _difference(row: Measurement, old: list[Record], new: list[Record], kept: Sequence[Kept]) -> Difference:
    before, after, found, method = _told(row, old, new, kept)
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
        worse=found.change < 0 if row.name in MORE_IS_BETTER else found.change > 0,
        method=method,
    )


def _told(row: Measurement, old: list[Record], new: list[Record], kept: Sequence[Kept]) -> _Told:
    """The statistic that a measurement allows: a change in percent, for errors in points."""
    if _is_error(row.name):
        return _errors(row, old, new, kept)
    if _is_exact(row, old[-1]) and _is_exact(row, new[-1]):
        return _alone(row, old, new, COUNTED)
    before, after = launches(old[-1], row), launches(new[-1], row)
    if min(len(before), len(after)) < 2:
        return _alone(row, old, new, NOT_TOLD)
    paired = _together(old[-1], new[-1]) and len(before) == len(after)
    how = "paired, as they were interleaved" if paired else "Welch; what changed on the machine between the runs is in it"
    ratio = stats.ratio_t(before, after, paired=paired)
    return _Told(statistics.geometric_mean(before), statistics.geometric_mean(after), _in_percent(ratio), f"t over launches, {how}")


def _is_error(name: str) -> bool:
    return name.endswith("_error_pct")


def _is_exact(row: Measurement, record: Record) -> bool:
    """Whether a Record of the same network would hold just the same value."""
    return row.name in EXACT or (row.at.get("part") in EXACT_PARTS and record.environment["device"]["kind"] == "cpu")


def _errors(row: Measurement, old: list[Record], new: list[Record], kept: Sequence[Kept]) -> _Told:
    before, after = _values(old, row), _values(new, row)
    if min(len(before), len(after)) > 1:
        found = stats.difference_t(before, after)
        if min(len(before), len(after)) < LEAST_SEEDS:
            return _Told(statistics.fmean(before), statistics.fmean(after), found._replace(p=math.nan), FEW_SEEDS)
        return _Told(statistics.fmean(before), statistics.fmean(after), found, "Welch's t over seeds")
    said = [predictions for side, records in zip(kept, (old, new), strict=False) if (predictions := side.of(records[-1]))]
    if row.name == "test_error_pct" and len(said) == 2 and np.array_equal(said[0].labels, said[1].labels):
        return _Told(before[-1], after[-1], stats.difference_of_networks(said[0].wrong, said[1].wrong), ON_THE_SAME_IMAGES)
    counted = _errors_of(old[-1], row), _errors_of(new[-1], row)
    if None in counted:
        return _alone(row, old, new, NOT_TOLD)
    return _Told(before[-1], after[-1], stats.difference_of_errors(*counted), TWO_NETWORKS)  # type: ignore[arg-type]


def _errors_of(record: Record, row: Measurement) -> tuple[int, int] | None:
    """Errors and test images; None where nobody says how many images there were."""
    found = _same(record, row)
    assert found is not None and found.value is not None
    return (round(found.value * found.n / 100), found.n) if found.n else None


def _alone(row: Measurement, old: list[Record], new: list[Record], method: str) -> _Told:
    """The newest figures, of which no scatter is known."""
    before, after = _values(old, row)[-1], _values(new, row)[-1]
    ratio = after / before if before else math.inf if after else 1.0
    return _Told(before, after, _in_percent(Comparison(ratio, math.nan, math.nan, math.nan)), method)


def _in_percent(ratio: Comparison) -> Comparison:
    change, low, high, p = ratio
    return Comparison(100 * (change - 1), 100 * (low - 1), 100 * (high - 1), p)


def _values(records: Sequence[Record], row: Measurement) -> list[float]:
    """The measurement of each Record that has it."""
    found = (_same(record, row) for record in records)
    return [float(each.value) for each in found if each is not None and each.value is not None]


def _same(record: Record, row: Measurement) -> Measurement | None:
    """The row of just these circumstances: that of a whole has fewer than those of its parts."""
    return next((each for each in record.measurements if (each.name, each.at) == (row.name, row.at)), None)


def _together(one: Record, other: Record) -> bool:
    """Whether two Records come from one interleaved run: they saw the same machine at the same moments."""
    seen = one.environment.get("conditions")
    return seen is not None and seen == other.environment.get("conditions")

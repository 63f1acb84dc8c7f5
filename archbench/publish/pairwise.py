"""Each two networks of a ranking: by how much their errors differ, and whether that stands beside all other pairs."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archbench import permuting, stats
from archbench.publish import grouping
from archbench.publish.predictions import Kept
from archbench.records.schema import Record
from archbench.stats import Comparison, Wrong

LEAST_SEEDS, LEVEL = 5, 0.05
ERROR, GAP = "test_error_pct", "gap_points"  # what is compared; the gap is the test error less that on training images
ADJUSTED = ("p", "p_images", "p_permuted", "p_two_networks")  # each over all pairs of a ranking that may have it
DRAWS_A_PAIR = 4 / LEVEL  # of the bootstrap: so that its least p stands beside all others
BETTER, HERE, SAME = "better", "better on these images", "not told apart"


@dataclass(frozen=True)
class Entry:
    """One network under one setting: its runs over seeds, those that diverged included; `mark` leads to its footnote.

    `quantity` is what is compared of it, in percent points.
    """

    runs: Sequence[Record]
    mark: str = ""
    quantity: str = ERROR

    @property
    def name(self) -> str:
        """The model, whether it was tuned, its mark."""
        trials = (self.runs[0].config.get("tuned") or {}).get("trials")
        return self.runs[0].model.label + (f" (tuned, {trials})" if trials else "") + self.mark

    @functools.cached_property
    def tested(self) -> Sequence[Record]:
        """Runs with a test error."""
        return grouping.picked(self.runs, np.flatnonzero(~np.isnan(self._all)))

    @functools.cached_property
    def figures(self) -> list[float]:
        """What is compared of each of these: the test error of a run, or its gap."""
        return grouping.there(self._all)

    @functools.cached_property
    def _all(self) -> grouping.Figures:
        """Of each run; NaN where there is none."""
        errors = grouping.figures_of(self.runs, ERROR)
        return errors - grouping.figures_of(self.runs, "train_error_pct") if self.quantity == GAP else errors


def pairs(entries: Sequence[Entry], kept: Kept) -> list[dict[str, Any]]:
    """A row for each two entries that come in order of their error, as `compared` makes it."""
    return compared(itertools.combinations(entries, 2), kept)


def compared(entries: Iterable[tuple[Entry, Entry]], kept: Kept) -> list[dict[str, Any]]:
    """A row for each pair: `difference` is what the second has more, in percent points; each p counts beside those of all pairs."""
    both = list(entries)
    family = sum(_enough(*pair) for pair in both if pair[0].quantity == ERROR)
    singles = sum(_of_two_networks(*pair) for pair in both)
    found = [_pair(*pair, kept, draws=max(stats.DRAWS, math.ceil(DRAWS_A_PAIR * family))) for pair in both]
    for row, p in zip(found, permuting.p_values([(one.figures, other.figures) for one, other in both]), strict=True):
        row["p_permuted"] = p
    for name in ADJUSTED:
        # pairs whose predictions are gone count too, or the others' would seem surer
        size = {"p_images": family, "p_two_networks": singles}.get(name)
        for row, adjusted in zip(found, stats.holm_adjusted([row[name] for row in found], size), strict=True):
            row[f"{name}_holm"] = adjusted
    return [{**row, "verdict": _verdict(row)} for row in found]


def ranks(entries: Sequence[Entry], found: Sequence[dict[str, Any]]) -> list[float]:
    """1 + how many are better on these images; NaN for fewer than 5 seeds, and where no other has as many."""
    better = [places for places, row in zip(itertools.combinations(range(len(entries)), 2), found, strict=True) if is_better(row)]
    rankable = [len(each.tested) >= LEAST_SEEDS for each in entries]
    counted = stats.ranks(len(entries), better)
    return [float(rank) if told and sum(rankable) > 1 else math.nan for rank, told in zip(counted, rankable, strict=True)]


def is_better(row: dict[str, Any]) -> bool:
    """Whether the first of a pair is better on the images at hand."""
    return bool(row["p_holm"] <= LEVEL)


def _verdict(row: dict[str, Any]) -> str:
    """Empty where a side has too few seeds; on new images too only where the bootstrap says so."""
    if math.isnan(row["p_holm"]):
        return ""
    return SAME if not is_better(row) else BETTER if row["p_images_holm"] <= LEVEL else HERE


def _enough(one: Entry, other: Entry) -> bool:
    return min(len(one.tested), len(other.tested)) >= LEAST_SEEDS


def _of_two_networks(one: Entry, other: Entry) -> bool:
    """Whether two trained networks are compared, whose errors on each image say more than their numbers."""
    return one.quantity == ERROR and len(one.tested) == len(other.tested) == 1


def _pair(one: Entry, other: Entry, kept: Kept, draws: int) -> dict[str, Any]:
    enough, wrong = _enough(one, other), _wrong(one, other, kept)
    of_two = stats.difference_of_networks(wrong[0][0], wrong[1][0]) if wrong and _of_two_networks(one, other) else None
    over_images = stats.difference_over_images(*wrong, draws=draws) if wrong and enough else None
    told = of_two or _told(one, other)
    return {
        "model": one.name,
        "against": other.name,
        "n": len(one.tested),
        "n_against": len(other.tested),
        "difference_points": told.change,
        "low_points": told.low,
        "high_points": told.high,
        "p": told.p if enough else math.nan,
        "low_images_points": over_images.low if over_images else math.nan,
        "high_images_points": over_images.high if over_images else math.nan,
        "p_images": over_images.p if over_images else math.nan,
        "p_permuted": math.nan,
        "p_two_networks": of_two.p if of_two else math.nan,
    }


def _told(one: Entry, other: Entry) -> Comparison:
    """Welch's t; of the errors of one run each, Newcombe's interval."""
    if _of_two_networks(one, other):
        counts = _count(one.tested[0]), _count(other.tested[0])
        if counts[0] is not None and counts[1] is not None:
            return stats.difference_of_errors(counts[0], counts[1])
    return stats.difference_t(one.figures, other.figures)


def _count(record: Record) -> tuple[int, int] | None:
    """How many of how many images were wrong, where the Record tells."""
    row = record.measurement("test_error_pct")
    return None if row is None or row.value is None or not row.n else (round(row.value * row.n / 100), row.n)


def _wrong(one: Entry, other: Entry, kept: Kept) -> tuple[Wrong, Wrong] | None:
    """Per seed and image of both; None where predictions are missing, were made on other images, or are not what is compared."""
    if one.quantity != ERROR or kept.root is None:
        return None
    found = kept.of_all([*one.tested, *other.tested])
    if found is None:
        return None
    wrong = np.stack([each.wrong for each in found])
    return wrong[: len(one.tested)], wrong[len(one.tested) :]

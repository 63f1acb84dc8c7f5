"""Intervals. All are two-sided; `confidence` is 0.95 unless given."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats


class Interval(NamedTuple):
    """An estimate with its interval and the number of observations behind it; `low` and `high` are NaN where n is too small."""

    value: float
    low: float
    high: float
    n: int


def wilson(errors: int, n: int, confidence: float = 0.95) -> Interval:
    """Share of errors in percent with Wilson's score interval (Wilson 1927): one network on `n` test images."""
    interval = stats.binomtest(errors, n).proportion_ci(confidence, method="wilson")
    return Interval(100 * errors / n, 100 * float(interval.low), 100 * float(interval.high), n)


def mean_t(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean with Student's t interval over independent runs; no interval for a single one."""
    n, mean = len(values), statistics.fmean(values)
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * statistics.stdev(values) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def median(samples: Sequence[float], confidence: float = 0.95) -> Interval:
    """Median with the distribution-free interval between two order statistics (binomial; Hollander & Wolfe, section 3.6).

    Below six samples no pair of order statistics reaches 95 %, and the interval is NaN.
    """
    ordered, n = sorted(samples), len(samples)
    rank = int(stats.binom.ppf((1 - confidence) / 2, n, 0.5))
    if rank < 1:
        return Interval(statistics.median(ordered), math.nan, math.nan, n)
    return Interval(statistics.median(ordered), ordered[rank - 1], ordered[n - rank], n)

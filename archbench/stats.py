"""Intervals. All are two-sided; `confidence` is 0.95 unless given."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

RESAMPLES, LEAST_TO_DRIFT = 2000, 9


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


def bootstrap_median(samples: Sequence[float], confidence: float = 0.95) -> Interval:
    """Median with the percentile interval of 2,000 bootstrap samples, drawn by a fixed seed (Efron & Tibshirani 1993, section 13.3).

    Below three samples there is nothing to draw from, and the interval is NaN.
    """
    value, n = statistics.median(samples), len(samples)
    if n < 3:
        return Interval(value, math.nan, math.nan, n)
    values = np.asarray(samples, dtype=float)
    chosen = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.median(values[chosen], axis=1), [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)


def geometric_t(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Geometric mean with Student's t interval on the logarithms; no interval for a single value."""
    value, low, high, n = mean_t([math.log(each) for each in values], confidence)
    return Interval(math.exp(value), math.exp(low), math.exp(high), n)


def over_launches(launches: Sequence[Sequence[float]]) -> Interval:
    """Of each process' median: geometric mean with Student's t; of one process, or where a time is 0, the median of all."""
    medians = [statistics.median(launch) for launch in launches]
    if len(medians) == 1 or min(medians) <= 0:
        return median([sample for launch in launches for sample in launch])
    return geometric_t(medians)


def drift(groups: Sequence[Sequence[float]]) -> float:
    """Relative change from the first third of each series to its last, where Kendall's rank test sees a trend (p < 0.01); else 0.

    Each series counts in units of its own median, by the place within it: how series differ from each other is no drift.
    """
    placed = [
        (place / (len(group) - 1), value / statistics.median(group))
        for group in groups
        if len(group) > 2
        for place, value in enumerate(group)
    ]
    if len(placed) < LEAST_TO_DRIFT or stats.kendalltau(*zip(*placed, strict=True)).pvalue >= 0.01:
        return 0.0
    first = statistics.median(value for place, value in placed if place <= 1 / 3)
    last = statistics.median(value for place, value in placed if place >= 2 / 3)
    return last / first - 1


class Comparison(NamedTuple):
    """A change from one side to the other with its interval, and how likely one as large is by chance alone (NaN: cannot be told)."""

    change: float
    low: float
    high: float
    p: float


def ratio_t(before: Sequence[float], after: Sequence[float], paired: bool, confidence: float = 0.95) -> Comparison:
    """Ratio of the geometric means of `after` to `before`, with Student's t interval on the logarithms.

    `paired` takes them pair by pair (n - 1 degrees of freedom), else Welch's degrees of freedom. Below two values on a side nothing can
    be told.
    """
    first, second = np.log(np.asarray(before, dtype=float)), np.log(np.asarray(after, dtype=float))
    change = math.exp(float(np.mean(second) - np.mean(first)))
    if min(len(first), len(second)) < 2:
        return Comparison(change, math.nan, math.nan, math.nan)
    if np.ptp(second - first if paired else np.concatenate([first - first[0], second - second[0]])) == 0:  # no scatter to test against
        return Comparison(change, change, change, 0.0 if change != 1 else 1.0)
    test = stats.ttest_rel(second, first) if paired else stats.ttest_ind(second, first, equal_var=False)
    interval = test.confidence_interval(confidence)
    return Comparison(change, math.exp(interval.low), math.exp(interval.high), float(test.pvalue))


def difference_t(before: Sequence[float], after: Sequence[float], confidence: float = 0.95) -> Comparison:
    """Difference of the means with Welch's t interval over independent runs; nothing can be told below two runs on a side."""
    change = statistics.fmean(after) - statistics.fmean(before)
    if min(len(before), len(after)) < 2:
        return Comparison(change, math.nan, math.nan, math.nan)
    if len(set(before)) == len(set(after)) == 1:  # no scatter to test against
        return Comparison(change, change, change, 0.0 if change else 1.0)
    test = stats.ttest_ind(after, before, equal_var=False)
    interval = test.confidence_interval(confidence)
    return Comparison(change, float(interval.low), float(interval.high), float(test.pvalue))


def difference_of_errors(before: tuple[int, int], after: tuple[int, int], confidence: float = 0.95) -> Comparison:
    """Difference of two networks' shares of errors, in percent points, each given as (errors, test images): Newcombe's interval (1998).

    The images are taken as two samples; p is the score test's.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep, test_proportions_2indep

    low, high = confint_proportions_2indep(*after, *before, method="newcomb", compare="diff", alpha=1 - confidence)
    change = after[0] / after[1] - before[0] / before[1]
    p = test_proportions_2indep(*after, *before, method="score", compare="diff").pvalue if change else 1.0
    return Comparison(100 * change, 100 * float(low), 100 * float(high), float(p))


def holm(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which of several differences are real at a level for all of them together (Holm 1979); one that is NaN is not."""
    from statsmodels.stats.multitest import multipletests

    told = [place for place, p in enumerate(p_values) if not math.isnan(p)]
    real = [False] * len(p_values)
    if told:
        for place, rejected in zip(told, multipletests([p_values[place] for place in told], level, method="holm")[0], strict=True):
            real[place] = bool(rejected)
    return real

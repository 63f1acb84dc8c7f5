"""Intervals. All are two-sided; `confidence` is 0.95 unless given."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
RESAMPLES = 2000


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


def bootstrap_median(groups: Sequence[Sequence[float]], confidence: float = 0.95) -> Interval:
    """Median of all samples, with the percentile interval of 2,000 bootstrap samples over groups, then within each.

    Drawn by a fixed seed; Davison & Hinkley, "Bootstrap Methods and their Application" (1997), section 3.8. Below three samples there is
    nothing to draw from, and the interval is NaN.
    """
    samples = [sample for group in groups for sample in group]
    value, n = statistics.median(samples), len(samples)
    if n < 3:
        return Interval(value, math.nan, math.nan, n)
    tail = (1 - confidence) / 2
    low, high = np.quantile(_resampled_medians(groups), [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)


def drift(samples: Sequence[float]) -> float:
    """Relative change from the first third of a series to the last, where Kendall's rank test sees a trend (p < 0.01); else 0."""
    third = len(samples) // 3
    if third < 3 or stats.kendalltau(range(len(samples)), samples).pvalue >= 0.01:
        return 0.0
    return statistics.median(samples[-third:]) / statistics.median(samples[:third]) - 1


def _resampled_medians(groups: Sequence[Sequence[float]]) -> FloatArray:
    """A median for each resample: groups drawn with replacement, as many samples from each as the largest has."""
    draw, sizes = np.random.default_rng(0), np.array([len(group) for group in groups])
    padded = np.array([[*group, *[math.nan] * (max(sizes) - len(group))] for group in groups])
    chosen = draw.integers(0, len(groups), (RESAMPLES, len(groups)))
    within = (draw.random((RESAMPLES, len(groups), max(sizes))) * sizes[chosen][..., None]).astype(int)
    resampled: FloatArray = np.median(padded[chosen[..., None], within].reshape(RESAMPLES, -1), axis=1)
    return resampled


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
    test = stats.ttest_rel(second, first) if paired else stats.ttest_ind(second, first, equal_var=False)
    interval = test.confidence_interval(confidence)
    return Comparison(change, math.exp(interval.low), math.exp(interval.high), float(test.pvalue))


def difference_t(before: Sequence[float], after: Sequence[float], confidence: float = 0.95) -> Comparison:
    """Difference of the means with Welch's t interval over independent runs; nothing can be told below two runs on a side."""
    change = statistics.fmean(after) - statistics.fmean(before)
    if min(len(before), len(after)) < 2:
        return Comparison(change, math.nan, math.nan, math.nan)
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

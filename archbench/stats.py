"""Intervals, tests and corrections. All are two-sided; `confidence` is 0.95 unless given.

scipy and statsmodels do the work where they can. Wilson's and Student's intervals, Welch's test of many pairs and Holm's rule are written
out: tables of a hundred thousand Records call them too often for the libraries' own, which the tests hold them against.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES, LEAST_TO_DRIFT = 2000, 9
DRAWS = 10_000  # of a bootstrap whose p stands beside others: small enough a p must be within reach
FEW_DISCORDANT = 25  # below, McNemar's test is exact

Wrong = NDArray[np.bool_]  # (seeds, images), or (images,) of one network: whether the prediction is wrong


class Interval(NamedTuple):
    """An estimate with its interval and the number of observations behind it; `low` and `high` are NaN where n is too small."""

    value: float
    low: float
    high: float
    n: int


def wilson(errors: int, n: int, confidence: float = 0.95) -> Interval:
    """Share of errors in percent with Wilson's score interval (Wilson 1927): one network on `n` test images."""
    from scipy import special

    share, z2 = errors / n, float(special.ndtri((1 + confidence) / 2)) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * share * (1 - share) / n + (z2 / (2 * n)) ** 2) / (1 + z2 / n)
    low, high = (0.0 if not errors else middle - half), (1.0 if errors == n else middle + half)
    return Interval(100 * share, 100 * low, 100 * high, n)


def mean_t(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean with Student's t interval over independent runs; no interval for a single one."""
    from scipy import special

    n, mean = len(values), statistics.fmean(values)
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    half = float(special.stdtrit(n - 1, (1 + confidence) / 2)) * math.sqrt(_variance(values) / n)
    return Interval(mean, mean - half, mean + half, n)


def _variance(values: Sequence[float]) -> float:
    """Within a bit or two; `statistics.variance` takes ten times as long to get those right too."""
    if min(values) == max(values):  # the mean of equal ones may be off by a bit
        return 0.0
    mean = statistics.fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def median(samples: Sequence[float], confidence: float = 0.95) -> Interval:
    """Median with the distribution-free interval between two order statistics (binomial; Hollander & Wolfe, section 3.6).

    Below six samples no pair of order statistics reaches 95 %, and the interval is NaN.
    """
    from scipy import special

    ordered, n = sorted(samples), len(samples)
    rank = int(np.searchsorted(special.bdtr(np.arange(n + 1), n, 0.5), (1 - confidence) / 2))
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
    from scipy import stats

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
    from scipy import stats

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
    """Difference of the means with Welch's t interval over independent runs.

    Nothing can be told below two runs on a side, nor where neither side scatters: errors come in whole images, and a few runs that agree
    to the image do not show that all would.
    """
    from scipy import stats

    change = statistics.fmean(after) - statistics.fmean(before)
    if min(len(before), len(after)) < 2:
        return Comparison(change, math.nan, math.nan, math.nan)
    if len(set(before)) == len(set(after)) == 1:
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
    with np.errstate(divide="ignore"):  # it takes the ratio too, of which nobody speaks here
        p = test_proportions_2indep(*after, *before, method="score", compare="diff").pvalue if change else 1.0
    return Comparison(100 * change, 100 * float(low), 100 * float(high), float(p))


def difference_over_images(before: Wrong, after: Wrong, confidence: float = 0.95, draws: int = DRAWS) -> Comparison:
    """Difference of two architectures' errors in percent points by a bootstrap over seeds × test images, each side `(seeds, images)`.

    Both sides hold the same images. Seeds and images are drawn, crossed (Owen 2007, "The pigeonhole bootstrap"), with three corrections:

    - what a seed and an image do together is in both draws, so that the draw of images is shrunk by its part (as the two-way clustered
      variance of Cameron, Gelbach & Miller 2011 takes it off);
    - the scatter of n seeds is widened by sqrt(n / (n - 1)), since they are drawn around their own mean;
    - and by sqrt(df / chi²(df)) with Welch's degrees of freedom, since it is itself known from few seeds: Student's t.

    Two architectures that are equally good, 5 or 10 seeds, 200 to 2,000 images, are called different at the 5 % level in 3.2 to 5.9 % of
    simulated pairs (benchmarks/false_calls.py). p is not below 2 / (draws + 1). Nothing can be told below two seeds on a side.
    """
    change = 100 * float(after.mean() - before.mean())
    if min(len(before), len(after)) < 2:
        return Comparison(change, math.nan, math.nan, math.nan)
    draw = np.random.default_rng(0)
    drawn = change + 100 * (_seeds_drawn(before, after, draws, draw) + _images_drawn(before, after, draws, draw))
    if np.ptp(drawn) == 0:  # no scatter to test against
        return Comparison(change, change, change, 0.0 if change else 1.0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Comparison(change, float(low), float(high), min(1.0, 2 * (beyond + 1) / (draws + 1)))


def _seeds_drawn(before: Wrong, after: Wrong, draws: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """By how much the difference moves with the seeds that are drawn."""
    errors = [side.mean(axis=1) - side.mean() for side in (before, after)]
    parts = [float(each.var(ddof=1)) / len(each) for each in errors]
    if not sum(parts):
        return np.zeros(draws)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(each) - 1) for part, each in zip(parts, errors, strict=True))
    moved = [each[draw.integers(0, len(each), (draws, len(each)))].mean(axis=1) * math.sqrt(len(each) / (len(each) - 1)) for each in errors]
    widened: NDArray[np.float64] = (moved[1] - moved[0]) * np.sqrt(freedom / draw.chisquare(freedom, draws))
    return widened


def _images_drawn(before: Wrong, after: Wrong, draws: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """By how much it moves with the images; those that count alike are drawn together, which is the same and takes no time."""
    images = before.shape[1]
    differences = after.mean(axis=0) - before.mean(axis=0)
    variance = float(differences.var(ddof=1)) / images
    if not variance:
        return np.zeros(draws)
    alone = max(0.0, 1 - (_interaction(before) + _interaction(after)) / variance)
    values, counts = np.unique(differences - differences.mean(), return_counts=True)
    moved: NDArray[np.float64] = draw.multinomial(images, counts / images, draws) @ values / images * math.sqrt(alone)
    return moved


def _interaction(wrong: Wrong) -> float:
    """Variance of the mean error from what seeds and images do together: the residual mean square of both ways over their number."""
    seeds, images = wrong.shape
    residual: NDArray[np.float64] = wrong - wrong.mean(axis=0) - wrong.mean(axis=1, keepdims=True) + wrong.mean()
    return float(np.square(residual).sum() / ((seeds - 1) * (images - 1)) / (seeds * images))


def mcnemar(before: Wrong, after: Wrong) -> float:
    """McNemar's p that two trained networks err equally often on the same images `(images,)`; it says nothing about other seeds.

    Only images that one alone gets wrong count: below 25 of them the binomial test, else chi-squared without correction.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    table = [[int(((before == one) & (after == other)).sum()) for other in (True, False)] for one in (True, False)]
    return float(test(table, exact=table[0][1] + table[1][0] < FEW_DISCORDANT, correction=False).pvalue)


def difference_of_networks(before: Wrong, after: Wrong, confidence: float = 0.95) -> Comparison:
    """Difference of two trained networks' errors on the same images `(images,)`, in percent points: t over images, image by image; p is
    McNemar's. It says nothing about other seeds.
    """
    from scipy import stats

    change = 100 * float(after.mean() - before.mean())
    apart = 100 * (after.astype(float) - before)
    if np.ptp(apart) == 0:  # they err on the same images, or one errs on all and the other on none
        return Comparison(change, change, change, mcnemar(before, after))
    interval = stats.ttest_1samp(apart, 0).confidence_interval(confidence)
    return Comparison(change, float(interval.low), float(interval.high), mcnemar(before, after))


def welch_from(values: Sequence[Sequence[float]], first: int) -> NDArray[np.float64]:
    """p of Welch's t between sample `first` and each, `(N,)`, as it counts among all pairs of the N samples (Holm).

    As `difference_t` and `holm_adjusted` have it, without a loop over pairs: NaN where nothing can be told, and of the sample with itself.
    """
    from scipy import special

    means, counts = np.array([statistics.fmean(each) for each in values]), np.array([len(each) for each in values])
    squares = np.array([_variance(each) / len(each) if len(each) > 1 else math.nan for each in values])
    left, right = np.triu_indices(len(values), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        both = squares[left] + squares[right]
        freedom = both**2 / (squares[left] ** 2 / (counts[left] - 1) + squares[right] ** 2 / (counts[right] - 1))
        p = 2 * special.stdtr(freedom, -np.abs(means[left] - means[right]) / np.sqrt(both))
    adjusted = np.full((len(values), len(values)), math.nan)
    adjusted[left, right] = adjusted[right, left] = holm_adjusted(np.where(both > 0, p, math.nan).tolist())
    found: NDArray[np.float64] = adjusted[first]
    return found


def holm_adjusted(p_values: Sequence[float], family: int | None = None) -> list[float]:
    """Each p as it counts among all of them (Holm 1979); one that is NaN stays so and does not count.

    A `family` larger than those that are told counts further ones, of which nothing is known, as p = 1.
    """
    given = np.asarray(p_values, dtype=float)
    told = np.flatnonzero(~np.isnan(given))
    order = told[np.argsort(given[told], kind="stable")]
    counts = max(family or 0, len(told)) - np.arange(len(told))
    adjusted = np.full(len(given), math.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(counts * given[order]), 1)
    return [float(p) for p in adjusted]


def holm(p_values: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which of several differences are real at a level for all of them together; one that is NaN is not."""
    return [p <= level for p in holm_adjusted(p_values)]


def ranks(count: int, better: Iterable[tuple[int, int]]) -> list[int]:
    """Of `count` architectures: 1 + how many are significantly better; `better` holds pairs (the better one, the worse one)."""
    found = [1] * count
    for _, worse in better:
        found[worse] += 1
    return found

"""What intervals and tests promise, held against simulated trainings: how often they cover, and how often they see what is not there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, ttest_ind

from archbench import stats

PAIRS = 2000  # of one architecture with itself; 95 of 100 rates of a true 5 % then lie between 4 and 6 %
COVERED, REJECTED = (0.93, 0.97), (0.03, 0.07)
HARD = (0.05, 0.45)  # Beta: each image has its own share of seeds that get it wrong, 10 % on average; most never, some always


def trained(draw: np.random.Generator, wrong: NDArray[np.float64], seeds: int, apart: float) -> stats.Wrong:
    """Networks of one architecture: each seed is better or worse as a whole by `apart` on the logit, and errs at random beside that."""
    with np.errstate(divide="ignore"):
        logit = np.log(wrong / (1 - wrong)) + apart * draw.standard_normal((seeds, 1))
    found: stats.Wrong = draw.random((seeds, len(wrong))) < 1 / (1 + np.exp(-logit))
    return found


def share(found: list[bool]) -> float:
    return sum(found) / len(found)


def within(rate: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= rate <= bounds[1]


@pytest.mark.parametrize(("n", "p"), [(360, 0.05), (1000, 0.3), (10_000, 0.1)])
def test_wilsons_interval_covers_the_error(n: int, p: float) -> None:
    """Over all that n images can show, each weighted with its binomial probability: no simulation needed."""
    likely = range(int(binom.ppf(1e-6, n, p)), int(binom.isf(1e-6, n, p)) + 1)
    covered = sum(binom.pmf(errors, n, p) for errors in likely if (each := stats.wilson(errors, n)).low <= 100 * p <= each.high)
    assert within(float(covered), COVERED)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_students_interval_covers_the_mean_over_seeds(seeds: int) -> None:
    draw = np.random.default_rng(seeds)
    held = [low <= 8.0 <= high for _, low, high, _ in (stats.mean_t(draw.normal(8, 0.3, seeds).tolist()) for _ in range(PAIRS))]
    assert within(share(held), COVERED)


def test_welch_calls_one_architecture_two_as_often_as_it_says() -> None:
    """Two times five seeds on the same 200 images."""
    draw = np.random.default_rng(5)

    def p() -> float:
        wrong = draw.beta(*HARD, 200)
        before, after = ((100 * trained(draw, wrong, 5, 0.3).mean(axis=1)).tolist() for _ in range(2))
        return stats.difference_t(before, after).p

    assert within(share([p() < 0.05 for _ in range(PAIRS)]), REJECTED)


@pytest.mark.parametrize("apart", [0.0, 0.3])
def test_the_bootstrap_calls_one_architecture_two_as_often_as_it_says(apart: float) -> None:
    """Two times five seeds on 500 images, which alone scatter or differ as a whole too. Its interval and its p say the same."""
    draw = np.random.default_rng(6)

    def found() -> stats.Comparison:
        wrong = draw.beta(*HARD, 500)
        return stats.difference_over_images(trained(draw, wrong, 5, apart), trained(draw, wrong, 5, apart), draws=1000)

    all_found = [found() for _ in range(PAIRS)]
    assert within(share([each.p < 0.05 for each in all_found]), REJECTED)
    assert share([(each.p < 0.05) == (each.low > 0 or each.high < 0) for each in all_found]) > 0.995  # a draw on the edge


def test_the_bootstrap_covers_what_two_architectures_differ_by_on_new_images_and_welch_does_not() -> None:
    """One errs on 10 % and the other on 15 % of all images there are, each on its own; 300 are drawn anew for each of 600 pairs.

    Welch's test speaks of the images at hand: its interval misses what lies behind them.
    """
    draw = np.random.default_rng(7)
    covered, by_welch = [], []
    for _ in range(600):
        before = trained(draw, draw.beta(0.05, 0.45, 300), 5, 0.0)
        after = trained(draw, draw.beta(0.075, 0.425, 300), 5, 0.0)
        found = stats.difference_over_images(before, after, draws=500)
        welch = stats.difference_t(*((100 * side.mean(axis=1)).tolist() for side in (before, after)))
        covered.append(found.low <= 5 <= found.high)
        by_welch.append(welch.low <= 5 <= welch.high)
    assert within(share(covered), COVERED)
    assert share(by_welch) < 0.8


def test_mcnemar_calls_equal_networks_unequal_as_often_as_it_says_and_equal_architectures_more_often() -> None:
    """A network of each on 2,000 images: where seeds scatter by images alone the two err equally often, and where a seed is better or
    worse as a whole they do not, which is why a call is about two trained networks.
    """
    draw = np.random.default_rng(8)

    def rejected(apart: float) -> float:
        wrong = [draw.beta(*HARD, 2000) for _ in range(PAIRS)]
        sides = [(trained(draw, each, 1, apart)[0], trained(draw, each, 1, apart)[0]) for each in wrong]
        return share([stats.mcnemar(before, after) < 0.05 for before, after in sides])

    assert within(rejected(0.0), REJECTED)
    assert rejected(0.3) > 2 * REJECTED[1]


def test_holm_sees_something_where_nothing_is_in_one_table_of_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten architectures that are alike, five seeds each, 45 pairs by Welch: one false call in at most 5 % of tables, and not in none.

    Pairs share sides, so that the rule is on the safe side; without it nearly half of the tables would hold a false call.
    """
    monkeypatch.setattr("gc.collect", lambda: 0)  # statsmodels calls it each time, which takes all of the test's time
    draw = np.random.default_rng(9)
    first, second = np.triu_indices(10, 1)
    runs = draw.normal(size=(PAIRS, 10, 5))
    p = ttest_ind(runs[:, first], runs[:, second], axis=2, equal_var=False).pvalue
    assert 0.01 <= share([any(stats.holm(each)) for each in p.tolist()]) <= 0.06
    assert share((p.min(axis=1) < 0.05).tolist()) > 0.4

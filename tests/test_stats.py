from __future__ import annotations

import math

import numpy as np
import pytest

from archbench import stats


def test_wilson_interval_by_hand() -> None:
    """10 of 100: centre (0.1 + z²/200) / (1 + z²/100), half z sqrt(0.1 0.9 / 100 + z²/40000) / (1 + z²/100), z = 1.959964."""
    z = 1.959964
    centre = (0.1 + z**2 / 200) / (1 + z**2 / 100)
    half = z * math.sqrt(0.1 * 0.9 / 100 + z**2 / 40_000) / (1 + z**2 / 100)
    interval = stats.wilson(10, 100)
    assert interval.value == pytest.approx(10)
    assert (interval.low, interval.high) == pytest.approx((100 * (centre - half), 100 * (centre + half)), rel=1e-5)


@pytest.mark.parametrize(("errors", "n"), [(0, 10), (3, 10), (1037, 10_000), (10, 10)])
def test_wilsons_interval_is_that_of_statsmodels(errors: int, n: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    found = stats.wilson(errors, n)
    assert (found.low / 100, found.high / 100) == pytest.approx(proportion_confint(errors, n, method="wilson"), abs=1e-12)


def test_wilson_of_no_error_still_has_an_upper_end() -> None:
    """0 of 360: z² / (n + z²) = 1.0558 %."""
    assert stats.wilson(0, 360).high == pytest.approx(100 * 3.8414588 / 363.8414588, rel=1e-5)


def test_mean_with_students_t() -> None:
    """1, 2, 3: mean 2, s = 1, t(0.975, 2) = 4.302653; half width 4.302653 / sqrt(3)."""
    interval = stats.mean_t([1.0, 2.0, 3.0])
    assert (interval.value, interval.n) == (2.0, 3)
    assert interval.high - interval.value == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_one_run_has_no_interval_over_seeds() -> None:
    assert math.isnan(stats.mean_t([4.0]).low)


def test_median_interval_from_order_statistics() -> None:
    """n = 10: P(Bin(10, ½) <= 1) = 11/1024 <= 0.025 < P(<= 2), so the second and the ninth value bound the median."""
    interval = stats.median([10.0, 1, 9, 2, 8, 3, 7, 4, 6, 5])
    assert interval == (5.5, 2.0, 9.0, 10)


def test_five_samples_bound_no_median() -> None:
    """P(all five on one side) = 2/32 > 5 %."""
    assert math.isnan(stats.median([1.0, 2, 3, 4, 5]).low)


def test_the_bootstrap_interval_of_a_median_covers_it() -> None:
    """200 samples of 25 values of a normal law: 95 % of the intervals should hold 0; with 200 of them 90 to 99 % is no surprise."""
    draw = np.random.default_rng(1)
    held = [low <= 0 <= high for _, low, high, _ in (stats.bootstrap_median(draw.normal(size=25)) for _ in range(200))]
    assert 0.90 <= sum(held) / 200 <= 0.99


def test_samples_that_are_alike_leave_no_room_and_two_tell_nothing() -> None:
    assert stats.bootstrap_median([2.0] * 5) == (2.0, 2.0, 2.0, 5)
    assert math.isnan(stats.bootstrap_median([1.0, 2.0]).low)


def test_over_launches_the_interval_covers_what_processes_differ_by() -> None:
    """Five launches that differ by 2 %, six rounds each that scatter by half a percent; 400 times, 93 to 97 % expected."""
    draw = np.random.default_rng(2)

    def interval() -> stats.Interval:
        launches = np.exp(draw.normal(0, 0.02, size=5))
        return stats.over_launches([level * np.exp(draw.normal(0, 0.005, size=6)) for level in launches])

    held = [low <= 1 <= high for _, low, high, _ in (interval() for _ in range(400))]
    assert 0.93 <= sum(held) / 400 <= 0.97


def test_the_geometric_mean_by_hand() -> None:
    """1, 2, 4: mean of the logarithms log 2, s = log 2, t(0.975, 2) = 4.302653."""
    found = stats.geometric_t([1.0, 2.0, 4.0])
    assert found.value == pytest.approx(2.0)
    assert found.high == pytest.approx(math.exp(math.log(2) * (1 + 4.302653 / math.sqrt(3))))


def test_one_process_or_a_time_of_nothing_has_the_median_of_all() -> None:
    assert stats.over_launches([[1.0, 5.0, 2.0]]).value == 2.0
    assert stats.over_launches([[0.0, 0.0], [0.0, 1.0]]).value == 0.0


def test_drift_is_the_change_from_the_first_third_to_the_last_where_there_is_a_trend() -> None:
    """1.00, 1.01 ... 1.11: thirds of four, with medians 1.015 and 1.095. Up and down in turn is no trend."""
    assert stats.drift([[1 + step / 100 for step in range(12)]]) == pytest.approx(1.095 / 1.015 - 1)
    assert stats.drift([[1.0, 1.1] * 6]) == 0
    assert stats.drift([[1.0, 2.0, 3.0]]) == 0  # too few to tell


def test_processes_that_differ_are_no_drift_and_what_each_does_adds_up() -> None:
    """Three steady processes, each slower than the one before; then three in which the last of five rounds take a tenth more."""
    assert stats.drift([[level] * 5 for level in (1.0, 1.1, 1.2)]) == 0
    rising = [1.0, 1.02, 1.05, 1.08, 1.1]
    assert stats.drift([rising, [2 * each for each in rising]]) == pytest.approx(1.09 / 1.01 - 1)


def test_a_ratio_of_pairs_by_hand() -> None:
    """Logarithms of the ratios 1.00, 1.02, 1.04: mean m, s over sqrt(3), t(0.975, 2) = 4.302653."""
    logs = [math.log(ratio) for ratio in (1.0, 1.02, 1.04)]
    mean = sum(logs) / 3
    half = 4.302653 * math.sqrt(sum((log - mean) ** 2 for log in logs) / 2 / 3)
    found = stats.ratio_t([1.0, 5.0, 2.0], [1.0, 5.1, 2.08], paired=True)
    assert found.change == pytest.approx(math.exp(mean))
    assert (found.low, found.high) == (pytest.approx(math.exp(mean - half)), pytest.approx(math.exp(mean + half)))
    assert found.p > 0.05


def test_pairs_tell_what_scatter_hides_from_independent_sides() -> None:
    before, after = [1.0, 2.0, 4.0, 8.0], [1.05, 2.11, 4.21, 8.38]
    assert stats.ratio_t(before, after, paired=True).p < 0.01
    assert stats.ratio_t(before, after, paired=False).p > 0.5
    assert math.isnan(stats.ratio_t([1.0], [1.1], paired=False).p)


def test_where_no_time_scatters_any_difference_is_real() -> None:
    assert stats.ratio_t([1.0, 1.0], [1.0, 1.0], paired=True) == (1.0, 1.0, 1.0, 1.0)
    assert stats.ratio_t([1.0, 1.0], [2.0, 2.0], paired=False) == (pytest.approx(2.0), pytest.approx(2.0), pytest.approx(2.0), 0.0)


def test_newcombes_interval_of_two_shares() -> None:
    """Newcombe 1998, table II (a), method 10: 56/70 - 48/80 = 0.2000, interval 0.0524 to 0.3339."""
    found = stats.difference_of_errors((48, 80), (56, 70))
    assert (found.change, found.low, found.high) == (pytest.approx(20), pytest.approx(5.24, abs=0.005), pytest.approx(33.39, abs=0.005))
    assert found.p < 0.05
    assert stats.difference_of_errors((5, 100), (5, 100)).p == 1
    assert stats.difference_of_errors((0, 100), (20, 100)).p < 0.001  # a network without an error is no trouble


def test_welchs_difference_of_seeds() -> None:
    found = stats.difference_t([10.0, 11.0, 12.0], [20.0, 21.0, 22.0])
    assert (found.change, found.low < 10 < found.high) == (10, True)
    assert math.isnan(stats.difference_t([1.0], [2.0, 3.0]).p)


def test_errors_that_agree_to_the_image_tell_nothing() -> None:
    """Two runs of two wrong images each, two of three: as often as not by chance, though neither side scatters."""
    found = stats.difference_t([0.5, 0.5], [0.75, 0.75])
    assert found.change == 0.25
    assert np.isnan([found.low, found.high, found.p]).all()


def test_holm_asks_more_of_the_smallest_of_several() -> None:
    """Holm 1979: 0.01 * 3 and 0.02 * 2 stand, 0.04 * 1 too; with 0.02 * 3 the first falls and all behind it. NaN is not told."""
    assert stats.holm([0.04, 0.01, 0.02]) == [True, True, True]
    assert stats.holm([0.04, 0.02, 0.03]) == [False, False, False]
    assert stats.holm([math.nan, 0.01]) == [False, True]


def test_holms_adjusted_p_are_those_of_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p_values = np.random.default_rng(0).uniform(0, 0.2, 12)
    assert stats.holm_adjusted(p_values.tolist()) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_holm_counts_the_members_of_a_family_of_which_nothing_is_known() -> None:
    """Of a family of four, 0.01 x 4 and then 0.02 x 3."""
    assert stats.holm_adjusted([0.01, 0.02, math.nan], family=4)[:2] == [pytest.approx(0.04), pytest.approx(0.06)]


def test_holms_adjusted_p_by_hand() -> None:
    """Holm 1979: 0.01 x 3, then 0.02 x 2, then 0.04 x 1, none smaller than the one before."""
    assert stats.holm_adjusted([0.04, 0.01, math.nan, 0.02]) == [
        pytest.approx(0.04),
        pytest.approx(0.03),
        pytest.approx(math.nan, nan_ok=True),
        pytest.approx(0.04),
    ]


def side(both: int, one: int, other: int, neither: int) -> tuple[stats.Wrong, stats.Wrong]:
    """Two networks: images that both get wrong, one of them alone, the other alone, neither."""
    counts = (both, one, other, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_mcnemar_of_many_discordant_images() -> None:
    """Agresti, Categorical Data Analysis, section 10.1: 794, 150, 86, 570; z² = (150 - 86)² / 236 = 17.36, p = 3.1e-5."""
    assert stats.mcnemar(*side(794, 150, 86, 570)) == pytest.approx(3.1e-5, rel=0.01)


def test_mcnemar_of_few_is_exact() -> None:
    """Ten to two: 2 (1 + 12 + 66) / 2^12 = 0.03857. None at all: nothing speaks against equal."""
    assert stats.mcnemar(*side(5, 10, 2, 100)) == pytest.approx(158 / 4096)
    assert stats.mcnemar(*side(5, 0, 0, 100)) == 1


def test_two_networks_on_the_same_images_by_hand() -> None:
    """Of 1,000 images 30 are wrong in the first alone and 70 in the second alone: 4 points, variance 0.1 - 0.04² = 0.0984, error 0.992."""
    found = stats.difference_of_networks(*side(50, 30, 70, 850))
    assert found.change == pytest.approx(4)
    assert (found.low, found.high) == (pytest.approx(4 - 1.9623 * 0.9925, abs=1e-3), pytest.approx(4 + 1.9623 * 0.9925, abs=1e-3))
    assert found.p == pytest.approx(math.erfc(4 / math.sqrt(2)))  # z = (70 - 30) / sqrt(70 + 30)
    assert stats.difference_of_networks(*side(5, 0, 0, 5)) == (0, 0, 0, 1)


def test_the_bootstrap_of_the_difference_by_hand() -> None:
    """One side errs on images 0 to 49 of 1,000 with each seed, the other on 50 to 119: seeds do not scatter, images do.

    The difference of an image is -1, 1 and 0 with 50, 70 and 880 of 1,000: variance 0.12 - 0.02² = 0.1196, standard error 1.094 points.
    """
    before, after = np.zeros((5, 1000), bool), np.zeros((5, 1000), bool)
    before[:, :50], after[:, 50:120] = True, True
    found = stats.difference_over_images(before, after)
    assert found.change == pytest.approx(2)
    assert (found.low, found.high) == (pytest.approx(2 - 1.96 * 1.094, abs=0.1), pytest.approx(2 + 1.96 * 1.094, abs=0.1))
    assert found.p == pytest.approx(0.067, abs=0.015)  # 2 (1 - Phi(2 / 1.094))
    assert stats.difference_over_images(before, before) == (0, 0, 0, 1)
    assert math.isnan(stats.difference_over_images(before[:1], after).p)


def test_where_images_do_not_tell_sides_apart_the_bootstrap_is_welchs_test() -> None:
    """Seeds err on the first 8 to 12 of 100 images on both sides: s² = 2.5, error sqrt(2 x 2.5 / 5) = 1, t(0.975, 8) = 2.306."""
    wrong = np.arange(100) < np.arange(8, 13)[:, None]
    found = stats.difference_over_images(wrong, wrong)
    assert (found.change, found.p) == (0, pytest.approx(1, abs=0.1))
    assert (found.low, found.high) == (pytest.approx(-2.306, rel=0.06), pytest.approx(2.306, rel=0.06))


def test_a_rank_counts_who_is_significantly_better() -> None:
    """The first two beat the last, the first the third too; the second and the third are not told apart."""
    assert stats.ranks(4, [(0, 2), (0, 3), (1, 3)]) == [1, 1, 2, 3]

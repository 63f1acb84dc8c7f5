from __future__ import annotations

import math

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

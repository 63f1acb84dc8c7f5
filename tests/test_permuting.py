from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from archbench import permuting


def test_seeds_are_permuted_from_eight_on() -> None:
    """Eight runs all below eight others: two of C(16, 8) = 12,870 orders are as extreme."""
    low, high = [float(run) for run in range(8)], [float(run) for run in range(100, 108)]
    assert permuting.p_values([(low, high), (low[:7], high), (high, low)]) == pytest.approx([2 / 12_870, math.nan, 2 / 12_870], nan_ok=True)


def test_p_is_scipys_to_the_last_digit_where_many_orders_tie() -> None:
    """Errors in whole images of 10,000, so that thousands of orders give just the difference that was observed, or miss it by rounding."""
    draw = np.random.default_rng(1)
    sizes = [(8, 8), (9, 8), (8, 9), (10, 10), (10, 10)]
    pairs = [[np.round(base + draw.normal(0, 0.02, n), 2).tolist() for n, base in zip(size, (30, 30.01), strict=True)] for size in sizes]

    def difference(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(other.mean(axis=axis) - one.mean(axis=axis))

    expected = [stats.permutation_test(pair, difference, vectorized=True, n_resamples=20_000, random_state=0).pvalue for pair in pairs]
    assert permuting.p_values([(before, after) for before, after in pairs]) == expected

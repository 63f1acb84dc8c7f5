"""Tests of many pairs by permuting their runs: the p of each is that of `scipy.stats.permutation_test`, in a hundredth of the time.

In which orders the runs come depends on how many there are, and not on their errors, so that one set of orders serves all pairs of a
table, and one product of matrices gives the differences of all. Where such a difference lies so near to the one that was observed that
rounding could tell on which side, it is taken again as scipy takes it.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWN = 20_000  # orders, where there are more than so many
LEAST = 8  # runs a side: with fewer there are too few orders
TOGETHER = 64  # pairs in one product
NEAR = 1e-9  # of the largest error: rounding moves a mean by less
TIED = 100 * np.finfo(float).eps  # within so much of what was observed, relative to it, scipy counts a difference as equal
Pair = tuple[Sequence[float], Sequence[float]]


def p_values(pairs: Sequence[Pair]) -> list[float]:
    """p of the difference of the means of each pair, all orders where they are few enough; NaN below 8 runs on a side."""
    found = [math.nan] * len(pairs)
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, (before, after) in enumerate(pairs):
        if min(len(before), len(after)) >= LEAST:
            alike[len(before), len(after)].append(place)
    for (first, second), places in sorted(alike.items(), key=lambda each: sum(each[0])):
        orders = _orders(first, second)
        signs = _signs(orders, first)
        for start in range(0, len(places), TOGETHER):
            some = places[start : start + TOGETHER]
            runs = np.array([[*pairs[place][0], *pairs[place][1]] for place in some], dtype=float)
            for place, values, differences in zip(some, runs, (signs @ runs.T).T, strict=True):
                found[place] = _p(values, first, differences, orders)
    return found


def _orders(first: int, second: int) -> NDArray[np.uint16]:
    """`(orders, runs)`: those in which scipy takes the runs, those of the first side in front."""
    is_drawn = math.comb(first + second, first) > DRAWN
    return _drawn(first + second) if is_drawn else _noted(first, second)


@functools.lru_cache(maxsize=4)
def _drawn(runs: int) -> NDArray[np.uint16]:
    """Those of so many runs, whatever their sides."""
    return _noted(runs // 2, runs - runs // 2)


def _noted(first: int, second: int) -> NDArray[np.uint16]:
    """What scipy hands to a statistic."""
    from scipy import stats

    seen: list[NDArray[np.uint16]] = []

    def noting(one: NDArray[np.float64], other: NDArray[np.float64], axis: int) -> NDArray[Any]:
        if one.ndim > 1:
            seen.append(np.concatenate([one, other], axis=axis).astype(np.uint16))
        return np.zeros(one.shape[:-1])

    places = np.arange(first + second, dtype=float)
    stats.permutation_test((places[:first], places[first:]), noting, vectorized=True, n_resamples=DRAWN, random_state=0)
    return np.concatenate(seen)


def _signs(orders: NDArray[np.uint16], first: int) -> NDArray[np.float64]:
    """`(orders, runs)`: what each run counts in the difference of the means."""
    runs = orders.shape[1]
    signs = np.full(orders.shape, -1 / first)
    np.put_along_axis(signs, orders[:, first:].astype(np.intp), 1 / (runs - first), axis=1)
    return signs


def _p(values: NDArray[np.float64], first: int, differences: NDArray[np.float64], orders: NDArray[np.uint16]) -> float:
    observed = float(values[first:].mean() - values[:first].mean())
    slack = abs(TIED * observed)
    near = np.flatnonzero(np.abs(differences - observed) <= NEAR * np.abs(values).max() + slack)
    ordered = values[orders[near]]
    differences[near] = ordered[:, first:].mean(axis=-1) - ordered[:, :first].mean(axis=-1)
    drawn = int(len(orders) == DRAWN)  # what was observed is one of the orders too
    beyond = min(int((differences <= observed + slack).sum()), int((differences >= observed - slack).sum()))
    return min(1.0, 2 * ((beyond + drawn) / (len(orders) + drawn)))

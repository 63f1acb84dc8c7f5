"""How much of the spread of some values each of two factors accounts for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archbench.stats import RESAMPLES, Interval

Array = NDArray[np.float64]
NEGLIGIBLE = 1e-9  # of the largest singular value


class Shares(NamedTuple):
    """Percent of the spread that the first factor, the second, both together, and chance within a cell account for.

    `apart` is by how many points the first has more than the second.
    """

    first: Interval
    second: Interval
    together: Interval
    chance: Interval
    apart: Interval


def shares(first: Sequence[str], second: Sequence[str], values: Sequence[float], confidence: float = 0.95) -> Shares:
    """Of values that each have a level of two factors: η², the part of the sum of squares (Fisher 1925, chapter VII; Cohen 1988).

    The sums are of type II, as `anova_lm(ols("value ~ first * second"), typ=2)` of statsmodels gives them, taken over their sum; they
    are found by projecting, so that the bootstrap takes no time. Intervals are its percentiles over 2,000 draws of the values within
    each cell, by a fixed seed, widened by sqrt(n / (n - 1)) since they are drawn around their own mean; NaN where a cell has one value.
    """
    levels = [np.unique(names, return_inverse=True)[1] for names in (first, second)]
    cell = np.unique(np.stack(levels), axis=1, return_inverse=True)[1].ravel()
    found = _parts(np.asarray(values, dtype=float)[None], levels[0], levels[1], cell)[0]
    counts = np.bincount(cell)
    if counts.min() < 2:
        drawn = np.full((1, len(found)), np.nan)
    else:
        drawn = _parts(_drawn(np.asarray(values, dtype=float), cell, counts), levels[0], levels[1], cell)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return Shares(*(Interval(float(found[i]), float(low[i]), float(high[i]), len(values)) for i in range(len(found))))


def _drawn(values: Array, cell: NDArray[np.intp], counts: NDArray[np.intp]) -> Array:
    """`(draws, values)`: each cell's values drawn from itself."""
    draw, made = np.random.default_rng(0), np.empty((RESAMPLES, len(values)))
    for number, count in enumerate(counts):
        own = values[cell == number]
        chosen = own[draw.integers(0, count, (RESAMPLES, count))]
        made[:, cell == number] = own.mean() + (chosen - own.mean()) * np.sqrt(count / (count - 1))
    return made


def _parts(values: Array, first: NDArray[np.intp], second: NDArray[np.intp], cell: NDArray[np.intp]) -> Array:
    """`(draws, 5)`: the four parts in percent, and the first less the second."""
    one, other, both = (np.eye(each.max() + 1)[each] for each in (first, second, cell))
    centred = values - values.mean(axis=1, keepdims=True)
    only_one, only_other, added, whole = (_left(centred, design) for design in (one, other, np.hstack([one, other]), both))
    squares = np.maximum(np.stack([only_other - added, only_one - added, added - whole, whole], axis=1), 0)  # but for rounding
    total = squares.sum(axis=1, keepdims=True)
    parts = 100 * np.divide(squares, total, out=np.full_like(squares, np.nan), where=total > 0)
    return np.column_stack([parts, parts[:, 0] - parts[:, 1]])


def _left(values: Array, design: Array) -> Array:
    """The sum of squares that a design leaves."""
    basis, sizes, _ = np.linalg.svd(design, full_matrices=False)
    left: Array = np.square(values).sum(axis=1) - np.square(values @ basis[:, sizes > NEGLIGIBLE * sizes[0]]).sum(axis=1)
    return left

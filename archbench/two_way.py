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
    What chance adds to a sum is in the values once and in draws from them twice: its degrees of freedom times the mean square within
    cells, which is taken from each drawn sum.
    """
    levels = [np.unique(names, return_inverse=True)[1] for names in (first, second)]
    cell = np.unique(np.stack(levels), axis=1, return_inverse=True)[1].ravel()
    own = np.asarray(values, dtype=float)
    squares, freedom = _squares(own[None], levels[0], levels[1], cell)
    found, counts = _parts(squares)[0], np.bincount(cell)
    if counts.min() < 2:
        drawn = np.full((1, len(found)), np.nan)
    else:
        sums, _ = _squares(_drawn(own, cell, counts), levels[0], levels[1], cell)
        within = squares[0, -1] / (len(own) - len(counts))
        drawn = _parts(np.maximum(sums - freedom * within, 0))
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


def _squares(values: Array, first: NDArray[np.intp], second: NDArray[np.intp], cell: NDArray[np.intp]) -> tuple[Array, Array]:
    """`(draws, 4)`: the sums of squares of the four parts; and the degrees of freedom of the first three, 0 for what is left."""
    one, other, both = (np.eye(each.max() + 1)[each] for each in (first, second, cell))
    centred = values - values.mean(axis=1, keepdims=True)
    (only_one, of_one), (only_other, of_other), (added, of_added), (whole, of_cells) = (
        _left(centred, design) for design in (one, other, np.hstack([one, other]), both)
    )
    squares = np.stack([only_other - added, only_one - added, added - whole, whole], axis=1)
    freedom = np.array([of_added - of_other, of_added - of_one, of_cells - of_added, 0], dtype=float)
    return np.maximum(squares, 0), freedom  # below 0 by rounding alone


def _parts(squares: Array) -> Array:
    """`(draws, 5)`: the four parts in percent, and the first less the second."""
    total = squares.sum(axis=1, keepdims=True)
    parts = 100 * np.divide(squares, total, out=np.full_like(squares, np.nan), where=total > 0)
    return np.column_stack([parts, parts[:, 0] - parts[:, 1]])


def _left(values: Array, design: Array) -> tuple[Array, int]:
    """The sum of squares that a design leaves, and the design's rank."""
    basis, sizes, _ = np.linalg.svd(design, full_matrices=False)
    kept = basis[:, sizes > NEGLIGIBLE * sizes[0]]
    return np.square(values).sum(axis=1) - np.square(values @ kept).sum(axis=1), kept.shape[1]

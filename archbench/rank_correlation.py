"""How strongly two quantities go together in their ranks, where observations come in groups that have much in common."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from archbench.stats import RESAMPLES, Interval

LEAST_GROUPS = 5  # with fewer there is too little to draw from


def spearman(
    first: Sequence[float],
    second: Sequence[float],
    groups: Sequence[Hashable],
    strata: Sequence[int] | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Spearman's ρ of pairs, with the percentile interval of 2,000 draws of whole groups by a fixed seed (Davison & Hinkley 1997, 3.8).

    Groups are drawn, not pairs, since those of a group are no independent evidence. With `strata` pairs are ranked among those of their own
    stratum, and the shares of the ranks are correlated about their strata's means, so that what moves both from one stratum to the next
    counts for nothing. The value is NaN where one side does not vary; the interval below `LEAST_GROUPS` groups.
    """
    within = np.unique([0] * len(first) if strata is None else strata, return_inverse=True)[1]
    pairs = np.array([first, second], dtype=float)
    members = [np.flatnonzero([each == group for each in groups]) for group in dict.fromkeys(groups)]
    value = _rho(pairs, within)
    if len(members) < LEAST_GROUPS or math.isnan(value):
        return Interval(value, math.nan, math.nan, pairs.shape[1])
    draw = np.random.default_rng(0)
    chosen = (np.concatenate([members[place] for place in draw.integers(0, len(members), len(members))]) for _ in range(RESAMPLES))
    drawn = [rho for places in chosen if not math.isnan(rho := _rho(pairs[:, places], within[places]))]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high), pairs.shape[1])


def _rho(pairs: NDArray[np.float64], strata: NDArray[np.int64]) -> float:
    """Pearson's correlation of the ranks within strata, those of equal values being their mean."""
    from scipy.stats import rankdata

    ranks = np.empty_like(pairs)
    for stratum in np.unique(strata):
        mine = strata == stratum
        ranks[:, mine] = rankdata(pairs[:, mine], axis=1) / (mine.sum() + 1) - 0.5  # the mean rank is in the middle
    squares = np.square(ranks).sum(axis=1)
    return math.nan if (squares == 0).any() else float((ranks[0] * ranks[1]).sum() / np.sqrt(squares.prod()))

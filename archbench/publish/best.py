"""Which rows of a column are the best of it: the best by its mean, and all that cannot be told from that one.

Rows whose scatter is known from too few repetitions take no part, since nothing can be told of them; where one of these has the best mean,
the best of the column is not known.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

from archbench import stats
from archbench.publish.footnotes import OfColumns

LEVEL, LEAST = 0.05, 5  # of repetitions: seeds, or launches
VERDICT = "5 %, Holm over all pairs, of those with at least"
SEEDS = OfColumns(
    f"bold: the least test error, and all that cannot be told from it (Welch's t over seeds, {VERDICT} {LEAST} seeds)", "error"
)
SEEDS_OF_SHARES = OfColumns(SEEDS.replace("bold: ", "bold, at each share of the training set: "), *SEEDS.under)
FEW_SEEDS = OfColumns(
    f"no test error is marked as the best: that takes at least {LEAST} seeds of the network with the least one, and of another",
    "error",
)
LAUNCHES = OfColumns(
    "bold: the best time at each batch and mode, and all that cannot be told from it "
    f"(Welch's t over launches, {VERDICT.replace('all pairs', 'its pairs')} {LEAST} launches)",
    "latency",
    "ms",
)


def least_of_each(tasks: Sequence[Hashable], repeated: Sequence[Sequence[float]]) -> frozenset[int]:
    """The same for the rows of each task apart, as what learned from less data did, or saw other images; a task a row."""
    marked: frozenset[int] = frozenset()
    for task in dict.fromkeys(tasks):
        places = [place for place, each in enumerate(tasks) if each == task]
        marked |= {places[place] for place in least([repeated[place] for place in places])}
    return marked


def least(repeated: Sequence[Sequence[float]]) -> frozenset[int]:
    """Places of the row with the least mean and of those not told from it; none where that row, or all others, cannot be judged."""
    judged = [place for place, values in enumerate(repeated) if len(values) >= LEAST]
    if len(judged) < 2:
        return frozenset()
    means = {place: math.fsum(values) / len(values) for place, values in enumerate(repeated) if values}
    first = min(judged, key=lambda place: means[place])
    if any(mean < means[first] for mean in means.values()):
        return frozenset()
    adjusted = stats.welch_from([repeated[place] for place in judged], judged.index(first))
    return frozenset(judged[place] for place in np.flatnonzero(~(adjusted <= LEVEL)))

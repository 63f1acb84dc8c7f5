"""What maps answer: where they still point at the object, and whether one on the ground foretells the error when the link breaks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from archbench import stats
from archbench.publish.mapped import BROKEN, KEPT, SPEAKING, Cell
from archbench.publish.pairwise import LEAST_SEEDS, LEVEL
from archbench.publish.verdicts import INCONCLUSIVE, SAME
from archbench.rank_correlation import LEAST_GROUPS, spearman
from archbench.stats import Interval

POINTS, FORETELLS, UNTRAINED = "points", "foretells", "untrained"
ASKED = (
    ("For which architectures, and at which link of class and ground, does a map still point at the object?", POINTS),
    ("Do maps of weights that nobody trained point at the object?", UNTRAINED),
    ("Does a map on the ground foretell the error when the link breaks?", FORETELLS),
)
AT_OBJECT, NOT_AT_OBJECT = "points at the object", "points at it less than the middle does"
WORDS = (AT_OBJECT, SAME, NOT_AT_OBJECT, INCONCLUSIVE)
CENTRE = "a Gaussian about the middle"
LEAST_TO_SPREAD = 3  # seeds, before the interval of a difference is said: that of two is 13 standard errors to either side


class Pointing(NamedTuple):
    """How often a network's maps point at the object, in percent, and by how many points more than the Gaussian; p is Holm's over all."""

    cell: Cell
    share: Interval
    above: Interval
    p: float

    @property
    def verdict(self) -> str:
        """One of `WORDS`."""
        if self.above.n < LEAST_SEEDS or math.isnan(self.p):
            return INCONCLUSIVE
        if self.p > LEVEL:
            return SAME
        return AT_OBJECT if self.above.value > 0 else NOT_AT_OBJECT

    @property
    def figures(self) -> str:
        """`91.2 % of 300 images, +25.3 points, 95 % 22.1 to 28.5`."""
        few = self.above.n < LEAST_TO_SPREAD
        interval = "" if few else f", 95 % {self.above.low:.1f} to {self.above.high:.1f}"
        images = self.cell.records[0].config["explain"]["n"]
        return f"{self.share.value:.1f} % of {images:,} images, {self.above.value:+.1f} points{interval}"

    @property
    def said(self) -> str:
        """`95 % (91.2 % of 300 images, +25.3 points, 95 % 22.1 to 28.5)`."""
        return f"({self.figures})" if self.cell.link is None else f"{self.cell.link} % ({self.figures})"


def pointing(cells: Sequence[Cell], source: str = "map") -> list[Pointing]:
    """With the link kept, for each network and link of which there are such runs; each seed's share against that of the Gaussian."""
    found = []
    for cell in cells:
        own, centre = (cell.figures(KEPT, "pointing_pct", {"of": of}) for of in (source, "centre"))
        above = [own[seed] - centre[seed] for seed in own if seed in centre]
        if above:
            found.append(Pointing(cell, stats.mean_t(list(own.values())), stats.mean_t(above), _p(above)))
    adjusted = stats.holm_adjusted([each.p for each in found])
    return [each._replace(p=p) for each, p in zip(found, adjusted, strict=True)]


def _p(differences: Sequence[float]) -> float:
    """Student's t against no difference; NaN where there is no scatter to test against."""
    from scipy.stats import ttest_1samp

    return math.nan if len(set(differences)) < 2 else float(ttest_1samp(differences, 0).pvalue)


def points(cells: Sequence[Cell]) -> tuple[str, ...]:
    """A sentence for each network: at which links its maps point at the object, and at which they do not."""
    found = pointing(cells)
    if not found:
        return ("No run was tested with the link kept.",)
    lines = []
    for model in dict.fromkeys(each.cell.model for each in found):
        mine = [each for each in found if each.cell.model == model]
        parts = [(word, [each.said for each in mine if each.verdict == word]) for word in WORDS]
        at = "" if mine[0].cell.link is None else "at a link of "
        told = "; ".join(f"{_why(word, mine)} {at}{', '.join(links)}" for word, links in parts if links)
        lines.append(f"{model}, against {CENTRE}: {told}.")
    return tuple(lines)


def untrained(cells: Sequence[Cell]) -> tuple[str, ...]:
    """A sentence for each network, of the least link that it has, as weights that nobody trained know of none.

    Adebayo et al. (2018), "Sanity Checks for Saliency Maps", ask whether maps change where weights are drawn anew; here it is asked what
    such maps are worth.
    """
    first = {cell.model: cell for cell in reversed(cells) if KEPT in cell.runs}
    found = pointing(list(reversed(first.values())), "untrained")
    if not found:
        return ("No run was tested with the link kept.",)
    return tuple(
        f"{each.cell.model}, against {CENTRE}: {_why(each.verdict, [each]).rstrip(',')} ({each.figures}); "
        f"random maps {_share(each.cell, 'random')}, {_trained(each.cell)} {_share(each.cell, 'map')}."
        for each in found
    )


def _trained(cell: Cell) -> str:
    return "trained" if cell.link is None else f"trained with a link of {cell.link} %"


def _share(cell: Cell, source: str) -> str:
    return f"{cell.interval(KEPT, 'pointing_pct', {'of': source}).value:.1f} %"


def _why(word: str, of: Sequence[Pointing]) -> str:
    """The verdict, and why there is none."""
    if word != INCONCLUSIVE:
        return word
    few = min(each.above.n for each in of if each.verdict == word) < LEAST_SEEDS
    return f"{INCONCLUSIVE}, {f'fewer than {LEAST_SEEDS} seeds' if few else 'since all seeds are alike,'}"


class Run(NamedTuple):
    """A training: percent on the ground of its maps that are not silent, with the link kept, and how many points more it errs when that
    breaks.
    """

    model: str
    link: int
    ground_pct: float
    rise_points: float


def runs(cells: Sequence[Cell]) -> list[Run]:
    """Those that were tested both ways; where there is no link there is none to break."""
    found = []
    linked = [(cell, cell.link) for cell in cells if cell.link]
    for cell, link in linked:
        ground = cell.figures(KEPT, "energy_ground_pct", {"of": "map", **SPEAKING})
        kept, broken = (cell.figures(test, "test_error_pct", {}) for test in (KEPT, BROKEN))
        both = [seed for seed in ground if seed in kept and seed in broken]
        found += [Run(cell.model, link, ground[seed], broken[seed] - kept[seed]) for seed in both]
    return found


def foretells(cells: Sequence[Cell]) -> tuple[str, ...]:
    """How ground and rise go together over runs, in all and at each link; and whether wrong answers have more of it than right ones.

    The verdict is of runs of the same link: a stronger link moves both, in each network.
    """
    found, few = runs(cells), _seeds(cells) < LEAST_SEEDS
    if not found:
        return ("No run with a link was tested both with the link kept and with the link broken.",)
    what = "share of the map on the ground with the link kept, against the rise of the error when it breaks"
    links = sorted({run.link for run in found})
    rho = within = _rho(found)
    told = f"{what}: {_correlation(found, rho)}"
    if len(links) > 1:
        within = _rho(found, within_links=True)
        told += f"; ranked among runs of the same link, as the link moves both, {_correlation(found, within)}"
    lines = [f"{told}: {_foretells(within, few)}."]
    for link in links if len(links) > 1 else ():
        there = [run for run in found if run.link == link]
        lines.append(f"Among runs with a link of {link} %: {_correlation(there, _rho(there))}.")
    return (lines[0][0].upper() + lines[0][1:], *lines[1:], *_wrong_and_right(cells, few))


def _correlation(found: Sequence[Run], rho: Interval) -> str:
    of = f"n = {len(found)} runs of {len({run.model for run in found})} networks"
    if math.isnan(rho.value):
        return f"no correlation, as all are equal ({of})"
    interval = f", 95 % {rho.low:.2f} to {rho.high:.2f} over networks" if not math.isnan(rho.low) else ""
    return f"Spearman's ρ = {rho.value:.2f} ({of}{interval})"


def _rho(found: Sequence[Run], within_links: bool = False) -> Interval:
    links = [run.link for run in found] if within_links else None
    return spearman([run.ground_pct for run in found], [run.rise_points for run in found], [run.model for run in found], links)


def _foretells(rho: Interval, few: bool) -> str:
    if few:
        return f"{INCONCLUSIVE}, fewer than {LEAST_SEEDS} seeds"
    if math.isnan(rho.low):
        return f"{INCONCLUSIVE}, fewer than {LEAST_GROUPS} networks"
    if rho.low <= 0 <= rho.high:
        return "it does not foretell it, as far as can be told"
    return "it foretells it" if rho.low > 0 else "the more of it on the ground, the less the error rises"


def _wrong_and_right(cells: Sequence[Cell], few: bool) -> list[str]:
    """Of each link, image by image where it breaks: the mean over networks of what each network's seeds come to; p is Holm's over links."""
    found = {}
    for link in sorted({cell.link for cell in cells if cell.link}):
        means = [mean for cell in cells if cell.link == link and (mean := _more_where_wrong(cell)) is not None]
        if means:
            found[link] = means
    adjusted = stats.holm_adjusted([_p(means) for means in found.values()])
    beside = f", Holm's over {len(found)} links" * (len(found) > 1)
    return [
        f"With the link broken, after one of {link} %: {_difference(stats.mean_t(means), p, beside, few)}."
        for (link, means), p in zip(found.items(), adjusted, strict=True)
    ]


def _more_where_wrong(cell: Cell) -> float | None:
    """By how many points more of a map lies on the ground where the answer is wrong, on average over seeds."""
    wrong, right = (cell.figures(BROKEN, "energy_ground_pct", {"of": "map", "answer": answer}) for answer in ("wrong", "right"))
    both = [wrong[seed] - right[seed] for seed in wrong if seed in right]
    return statistics.fmean(both) if both else None


def _difference(found: Interval, p: float, beside: str, few: bool) -> str:
    size = f"{abs(found.value):.1f} points {'more' if found.value > 0 else 'less'} of the map lie on the ground where the answer is wrong"
    ends = sorted((found.low, found.high) if found.value > 0 else (-found.low, -found.high))
    interval = "" if math.isnan(p) else f", 95 % {ends[0]:.1f} to {ends[1]:.1f}, p {f'= {p:.3f}' if p >= 0.001 else '< 0.001'}{beside}"
    return f"{size} ({found.n} network{'s' * (found.n != 1)}{interval}): {_verdict(found, p, few)}"


def _verdict(found: Interval, p: float, few: bool) -> str:
    if few:
        return f"{INCONCLUSIVE}, fewer than {LEAST_SEEDS} seeds"
    if found.n < LEAST_GROUPS:
        return f"{INCONCLUSIVE}, fewer than {LEAST_GROUPS} networks"
    if math.isnan(p):
        return f"{INCONCLUSIVE}, since all networks are alike"
    if p > LEVEL:
        return SAME
    return "more" if found.value > 0 else "less"


def _seeds(cells: Sequence[Cell]) -> int:
    """The fewest of any network and link that was tested both ways."""
    return min((min(len(cell.runs[test]) for test in (KEPT, BROKEN)) for cell in cells if {KEPT, BROKEN} <= set(cell.runs)), default=0)


TOLD = {POINTS: points, UNTRAINED: untrained, FORETELLS: foretells}

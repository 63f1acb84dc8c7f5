"""The errors page: test errors over seeds with intervals and ranks, and each two networks against each other.

A ranking holds runs under equal settings alone. Told to mix, it holds all, and each row has a footnote of what differs.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from archbench.publish import best, captioning, grouping, guard, notes, pairwise
from archbench.publish.columns import TRAINED, Columns
from archbench.publish.formats import MISSING, Row, interval, plain, rounded
from archbench.publish.pairwise import LEAST_SEEDS, Entry
from archbench.publish.predictions import Kept
from archbench.publish.results import Table, at_chance, error_figures, identity, mean_of, newest
from archbench.records.schema import Record

QUALITY = ("test_top5_error_pct", "test_nll", "test_calibration_error_pct")
MOST_PAIRS = 45  # shown of a ranking: those of ten networks
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
PAIRED = "points: what the second of a pair errs more than the first, in percent points; intervals are 95 % each"
WELCH = "interval, p: Welch's t over seeds, which speaks of training anew and testing on these images"
IMAGES = "new images, p new: bootstrap over seeds × images, which speaks of other images of the kind too"
VERDICT = f"verdict: at the 5 % level, from {LEAST_SEEDS} seeds on both sides on; each p is Holm's over all pairs"
NEWCOMBE = "one run each, no predictions: Newcombe's interval over test images, of two trained networks; nothing about other seeds"
MCNEMAR = "p McNemar (Holm's too), and the interval beside it: of two trained networks on the same images; nothing about other seeds"
PERMUTED = "p permuted: by permuting seeds, from 8 on both sides on; Holm's too"


@dataclass(frozen=True)
class Ranking:
    """Networks by error, those that only diverged last, and a row for each pair; `differing` names what is not the same for all."""

    entries: Sequence[Entry]
    pairs: Sequence[Row]
    differing: Sequence[str]

    @functools.cached_property
    def runs(self) -> Sequence[Record]:
        """All runs of all rows."""
        return grouping.joined(*(each.runs for each in self.entries))

    @property
    def caption(self) -> str:
        """What holds for every row, behind what does not."""
        first = self.entries[0].runs[0]
        if not self.differing:
            return captioning.caption(first)
        return f"mixed in {', '.join(self.differing)} · {guard.shared_caption(first, self.differing)}"


def rankings(records: Iterable[Record], kept: Kept, mix: bool = False) -> list[Ranking]:
    """A ranking for each condition that occurs; with `mix` one of all."""
    rows = tested(records)
    return [_ranking(each, kept) for each in ([rows] if mix and rows else grouping.by_alike(rows, guard.condition).values())]


def tables(found: Iterable[Ranking], records: Sequence[Record], kept: Kept) -> list[Table]:
    """Two tables for each ranking: its rows, and its pairs where there are any; `records` are all from which they were chosen."""
    made = []
    found = list(found)
    for ranking, caption in zip(found, _captions(found), strict=True):
        rows = _rows(ranking)
        first = best.least([each.figures for each in ranking.entries])
        below = (*_row_notes(ranking, rows, records), *[best.SEEDS] * bool(first))
        places = {"test error, %": first}
        made.append(Table(f"test errors · {caption}", pd.DataFrame(rows), below, COLUMNS, shown=ranking.runs, best=places))
        if ranking.pairs:
            made.append(_paired(ranking, caption, kept))
    return made


def frame(found: Iterable[Ranking]) -> pd.DataFrame:
    """All rows, then all pairs of each ranking, those with `against`; the condition in a column."""
    found = list(found)
    rows = (pd.DataFrame([*_rows(ranking), *ranking.pairs], dtype=object) for ranking in found)
    made = [each.assign(condition=caption) for each, caption in zip(rows, _captions(found), strict=True)]
    return pd.concat(made, ignore_index=True) if made else pd.DataFrame()


def _captions(found: Sequence[Ranking]) -> list[str]:
    return guard.distinct([ranking.caption for ranking in found], [ranking.runs[0] for ranking in found])


def tested(records: Iterable[Record]) -> Sequence[Record]:
    """The newest Record of each training, and of each test of published weights."""
    records = grouping.Stored.of(records)
    published = grouping.by_alike(newest(records, "imported"), captioning.is_benchmark).get(False, [])
    return grouping.joined(newest(records, "train"), published)


def _ranking(rows: Sequence[Record], kept: Kept) -> Ranking:
    runs, differing = list(grouping.by_column(notes.told_apart(rows), "group").values()), guard.differing(rows)
    if differing:  # a group knows neither machine nor versions
        runs = [each for members in runs for each in grouping.by_alike(members, guard.condition).values()]
    entries = _marked(sorted(map(Entry, runs), key=_by_error))
    return Ranking(entries, pairwise.pairs([each for each in entries if each.tested], kept), differing)


def _by_error(entry: Entry) -> tuple[bool, float, str]:
    return not entry.tested, mean_of(entry.tested, "test_error_pct") if entry.tested else 0.0, entry.name


def _marked(entries: Sequence[Entry]) -> list[Entry]:
    """Where settings differ, each has the mark of its own, by the order in which they come."""
    settings = list(dict.fromkeys(guard.condition(each.runs[0]) for each in entries))
    if len(settings) < 2:
        return list(entries)
    places = [str(settings.index(guard.condition(each.runs[0])) + 1) for each in entries]
    return [Entry(each.runs, place.translate(SUPERSCRIPTS)) for each, place in zip(entries, places, strict=True)]


def _rows(ranking: Ranking) -> list[dict[str, Any]]:
    compared = [each for each in ranking.entries if each.tested]
    ranks = [*pairwise.ranks(compared, ranking.pairs), *([math.nan] * (len(ranking.entries) - len(compared)))]
    return [_row(each, rank, ranking.differing) for each, rank in zip(ranking.entries, ranks, strict=True)]


def _row(entry: Entry, rank: float, differing: Sequence[str]) -> dict[str, Any]:
    runs = entry.runs
    return {
        **identity(runs[0]),
        "model": entry.name,
        "setting": guard.said(runs[0], differing),
        **error_figures(runs),
        **{name: mean_of(runs, name) for name in QUALITY},
        "rank": rank,
        "records": " ".join(grouping.column(runs, "id")),
    }


def _row_notes(ranking: Ranking, rows: Sequence[Row], records: Sequence[Record]) -> list[str]:
    shown, ranked = ranking.runs, sum(not math.isnan(row["rank"]) for row in rows)
    footnotes = [f"{each.mark} {row['setting']}" for each, row in zip(ranking.entries, rows, strict=True) if each.mark]
    lines = [*dict.fromkeys(footnotes), *notes.interval_notes(shown)]
    if ranked:
        lines.append(f"rank: 1 + how many of the {ranked} with at least {LEAST_SEEDS} seeds are better on these images (Welch, Holm)")
    elif len(rows) > 1:
        lines.append(f"no ranks: they take two networks with at least {LEAST_SEEDS} seeds each")
    lines += [*notes.diverged(rows), *notes.failed(shown, records), *notes.tuning(shown), *notes.of_other_threads(shown)]
    if any(not math.isnan(row[name]) for row in rows for name in QUALITY):
        lines.append("NLL: mean negative log-likelihood of an image, in nats; calibration: expected calibration error; means over seeds")
    return [*lines, *notes.doubts(shown), *notes.twice(shown), *notes.widths(shown), *notes.older(shown, records)]


def _paired(ranking: Ranking, caption: str, kept: Kept) -> Table:
    """All pairs, or where they are many, those of neighbours in the order of errors."""
    few = len(ranking.pairs) <= MOST_PAIRS
    names = [each.name for each in ranking.entries]
    neighbours = set(itertools.pairwise(names))
    shown = [row for row in ranking.pairs if few or (row["model"], row["against"]) in neighbours]
    lines = [] if few else [f"pairs of neighbours by error are shown; --format csv holds all {len(ranking.pairs):,}"]
    return Table(f"differences · {caption}", pd.DataFrame(shown), (*lines, *_pair_notes(ranking, kept)), PAIRS, shown=ranking.runs)


def _pair_notes(ranking: Ranking, kept: Kept) -> list[str]:
    """How each figure was come by, and what is missing."""

    def any_has(name: str) -> bool:
        return any(not math.isnan(row[name]) for row in ranking.pairs)

    several, single = (any(map(of, ranking.pairs)) for of in (_of_seeds, _by_counts))
    lines = [PAIRED, *[WELCH] * several, *[IMAGES] * any_has("p_images"), *[VERDICT] * any_has("p"), *[NEWCOMBE] * single]
    lines += [MCNEMAR] * any_has("p_two_networks") + [PERMUTED] * any_has("p_permuted")
    if not any_has("p"):
        lines.append(f"no verdict: it takes at least {LEAST_SEEDS} seeds on both sides")
    lines += [
        f"{each.name}: {count} of {len(each.runs)} runs at chance, so that its differences do not say what it can learn"
        for each in ranking.entries
        if (count := len(at_chance(each.runs)))
    ]
    missing = [each.name for each in ranking.entries if each.tested and kept.of_all(each.tested) is None]
    if missing:
        lines.append(f"no test over images for {', '.join(missing)}: their predictions do not lie beside the Records")
    return lines


def _of_seeds(row: Row) -> bool:
    return bool(min(row["n"], row["n_against"]) > 1)


def _by_counts(row: Row) -> bool:
    return bool(row["n"] == row["n_against"] == 1 and math.isnan(row["p_two_networks"]))


def _error(row: Row) -> str:
    return rounded(*_told(row, ERROR_NAMES), usual=2) if row["n"] else "diverged"


def _told(row: Row, names: Sequence[str]) -> tuple[float, float, float]:
    value, low, high = (row[name] for name in names)
    return value, low, high


def _interval(names: Sequence[str]) -> Callable[[Row], str]:
    return lambda row: interval(*_told(row, names))


def _p(name: str) -> Callable[[Row], str]:
    return lambda row: plain(row[name], lambda p: "<0.001" if p < 0.001 else f"{p:.3f}")


ERROR_NAMES = ("test_error_pct", "test_error_low_pct", "test_error_high_pct")
POINTS = ("difference_points", "low_points", "high_points")
IMAGES_POINTS = ("difference_points", "low_images_points", "high_images_points")
COLUMNS: Columns = {
    "model": lambda row: row["model"],
    "seeds": lambda row: str(row["n"]),
    "test error, %": _error,
    "interval": _interval(ERROR_NAMES),
    **{header: TRAINED[header] for header in ("left chance", "tuned, trials")},
    "top-5, %": lambda row: plain(row["test_top5_error_pct"], lambda value: f"{value:.2f}"),
    "NLL": lambda row: plain(row["test_nll"], lambda value: f"{value:.3f}"),
    "calibration, %": lambda row: plain(row["test_calibration_error_pct"], lambda value: f"{value:.1f}"),
    "rank": lambda row: plain(row["rank"], lambda value: f"{value:.0f}"),
}
PAIRS: Columns = {
    "pair": lambda row: f"{row['model']}, {row['against']}",
    "points": lambda row: rounded(*_told(row, POINTS), usual=2),
    "interval": _interval(POINTS),
    "p": _p("p_holm"),
    "new images": _interval(IMAGES_POINTS),
    "p, new": _p("p_images_holm"),
    "p, permuted": _p("p_permuted_holm"),
    "p, McNemar": _p("p_two_networks_holm"),
    "verdict": lambda row: row["verdict"] or MISSING,
}

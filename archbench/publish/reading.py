"""The reading of the lineage: sentences computed from its rows, so that none says what the figures do not.

They answer two of the lineage's questions: how the shares of the coordinates move with the years, and where 1x1 is the largest part of
the time, or the time does not follow the MACs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from archbench.publish import notes
from archbench.publish.formats import scaled
from archbench.publish.lineage import member_rows, members
from archbench.publish.operators import captions
from archbench.publish.sentences import LEAST_MEMBERS, at_year, counted, named, percent, points, spearman, spread, times, too_few
from archbench.publish.shares import QUANTITIES
from archbench.records.schema import Record

APART_POINTS = 10  # shares of time and of MACs that differ by more are named
OFF_LINE = 2  # as is a time that is more than so many times what the MACs let expect, or less than that part of it
SUBJECTS = {"channels": "Channels only", "head": "Head"}
TIMES = {"latency_s": "time of one image alone", "image_in_batch_s": "time of an image in a batch"}

Sentences = Callable[[pd.DataFrame], Iterator[str]]


@dataclass(frozen=True)
class Reading:
    """What the members in one table say: under each question its sentences."""

    caption: str
    answers: dict[str, tuple[str, ...]]


def readings(records: Iterable[Record]) -> list[Reading]:
    """A reading for each lineage table; where times are in doubt it ends with of how many members."""
    groups = members(records)
    told = zip(groups, captions(groups), strict=True)
    return [Reading(caption, {**answers(member_rows(found)), **_doubted(found)}) for found, caption in told]


def _doubted(found: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    """How many of the times that the sentences are drawn from the tables mark."""
    doubted = [each for each in found if any(doubt.code in notes.OF_TIMES for doubt in each.warnings)]
    if not doubted or len(found) < LEAST_MEMBERS:
        return {}
    return {"How sure are the times?": (f"Of {len(doubted)} of {len(found)} members a time is in doubt; the tables mark it and say why.",)}


def answers(rows: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Sentences under each question, from the rows of one lineage table."""
    if len(rows) < LEAST_MEMBERS:
        return {"": (f"{named(rows)}: fewer than {LEAST_MEMBERS} members, too few for a reading.",)}
    return {question: tuple(line for sentences in about for line in sentences(rows)) for question, about in QUESTIONS.items()}


def shares_over_years(rows: pd.DataFrame) -> Iterator[str]:
    """Each share from the first year to the last, and its rank correlation with the year."""
    for coordinate, subject in SUBJECTS.items():
        for quantity, word in QUANTITIES.items():
            column, what = f"{coordinate}_{quantity.removesuffix('_s')}_pct", f"{subject}, share of the {word}"
            known = rows[rows[column].notna()]
            if len(known) < LEAST_MEMBERS:
                yield too_few(what, known)
            elif known.year.nunique() < 2:
                yield f"{what}: all {len(known)} members are of {known.year.iloc[0]:.0f}."
            else:
                first, last = (at_year(known, column, year) for year in (known.year.min(), known.year.max()))
                yield f"{what}: {first}, {last}; over the years {spearman(known.year, known[column])}."


def largest(rows: pd.DataFrame) -> Iterator[str]:
    """Where no class takes more of the time than 1x1."""
    known = rows[rows.pointwise_time_pct.notna()]
    if len(known) < LEAST_MEMBERS:
        yield too_few("Largest class of the time", known)
        return
    first = known[known.largest_time_class == "pointwise"]
    yield f"1×1 is the largest class of the time of a training step in {counted(first, known, 'pointwise_time_pct', percent)}."


def apart(rows: pd.DataFrame) -> Iterator[str]:
    """Where the share of the time in 1x1 is far from its share of the MACs."""
    known = rows.assign(points=rows.pointwise_time_pct - rows.pointwise_macs_pct).dropna(subset="points")
    if len(known) < LEAST_MEMBERS:
        yield too_few("Shares of time and MACs in 1×1", known)
        return
    above, below = known[known.points > APART_POINTS], known[known.points < -APART_POINTS]
    for where, far in (("above", above), ("below", below)):
        among = counted(far, known, "points", points)
        yield f"1×1's share of the time is more than {APART_POINTS} points {where} its share of the MACs in {among}."


def rates(rows: pd.DataFrame) -> Iterator[str]:
    """MAC/s of 1x1 against dense convolutions, in those that have both."""
    known = rows.assign(ratio=rows.pointwise_macs_per_s / rows.dense_conv_macs_per_s).dropna(subset="ratio")
    if len(known) < LEAST_MEMBERS:
        yield too_few("MAC/s of 1×1 and dense convolutions in one network", known)
        return
    yield (
        f"In the forward pass 1×1 achieves {times(known.ratio.median())} the MAC/s of the dense convolutions of the same network "
        f"({spread(known, 'ratio', times)})."
    )


def roof(rows: pd.DataFrame) -> Iterator[str]:
    """How near 1x1 comes to what the machine allows, and where memory bounds it; nothing where no peaks were measured."""
    known = rows.dropna(subset=["pointwise_roof_share_pct", "pointwise_macs_per_byte", "ridge_macs_per_byte"])
    if len(known) < LEAST_MEMBERS:
        return
    share, bound = known.pointwise_roof_share_pct, known[known.pointwise_macs_per_byte < known.ridge_macs_per_byte]
    yield (
        f"1×1 reaches {percent(share.median())} of what the machine's measured peaks allow in the forward pass "
        f"({spread(known, 'pointwise_roof_share_pct', percent)})."
    )
    yield f"By the same peaks 1×1 is bound by memory in {counted(bound, known)}."


def follows_macs(rows: pd.DataFrame) -> Iterator[str]:
    """Whether times follow the MACs over members, and who is far from the median time a MAC."""
    for column, what in TIMES.items():
        known = off_line(rows, column)
        if len(known) < LEAST_MEMBERS:
            yield too_few(what.capitalize(), known)
            continue
        line = known.s_per_mac.median()
        slow, fast = known[known.off > OFF_LINE], known[known.off < 1 / OFF_LINE]
        yield f"The {what} against the MACs: {spearman(known.macs, known[column])}; the median member does {scaled(1 / line)}MAC/s."
        far = f"over {OFF_LINE} times the median in {named(slow, 'off', times)}, under 1/{OFF_LINE} of it in {named(fast, 'off', times)}"
        yield f"For each MAC the {what} is {far}."


def off_line(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows of which a time and the MACs are known, with seconds a MAC, and how many times the median of these that is."""
    counted = rows[rows.macs > 0]
    known = counted.assign(s_per_mac=counted[column] / counted.macs).dropna(subset="s_per_mac")
    return known.assign(off=known.s_per_mac / known.s_per_mac.median())


QUESTIONS: dict[str, tuple[Sentences, ...]] = {
    "How do the shares move with the years?": (shares_over_years,),
    "Where is 1×1 (the class pointwise) the largest part of the time, and where does the time not follow the MACs?": (
        largest,
        apart,
        rates,
        roof,
        follows_macs,
    ),
}

"""Parts of sentences about rows of a table: who is meant, from where to where, and how strongly two columns go together."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from archbench.publish.formats import whole

LEAST_MEMBERS = 5  # with fewer no sentence draws anything from the figures

Write = Callable[[float], str]


def too_few(what: str, known: pd.DataFrame) -> str:
    """That there is nothing to read."""
    if known.empty:
        return f"{what}: measured for no member."
    return f"{what}: known for {named(known)} alone, too few to read anything from (fewer than {LEAST_MEMBERS})."


def named(rows: pd.DataFrame, column: str = "", write: Write = str) -> str:
    """`lenet (3 %), nin (9 %)`: the rows' models, with what a column holds; `none` where there are no rows."""
    values = [f" ({write(value)})" for value in rows[column]] if column else [""] * len(rows)
    return ", ".join(f"{model}{value}" for model, value in zip(rows.model, values, strict=True)) or "none"


def counted(some: pd.DataFrame, known: pd.DataFrame, column: str = "", write: Write = str) -> str:
    """`2 of 7 members: lenet (3 %), nin (9 %)`, or `none of 7 members`."""
    return f"none of {len(known)} members" if some.empty else f"{len(some)} of {len(known)} members: {named(some, column, write)}"


def spread(rows: pd.DataFrame, column: str, write: Write) -> str:
    """`median of 7; from 9 % (nin) to 60 % (mixer)`."""
    ordered = rows.sort_values(column)
    low, high = ordered.iloc[0], ordered.iloc[-1]
    return f"median of {len(rows)}; from {write(low[column])} ({low.model}) to {write(high[column])} ({high.model})"


def at_year(rows: pd.DataFrame, column: str, year: float) -> str:
    """`12 % in 1998 (lenet)`; the mean where there are several of that year."""
    there = rows[rows.year == year]
    of = "mean of " if len(there) > 1 else ""
    return f"{percent(there[column].mean())} in {year:.0f} ({of}{named(there)})"


def spearman(left: pd.Series[float], right: pd.Series[float]) -> str:
    """`Spearman's ρ = 0.71 (n = 32)`; that there is none where one of the two does not vary.

    No p: networks that descend from each other are no independent draws.
    """
    if left.nunique() < 2 or right.nunique() < 2:
        return f"no correlation, as all are equal (n = {len(left)})"
    return f"Spearman's ρ = {left.rank().corr(right.rank()):.2f} (n = {len(left)})"  # its definition; pandas' own would load scipy.stats


def percent(value: float) -> str:
    """`12 %`."""
    return f"{whole(value)} %"


def points(value: float) -> str:
    """`+10.4`: percentage points."""
    return f"{value:+.1f}"


def times(value: float) -> str:
    """`2.1×`."""
    return f"{value:.2g}×" if value < 99.5 else f"{value:.0f}×"

"""What a check came to, and when two figures are the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from archbench.records.schema import Measurement

OK, DIFFERS, CANNOT = "ok", "differs", "cannot be checked"
LOOSE = 0.5  # of a figure: what may be off by more is not checked by being so near
SAME = 1e-9  # relative: the same arithmetic on the same numbers, by another version of a library


@dataclass(frozen=True)
class Check:
    """One thing that was looked into: of which Record, what, `ok`, `differs` or `cannot be checked`, and why or how."""

    record: str
    what: str
    status: str
    why: str = ""

    @property
    def line(self) -> str:
        """`04193d6211b5 id: ok`."""
        return f"{self.record} {self.what}: {self.status}{f' · {self.why}' if self.why else ''}"


@dataclass(frozen=True)
class Figure:
    """A figure of a Record beside the one that was recomputed, whose interval is None where it has none.

    `slack` is by how much the value may differ since what is kept is rounded.
    """

    row: Measurement
    value: float
    low: float | None = None
    high: float | None = None
    slack: float = 0.0

    @property
    def difference(self) -> str:
        """In what the two differ, in words; empty where they are the same."""
        pairs = [
            ("value", self.row.value, self.value, self.slack),
            ("low", self.row.low, self.low, 0.0),
            ("high", self.row.high, self.high, 0.0),
        ]
        said = [f"{name} {_shown(told)}, recomputed {_shown(found)}" for name, told, found, slack in pairs if not same(told, found, slack)]
        at = ", ".join(f"{name} {value}" for name, value in self.row.at.items())
        return f"{f'{at}: ' if at else ''}{'; '.join(said)}" if said else ""


def same(told: float | None, found: float | None, slack: float = 0.0) -> bool:
    """Whether two figures are the same but for rounding; what is not known is None or NaN."""
    known = [each for each in (told, found) if each is not None and math.isfinite(each)]
    if len(known) < 2:
        return not known
    return math.isclose(*known, rel_tol=SAME, abs_tol=max(slack, 1e-12))


def of_figures(record: str, what: str, figures: Iterable[Figure], how: str) -> Check:
    """One check of several figures; `how` says what they were recomputed from. The first that differs is told, and how many more."""
    figures = list(figures)
    differing = [difference for each in figures if (difference := each.difference)]
    if differing:
        more = f" (and {len(differing) - 1} more of {len(figures)})" if len(differing) > 1 else ""
        return Check(record, what, DIFFERS, f"{differing[0]}{more}")
    loose = next((each for each in figures if each.slack > LOOSE * abs(each.row.value or 0.0)), None)
    if loose is not None:
        return Check(record, what, CANNOT, f"what is kept is rounded so far that it may be off by {loose.slack:.2g}")
    slack = max((each.slack for each in figures), default=0.0)
    within = f", within {slack:.2g}, since it is kept in float16" if slack else ""
    number = f"{len(figures)} figures " if len(figures) > 1 else ""
    return Check(record, what, OK, f"{number}recomputed from {how}{within}")


def _shown(value: float | None) -> str:
    return "none" if value is None or math.isnan(value) else f"{value:.10g}"

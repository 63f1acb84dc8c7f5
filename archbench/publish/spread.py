"""The question how much of the spread of errors is the recipe and how much the architecture: a two-way decomposition over cells."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archbench.publish.columns import Columns
from archbench.publish.formats import Row, interval, rounded
from archbench.publish.pairwise import LEAST_SEEDS, Entry
from archbench.publish.verdicts import INCONCLUSIVE, SAME
from archbench.records.schema import Record
from archbench.two_way import Shares, shares

METHOD = (
    "share: η², the part of the sum of squares of the test errors over recipe × architecture (two-way analysis of variance of Fisher 1925, "
    "type II sums as statsmodels' anova_lm takes them); intervals: bootstrap over the seeds of each cell, 95 %"
)

if TYPE_CHECKING:
    from archbench.experiments.definition import Point, Question
NAMES = {"first": "recipe", "second": "architecture", "together": "both together", "chance": "seeds"}


@dataclass(frozen=True)
class Spread:
    """A question's errors over recipes and networks; those without a result under every recipe are left out."""

    question: Question
    runs: Mapping[Point, list[Record]]

    @functools.cached_property
    def _tested(self) -> dict[tuple[str, str], list[float]]:
        """Errors by recipe and network."""
        return {(str(point.recipe), point.cell.label): Entry(runs).figures for point, runs in self.runs.items()}

    @property
    def left_out(self) -> list[str]:
        """Networks that have no result under some recipe."""
        return list(dict.fromkeys(label for (_, label), errors in self._tested.items() if not errors))

    @functools.cached_property
    def found(self) -> Shares | None:
        """The shares; None where fewer than two networks or recipes are left."""
        cells = {cell: errors for cell, errors in self._tested.items() if cell[1] not in self.left_out}
        if min(len({cell[axis] for cell in cells}) for axis in (0, 1)) < 2:
            return None
        flat = [(recipe, label, error) for (recipe, label), errors in cells.items() for error in errors]
        recipes, labels, errors = zip(*flat, strict=True)
        return shares(recipes, labels, errors)

    @property
    def is_told(self) -> bool:
        """Whether there is anything to decompose."""
        return self.found is not None

    @property
    def seeds(self) -> int:
        """The fewest of any cell."""
        return min((len(errors) for (_, label), errors in self._tested.items() if label not in self.left_out), default=0)

    @property
    def rows(self) -> list[Row]:
        """A row for each part of the spread."""
        if self.found is None:
            return []
        parts = {name: getattr(self.found, field) for field, name in NAMES.items()}
        return [{"part": name, "share_pct": each.value, "low_pct": each.low, "high_pct": each.high} for name, each in parts.items()]

    @property
    def notes(self) -> tuple[str, ...]:
        """How the shares were found, and what is not in them."""
        without = [f"without {', '.join(self.left_out)}: no result under some recipe"] * bool(self.left_out)
        return (METHOD, *without)

    @property
    def sentence(self) -> str:
        """`The recipe accounts for 61 % of the spread of the test errors (95 % 55 to 66), the architecture for ...: more the recipe.`"""
        if self.found is None:
            return f"Recipe against architecture: {INCONCLUSIVE}, fewer than two networks have results under two recipes or more."
        parts = [f"{'the ' * (row['part'] in ('recipe', 'architecture'))}{row['part']} {_share(row)}" for row in self.rows]
        without = f", without {', '.join(self.left_out)}" if self.left_out else ""
        return f"Of the spread of the test errors{without}: {', '.join(parts)}: {self._verdict(self.found)}."

    def _verdict(self, found: Shares) -> str:
        if self.seeds < LEAST_SEEDS:
            return f"{INCONCLUSIVE}, fewer than {LEAST_SEEDS} seeds"
        if found.apart.low > 0:
            return "more the recipe"
        return "more the architecture" if found.apart.high < 0 else SAME


def _share(row: Row) -> str:
    interval = "" if math.isnan(row["low_pct"]) else f" (95 % {row['low_pct']:.0f} to {row['high_pct']:.0f})"
    return f"{row['share_pct']:.0f} %{interval}"


SPREAD: Columns = {
    "part of the spread": lambda row: row["part"],
    "share, %": lambda row: rounded(row["share_pct"], row["low_pct"], row["high_pct"], usual=1),
    "interval": lambda row: interval(row["share_pct"], row["low_pct"], row["high_pct"]),
}

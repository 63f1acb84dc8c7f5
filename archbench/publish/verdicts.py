"""The words of an experiment's comparisons: a verdict for each pair, and the sentence that it stands in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archbench.publish.formats import Row, fixed
from archbench.publish.pairwise import LEAST_SEEDS, LEVEL

BETTER, WORSE, SAME, INCONCLUSIVE = "better", "worse", "no difference told", "inconclusive"
VERDICT = (
    f"verdict: of the first of a pair against the second, by Welch's t at the 5 % level, from {LEAST_SEEDS} seeds on both sides on; "
    "none where a run diverged; each p is Holm's over all pairs of this experiment that can be tested so"
)
NUMBERS = (
    *("difference_points", "low_points", "high_points", "p", "low_images_points", "high_images_points", "p_images", "p_permuted"),
    *("p_two_networks", "p_holm", "p_images_holm", "p_permuted_holm"),
)

if TYPE_CHECKING:
    from archbench.experiments.definition import Level, Point, Question
    from archbench.records.schema import Record


def untold(n: int, n_against: int) -> Row:
    """A row of `pairwise.compared` where a side has no result."""
    return {"model": "", "against": "", "n": n, "n_against": n_against, **dict.fromkeys(NUMBERS, math.nan)}


def diverged(runs: Mapping[str, Sequence[Record]]) -> str:
    """`2 of 5 runs of head=fc diverged`; empty where none of any side did."""
    lost = {name: sum(run.status == "diverged" for run in members) for name, members in runs.items()}
    return " and ".join(f"{count} of {len(runs[name])} runs of {name} diverged" for name, count in lost.items() if count)


def word(row: Row, lost: str = "") -> str:
    """The verdict of the second of a pair against the first; none where runs are lost, as the others are not those of any seed."""
    if lost or math.isnan(row["p_holm"]):
        return INCONCLUSIVE
    if row["p_holm"] > LEVEL:
        return SAME
    return BETTER if row["difference_points"] < 0 else WORSE


def named(question: Question, one: Point, other: Point) -> Row:
    """Who is compared: `of` what they share, the `base` and the `side` that differ in the question's factor."""
    assert question.factor is not None
    whole = ("network", *dict(other.cell.knobs)) if question.factor == "model" else ("model",)
    shared = {factor: level for factor, level in other.levels.items() if factor not in (question.factor, *whole) and level is not None}
    base, side = (_level(question.factor, point.levels[question.factor]) for point in (one, other))
    of = ", ".join(_level(factor, level) for factor, level in shared.items())
    names = {"model": other.cell.label, "against": one.cell.label}
    return {**names, "question": question.ask, "quantity": question.of, "of": of, "base": base, "side": side}


def _level(factor: str, level: Level | None) -> str:
    if factor == "train_fraction":
        return f"{100 * float(level or 0):g} % of the training set"
    return str(level) if factor in ("model", "network") else f"recipe {level}" if factor == "recipe" else f"{factor}={level}"


def sentence(row: Row) -> str:
    """`nin: head=fc errs 1.2 points more than head=gap (95 % 0.4 to 2.0, 5 seeds each): worse.`"""
    of = f"{row['of']}: " if row["of"] else ""
    missing = [name for name, n in ((row["base"], row["n"]), (row["side"], row["n_against"])) if not n]
    if missing:
        return f"{of}{row['side']} against {row['base']}: {INCONCLUSIVE}, no run of {' and '.join(missing)} has a result."
    return f"{of}{_difference(row)} ({_interval(row)}): {_verdict(row)}."


def _difference(row: Row) -> str:
    side, base, points = row["side"], row["base"], row["difference_points"]
    size = f"{abs(points):.1f}"
    if row["quantity"] == "gap":
        return (
            f"the gap between test and training error is {size} points {'larger' if points > 0 else 'smaller'} with {side} than with {base}"
        )
    return f"{side} errs {size} points {'more' if points > 0 else 'less'} than {base}"


def _interval(row: Row) -> str:
    """In the direction that the sentence names."""
    n, n_against = row["n"], row["n_against"]
    seeds = f"{n} seed{'s' * (n != 1)} each" if n == n_against else f"{n_against} and {n} seeds"
    bounds = (row["low_points"], row["high_points"]) if row["difference_points"] > 0 else (-row["high_points"], -row["low_points"])
    if math.isnan(bounds[0]) or n == n_against == 1:  # an interval of two trained networks says nothing of their kinds
        return seeds
    return f"95 % {fixed(bounds[0], 1)} to {fixed(bounds[1], 1)}, {seeds}"


def _verdict(row: Row) -> str:
    """The word, and what it does not hold for."""
    if row["why"]:
        return f"{row['verdict']}, since {row['why']}"
    if row["verdict"] == INCONCLUSIVE:
        few = min(row["n"], row["n_against"]) < LEAST_SEEDS
        return f"{INCONCLUSIVE}, fewer than {LEAST_SEEDS} seeds" if few else f"{INCONCLUSIVE}, since no error differs from seed to seed"
    if row["verdict"] in (BETTER, WORSE) and not row["p_images_holm"] <= LEVEL:
        return f"{row['verdict']}, on these test images"
    return str(row["verdict"])

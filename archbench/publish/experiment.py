"""The page of an experiment: its networks with their errors, what its questions compare, and a sentence with a verdict for each.

Runs that differ in anything that the experiment does not vary stand in tables of their own.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from archbench import stats
from archbench.publish import captioning, grouping, guard, notes, pairwise, verdicts
from archbench.publish.beside import Profiles
from archbench.publish.columns import PROFILED, TRAINED, Columns
from archbench.publish.errors import IMAGES, PAIRS, WELCH
from archbench.publish.formats import MISSING, Row, figure, plain
from archbench.publish.pairwise import ERROR, GAP, Entry
from archbench.publish.predictions import Kept
from archbench.publish.reading import Reading
from archbench.publish.results import Table, marked, newest, training_row
from archbench.publish.spread import SPREAD, Spread
from archbench.publish.verdicts import VERDICT
from archbench.records.schema import Record

if TYPE_CHECKING:
    from archbench.experiments.definition import Grid, Point, Question

POINTS = "points: what the first of a pair has more than the second, in percent points of error; intervals are 95 % each"
GAP_NOTE = "gap: the test error less the error on training images, all or as many as test images, in percent points"


@dataclass(frozen=True)
class Answers:
    """What Records that may be compared say to an experiment: the runs of its points, and the rows of each question.

    `profiles` are all that there are, of any network.
    """

    grid: Grid
    runs: Mapping[Point, list[Record]]
    profiles: Profiles
    compared: Sequence[Row]
    spreads: Mapping[Question, Spread]

    @property
    def caption(self) -> str:
        """The experiment, and what holds for all its runs."""
        first, varied = self.records[0], varied_in(self.grid)
        one_length = len({record.config["training"]["epochs"] for record in self.records}) == 1
        moved = [fact for axis in varied for fact in guard.VARIED[axis] if not (fact == "epochs" and one_length)]
        return f"experiment {self.grid.experiment.name} · {guard.shared_caption(first, moved) if varied else captioning.caption(first)}"

    @property
    def records(self) -> list[Record]:
        """All runs, each once."""
        return list({run.id: run for runs in self.runs.values() for run in runs}.values())

    @property
    def is_told(self) -> bool:
        """Whether any question has something to compare, or there is none."""
        told = [row["n"] and row["n_against"] for row in self.compared] + [each.is_told for each in self.spreads.values()]
        return bool(self.records) and (any(told) or not self.grid.experiment.questions)


def answers(grid: Grid, records: Iterable[Record], kept: Kept) -> list[Answers]:
    """For each condition under which there is something to compare."""
    records = list(records)
    profiles, places = Profiles.of(records), {_place(point) for point in grid.points()}
    runs = [record for record in newest(records, "train") if _place_of(grid, record) in places]
    conditions = defaultdict[tuple[Any, ...], list[Record]](list)
    for record in runs:
        for condition in _conditions(grid, record):
            conditions[grouping.hashable(condition)].append(record)
    found = (_answers(grid, members, profiles, kept) for members in conditions.values())
    once = {frozenset(run.id for run in each.records): each for each in found if each.is_told}
    return list(once.values())


def tables(found: Iterable[Answers], records: Sequence[Record], kept: Kept) -> list[Table]:
    """For each condition the networks, then a table for each question."""
    made: list[Table] = []
    for each in found:
        frame, shown = pd.DataFrame(_rows(each)), tuple(each.records)
        shown_rows = list(_shown(each))
        best, why = marked(frame, (runs for _, runs in shown_rows), shares=[point.train_fraction for point, _ in shown_rows])
        below = (*_notes(each, frame, records), *why)
        made.append(Table(each.caption, frame, below, COLUMNS, shown=shown, best=best))
        for question in each.grid.experiment.questions:
            if question.spread:
                spread = each.spreads[question]
                made += [Table(question.ask, pd.DataFrame(spread.rows), spread.notes, SPREAD, shown=shown)] if spread.rows else []
            elif rows := [row for row in each.compared if row["question"] == question.ask and row["n"] and row["n_against"]]:
                made.append(Table(question.ask, pd.DataFrame(rows), tuple(_pair_notes(rows, each, kept)), COMPARED, shown=shown))
    return made


def frame(found: Iterable[Answers]) -> pd.DataFrame:
    """The networks, then the rows of each question, those with `question`; the condition in a column."""
    made = []
    for each in found:
        spreads = [{**row, "question": question.ask} for question, spread in each.spreads.items() for row in spread.rows]
        made.append(pd.DataFrame([*_rows(each), *each.compared, *spreads], dtype=object).assign(condition=each.caption))
    return pd.concat(made, ignore_index=True) if made else pd.DataFrame()


def readings(found: Iterable[Answers]) -> list[Reading]:
    """The sentences, under each question."""
    return [
        Reading(each.caption, {question.ask: _sentences(each, question) for question in each.grid.experiment.questions}) for each in found
    ]


def _sentences(found: Answers, question: Question) -> tuple[str, ...]:
    if question.spread:
        return (found.spreads[question].sentence,)
    return tuple(verdicts.sentence(row) for row in found.compared if row["question"] == question.ask) or ("Nothing to compare.",)


def varied_in(grid: Grid) -> list[str]:
    """The axes beside networks along which an experiment varies its runs."""
    return [axis for axis, values in (("recipe", grid.recipes), ("train_fraction", grid.train_fractions)) if values]


def _conditions(grid: Grid, record: Record) -> Iterator[tuple[Any, ...]]:
    """All that a run shares with those that it may stand beside.

    Recipes are compared at one length and batch; and where the experiment says none, also each at those that are its own.
    """
    varied, fixed, recipe = varied_in(grid), grid.experiment.settings, record.config["recipe"] or {}
    shared = (*guard.condition(record, varied), bool(record.config.get("tuned")))
    at = {"epochs": record.config["training"]["epochs"], "batch_size": record.config["batch"]} if "recipe" in varied else {}
    ways = [[*["its own"] * (recipe.get(name) == value and name not in fixed), value] for name, value in at.items()]
    for way in itertools.product(*ways):
        yield (*shared, *way)


def _place(point: Point) -> tuple[Any, ...]:
    return point.cell.label, point.recipe, point.train_fraction


def _place_of(grid: Grid, record: Record) -> tuple[Any, ...]:
    """Where in the grid a training stands."""
    recipe = record.config["training"]["name"] if grid.recipes else None
    return record.model.label, recipe, record.config["data"]["train_fraction"] if grid.train_fractions else None


def _answers(grid: Grid, records: Sequence[Record], profiles: Profiles, kept: Kept) -> Answers:
    at = {place: _of_one_source(members) for place, members in grouping.by(records, lambda record: _place_of(grid, record)).items()}
    runs = {point: at.get(_place(point), []) for point in grid.points()}
    spreads = {question: Spread(question, runs) for question in grid.experiment.questions if question.spread}
    return Answers(grid, runs, profiles, _compared(grid, runs, kept), spreads)


def _of_one_source(records: Sequence[Record]) -> list[Record]:
    """The runs over seeds of the network as it was last built: an edited one is another."""
    return [record for record in records if record.group == max(records, key=lambda each: each.created).group]


def _compared(grid: Grid, runs: Mapping[Point, list[Record]], kept: Kept) -> list[Row]:
    """A row for each pair of each question, all p adjusted together; those with no result on a side have no figures."""
    asked = [(question, pair) for question in grid.experiment.questions if question.factor for pair in grid.pairs(question)]
    sides = [_entries(question, runs[one], runs[other]) for question, (one, other) in asked]
    found = iter(pairwise.compared([each for each in sides if _has_results(each)], kept))
    rows = []
    for (question, (one, other)), entries in zip(asked, sides, strict=True):
        told = next(found) if _has_results(entries) else verdicts.untold(*(len(each.tested) for each in entries))
        names = verdicts.named(question, one, other)
        why = verdicts.diverged({names["base"]: runs[one], names["side"]: runs[other]})
        rows.append({**told, **names, "verdict": verdicts.word(told, why), "why": why})
    return rows


def _entries(question: Question, base: list[Record], side: list[Record]) -> tuple[Entry, Entry]:
    quantity = GAP if question.of == "gap" else ERROR
    return Entry(base, quantity=quantity), Entry(side, quantity=quantity)


def _has_results(entries: tuple[Entry, Entry]) -> bool:
    return all(each.tested for each in entries)


def _rows(found: Answers) -> list[Row]:
    """A row for each network under each recipe and fraction that has runs."""
    return [
        {
            **training_row(runs, found.profiles.beside(runs[0]), found.profiles.counting(runs[0])),
            **_over_seeds("train_error{}_pct", grouping.there(grouping.figures_of(runs, "train_error_pct")), 0.0, 100.0),
            **_over_seeds("gap{}_points", Entry(runs, quantity=GAP).figures, -100.0, 100.0),
            "recipe": point.recipe or "",
            "train_pct": math.nan if point.train_fraction is None else 100 * point.train_fraction,
        }
        for point, runs in _shown(found)
    ]


def _over_seeds(name: str, values: Sequence[float], least: float, most: float) -> Row:
    """Mean and Student's t interval, which ends where no value can lie; `name` has a place for the ends'."""
    value, low, high, _ = stats.mean_t(values) if values else stats.Interval(math.nan, math.nan, math.nan, 0)
    return {name.format(""): value, name.format("_low"): max(low, least), name.format("_high"): min(high, most)}


def _shown(found: Answers) -> Iterable[tuple[Point, list[Record]]]:
    """The runs of each row, with one of the points that they are of: cells may have the same network."""
    return {_place(point): (point, runs) for point, runs in found.runs.items() if runs}.values()


def _notes(found: Answers, rows: pd.DataFrame, records: Sequence[Record]) -> list[str]:
    shown = found.records
    absent = dict.fromkeys(_place(point) for point, runs in found.runs.items() if not runs)
    lines = [*notes.interval_notes(shown), *[GAP_NOTE] * bool(rows.gap_points.notna().any())]
    lines += [*notes.diverged(rows.to_dict("records")), *_of_recipes(found)]
    if absent:
        lines.append(f"not run: {', '.join(' '.join(str(part) for part in place if part is not None) for place in absent)}")
    lines += [*notes.failed(shown, records), *notes.tuning(shown), *notes.of_other_threads(shown)]
    return [*lines, *notes.doubts(shown), *notes.widths(shown), *notes.older(shown, records)]


def _of_recipes(found: Answers) -> list[str]:
    """`batch: fast 64, modern 128`, for what the recipes do not share."""
    told = {run.config["training"]["name"]: guard.facts(run) for run in found.records} if "recipe" in varied_in(found.grid) else {}
    apart = [name for name in guard.VARIED["recipe"] if name != "recipe" and len({facts[name] for facts in told.values()}) > 1]
    return [f"{name}: {', '.join(f'{recipe} {_in_words(facts[name])}' for recipe, facts in told.items())}" for name in apart]


def _in_words(fact: Any) -> str:
    return {True: "yes", False: "no"}[fact] if isinstance(fact, bool) else str(fact)


def _pair_notes(rows: Sequence[Row], found: Answers, kept: Kept) -> list[str]:
    over_images = any(not math.isnan(row["p_images"]) for row in rows)
    several = any(min(row["n"], row["n_against"]) > 1 for row in rows)
    lines = [POINTS, *[WELCH] * several, *[IMAGES] * over_images, VERDICT]
    if not over_images and any(row["verdict"] != verdicts.INCONCLUSIVE for row in rows) and kept.of_all(found.records) is None:
        lines.append("no test over images: predictions do not lie beside all Records")
    return lines


def _with_ends(row: Row, name: str) -> str:
    value, low, high = (row[name.format(end)] for end in ("", "_low", "_high"))
    return MISSING if math.isnan(value) else figure(value, low, high, usual=2)


COLUMNS: Columns = {
    "model": lambda row: row["model"],
    "recipe": lambda row: row["recipe"] or "–",
    "training set, %": lambda row: plain(row["train_pct"], lambda value: f"{value:g}"),
    **TRAINED,
    "train error, %": lambda row: _with_ends(row, "train_error{}_pct"),
    "gap, points": lambda row: _with_ends(row, "gap{}_points"),
    **{header: PROFILED[header] for header in ("params", "MACs")},
}
COMPARED: Columns = {
    "of": lambda row: row["of"] or "–",
    "pair": lambda row: f"{row['side']}, {row['base']}",
    **{header: PAIRS[header] for header in ("points", "interval", "p", "new images")},
    "verdict": lambda row: row["verdict"],
    "why": lambda row: row["why"] or MISSING,
}

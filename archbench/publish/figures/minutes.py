"""Test error against the time of training: each mark a whole run of its own length, a line for each recipe, a panel for each network."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archbench.publish import captioning, grouping, guard, notes, results
from archbench.publish.figures import marks, small
from archbench.publish.figures.error import ONE, SEVERAL
from archbench.publish.figures.labels import Placing
from archbench.publish.figures.letters import Letters
from archbench.publish.figures.look import SERIES, Look
from archbench.publish.figures.picture import Picture, conditions, doubtful, doubts_said, limited
from archbench.publish.figures.sheet import Sheet
from archbench.publish.formats import epochs_text
from archbench.publish.pairwise import ERROR
from archbench.records.schema import Record

TITLE = "Test error against the time of training"
MADE_BY = "trainings of a network for two lengths or by two recipes: archbench train --epochs"
WHOLE = "each mark a whole run over so many epochs; minutes of its epochs alone, without start and test"
COMPILED = "the first epoch of a compiled training holds its compiling"
SPREAD = "bars across: from the fastest seed to the slowest"
HEIGHT, GAP = 9.0, 1.5  # of a panel, and between panels one below the other, in lines
ACROSS = {1: 2, 2: 4}  # panels side by side, by columns
MINUTE_S, FAR_APART = 60, 1.5
SHORTEST_S, LONGEST_S = 1e-6, 1e9  # that an epoch can take


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition, but for the recipe and its length, under which a network was trained more than once."""
    together = grouping.by_alike(results.newest(records, "train"), _condition).values()
    groups = [kept for runs in together if (kept := _of_several_lengths(notes.told_apart(runs)))]
    captions = guard.distinct([captioning.caption(group[0], recipe=False) for group in groups], [group[0] for group in groups], _facts)
    made = []
    for each in conditions(groups, captions, _condition, varied="recipe"):
        runs = list(grouping.by(each.records, _group).values())
        recipes = _recipes([members[0] for members in runs])
        rows = [_row(members, recipe) for members, recipe in zip(runs, recipes, strict=True)]
        shown = sorted((row for row in rows if row[ERROR]["value"] is not None), key=_in_order)
        if shown:
            compiled = [COMPILED] * any(record.config["execution"]["compiled"] for record in each.records)
            made.append(Picture("minutes", each.key, each.caption, shown, [*_notes(rows, shown), *compiled]))
    return made


def _group(record: Record) -> str:
    return record.group


def _condition(record: Record) -> tuple[Any, ...]:
    return guard.as_key(_facts(record))


def _facts(record: Record) -> guard.Facts:
    """All but the recipe, and the threads, by which times differ."""
    return {**guard.shared(record, ["recipe"]), "threads": record.environment["threads"]}


def _minutes(record: Record) -> float | None:
    """Of all epochs of a run that came to its end; None where they were not all timed."""
    curves = record.samples.get("curves")
    seconds = curves.get("epoch_s") if isinstance(curves, dict) else None
    if record.status != "ok" or not isinstance(seconds, list) or len(seconds) != record.config["training"]["epochs"]:
        return None
    whole = all(isinstance(each, int | float) and not isinstance(each, bool) and SHORTEST_S < each < LONGEST_S for each in seconds)
    return sum(seconds) / MINUTE_S if whole else None


def _of_several_lengths(runs: Sequence[Record]) -> list[Record]:
    """Runs of the networks that were trained by several recipes or for several lengths, of those for which there are times."""
    kept: list[Record] = []
    for members in grouping.by(runs, lambda run: run.model.label).values():
        groups = list(grouping.by(members, _group).values())
        timed = [group for group in groups if any(map(_minutes, group))] if len(groups) > 1 else []
        kept += [run for group in timed for run in group] if len(timed) > 1 else []
    return kept


def _recipes(firsts: Sequence[Record]) -> list[str]:
    """The recipe of each group of runs: its name, with what sets it apart from others of the name but for the length."""
    named = [f"{run.config['training']['name']}{' (tuned)' if run.config.get('tuned') else ''}" for run in firsts]
    return guard.distinct(named, firsts, _of_recipe, fewest=True)


def _of_recipe(run: Record) -> guard.Facts:
    return {name.removeprefix(guard.RECIPES_OWN): fact for name, fact in guard.facts(run).items() if name != "epochs"}


def _row(runs: Sequence[Record], recipe: str) -> dict[str, Any]:
    """One network by one recipe for one length: the error with its interval, and the minutes from the least to the greatest."""
    found = results.error_figures(runs)
    minutes = [taken for run in runs if (taken := _minutes(run))]
    return {
        "model": runs[0].model.label,
        "recipe": recipe,
        "epochs": runs[0].config["training"]["epochs"],
        "n": int(found["n"]),
        ERROR: marks.known((found["test_error_pct"], found["test_error_low_pct"], found["test_error_high_pct"])),
        "minutes": marks.known((statistics.median(minutes), min(minutes), max(minutes))),
        "diverged": int(found["diverged"]),
        "untimed": sum(run.status == "ok" for run in runs) - len(minutes),
        "doubts": sorted({*(code for run in runs for code in doubtful(run, {"at_chance"}, {})), *_spread(minutes)}),
    }


def _spread(minutes: Sequence[float]) -> list[str]:
    """A doubt, where runs of one kind took so different times that a machine did other work meanwhile."""
    return ["spread"] * (max(minutes) > FAR_APART * min(minutes))


def _in_order(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["model"], row["recipe"], row["epochs"]


def _notes(rows: Sequence[dict[str, Any]], shown: Sequence[dict[str, Any]]) -> list[str]:
    sizes, codes = {row["n"] > 1 for row in shown}, {code for row in shown for code in row["doubts"]}
    said = [WHOLE, *[SEVERAL, SPREAD] * (True in sizes), *[ONE] * (False in sizes)]
    said += [marks.HOLLOW.format(doubts_said(codes))] * bool(codes)
    for what, words in (("diverged", "diverged"), ("untimed", "without times of all epochs, in the error alone")):
        said += [f"{row['model']}, {row['recipe']}, {epochs_text(row['epochs'])}: {row[what]} {words}" for row in rows if row[what]]
    return said


def draw(picture: Picture, look: Look) -> list[Figure]:
    """As many panels on a page as it holds; of very many recipes those that can be told apart."""
    recipes = list(dict.fromkeys(row["recipe"] for row in picture.rows))
    series = dict(zip(recipes, SERIES, strict=False))
    models = list(dict.fromkeys(row["model"] for row in picture.rows if row["recipe"] in series))
    across = min(ACROSS[look.columns], len(models))
    parts = small.pages(models, _sheet(picture, look, series), across, HEIGHT + GAP)
    picture = limited(picture, [model for part in parts for model in part])
    if len(recipes) > len(series):
        picture = replace(picture, notes=[*picture.notes, f"the first {len(series)} of {len(recipes)} recipes"])
    return [_page(picture, look, series, part, across, small.part(place, parts)) for place, part in enumerate(parts)]


def _sheet(picture: Picture, look: Look, series: dict[str, Any], part: str = "") -> Sheet:
    names = Letters(look).shortened(list(series))
    legend = [(marks.line_handle(look, color, dashes, mark), names[recipe]) for recipe, (color, mark, dashes) in series.items()]
    condition = " · ".join(filter(None, [picture.condition, part]))
    return Sheet(look, TITLE, condition, picture.notes, legend)


def _page(picture: Picture, look: Look, series: dict[str, Any], models: Sequence[str], across: int, part: str) -> Figure:
    sheet = _sheet(picture, look, series, part)
    line_in, small_in = look.line_in(look.style.text_pt), look.line_in(look.style.small_pt)
    left_in = sheet.letters.width_in("10.5", look.style.small_pt) + 1.25 * line_in + 3 * sheet.edge_in
    below_in = small_in + line_in + 2 * sheet.edge_in
    made = sheet.axes(
        math.ceil(len(models) / across), across, HEIGHT * line_in, left_in, below_in, (1.2 * small_in, GAP * line_in), 1.2 * line_in
    )
    names = sheet.letters.shortened(models)
    room_in = made[0].get_position().width * look.width_in
    titles = [sheet.letters.fitted(names[model], look.style.small_pt, room_in) for model in models]
    for place, axes in enumerate(small.titled(made, titles, across, look)):
        _panel(axes, sheet, picture.rows, models[place], series)
        if place % across == 0:
            axes.set_ylabel("test error, %")
        if place >= len(models) - across:
            axes.set_xlabel("minutes of training")
    return sheet.figure


def _panel(axes: Axes, sheet: Sheet, every: Sequence[dict[str, Any]], model: str, series: dict[str, Any]) -> None:
    """The marks of a network with their epochs, on axes that all panels share."""
    look = sheet.look
    _axes(axes, every)
    marks.grid(axes, look)
    placing, points = Placing(axes, sheet), []
    for recipe, (color, mark, dashes) in series.items():
        rows = [row for row in every if (row["model"], row["recipe"]) == (model, recipe)]
        xs, ys = [row["minutes"]["value"] for row in rows], [row[ERROR]["value"] for row in rows]
        axes.plot(xs, ys, color=color, linestyle=dashes, zorder=1)
        drawn = [_mark(row, mark, color) for row in rows]
        marks.draw(axes, look, drawn)
        points += [each.named(str(row["epochs"])) for each, row in zip(drawn, rows, strict=True)]
        placing.avoid_line(xs, ys)
    placing.avoid(points, marks.width_pt(look))
    placing.write(points, marks.width_pt(look))


def _axes(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    minutes, errors = ([end for row in rows for end in row[name].values() if end is not None] for name in ("minutes", ERROR))
    marks.log_axis(axes, "x", min(minutes), max(minutes), None)
    marks.percent_axis(axes, min(errors), max(errors))


def _mark(row: dict[str, Any], shape: str, color: str) -> marks.Mark:
    minutes, error = row["minutes"], marks.upright(row[ERROR], row["minutes"]["value"], shape, color, bool(row["doubts"]))
    return marks.Mark(error.x, error.y, shape, color, error.hollow, (minutes["low"], minutes["high"]), error.y_ends)

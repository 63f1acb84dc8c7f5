"""Learning curves: the training loss by epoch, the mean over seeds with all of them around it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from archbench.publish import captioning, grouping, guard, notes, results
from archbench.publish.figures import marks, small
from archbench.publish.figures.letters import Letters
from archbench.publish.figures.look import LINES, SERIES, Look
from archbench.publish.figures.picture import Picture, conditions, limited
from archbench.publish.figures.sheet import Sheet
from archbench.records.schema import MOST, Record

TITLE = "Training loss by epoch"
MADE_BY = "a training: archbench train"
HEIGHT, SMALL_HEIGHT = 15.0, 5.0  # of the one panel, and of each where every network has its own, in lines
GAP = 1.5  # between panels one below the other, in lines
ACROSS = {1: 3, 2: 5}  # panels side by side, by columns


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which a network was trained."""
    trained = [record for record in results.newest(records, "train") if _losses(record)]
    groups = list(grouping.by(trained, guard.condition).values())
    captions = guard.distinct([captioning.caption(group[0]) for group in groups], [group[0] for group in groups])
    made = []
    for each in conditions(groups, captions, guard.condition):
        runs = grouping.by(notes.told_apart(each.records), lambda record: record.group)
        rows = sorted((_row(members) for members in runs.values()), key=lambda row: row["model"])
        several = any(len(row["seeds"]) > 1 for row in rows)
        said = ["mean over the steps of an epoch" + ("; line: mean over seeds, shaded: from the least to the greatest" if several else "")]
        diverged = sorted({record.model.label for record in each.records if record.status == "diverged"})
        said += [f"with runs that diverged, in the mean up to there: {', '.join(diverged)}"] * bool(diverged)
        made.append(Picture("curves", each.key, each.caption, rows, said))
    return made


def _losses(record: Record) -> list[float]:
    """The loss of each epoch up to the first that is not finite, or larger than any figure."""
    curves = record.samples.get("curves")
    curve = curves.get("loss") if isinstance(curves, dict) else None
    known = curve if isinstance(curve, list) else []
    return list(itertools.takewhile(lambda value: isinstance(value, int | float) and abs(value) < MOST, known))


def _row(runs: Sequence[Record]) -> dict[str, Any]:
    tuned = " (tuned)" if runs[0].config.get("tuned") else ""
    by_seed = {str(run.config.get("seed")): _losses(run) for run in sorted(runs, key=_seed)}
    return {"model": runs[0].model.label + tuned, "seeds": by_seed}


def _seed(run: Record) -> tuple[float, str]:
    """Seeds by number; what is none behind them."""
    seed = run.config.get("seed")
    return (seed if isinstance(seed, int) else math.inf), str(seed)


def draw(picture: Picture, look: Look) -> list[Figure]:
    """All in one panel where they can be told apart there, else a panel for each, with the others behind."""
    if len(picture.rows) <= len(SERIES):
        return [_together(picture, look)]
    by_model = {row["model"]: row for row in picture.rows}
    parts = small.pages(list(by_model), Sheet(look, TITLE, picture.condition, picture.notes), ACROSS[look.columns], SMALL_HEIGHT + GAP)
    picture = limited(picture, [model for part in parts for model in part])
    return [_apart(picture, look, [by_model[model] for model in part], small.part(place, parts)) for place, part in enumerate(parts)]


def _together(picture: Picture, look: Look) -> Figure:
    names = Letters(look).shortened([row["model"] for row in picture.rows])
    drawn = [(row, color, dashes) for row, (color, _, dashes) in zip(picture.rows, SERIES, strict=False)]
    legend = [(marks.line_handle(look, color, dashes), names[row["model"]]) for row, color, dashes in drawn]
    sheet = Sheet(look, TITLE, picture.condition, picture.notes, legend)
    axes = marks.panels(sheet, 1, HEIGHT, "0.25")[0]
    marks.grid(axes, look)
    for row, color, dashes in drawn:
        _curve(axes, look, row, color, dashes)
    _scales(axes, picture.rows)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss, nats")
    return sheet.figure


def _apart(picture: Picture, look: Look, rows: Sequence[dict[str, Any]], part: str) -> Figure:
    """Each network in the colour of the first, the others of the picture grey behind it."""
    sheet = Sheet(look, TITLE, " · ".join(filter(None, [picture.condition, part])), ["training loss, nats, by epoch", *picture.notes])
    across = ACROSS[look.columns]
    lines = math.ceil(len(rows) / across)
    line_in, small_in = look.line_in(look.style.text_pt), look.line_in(look.style.small_pt)
    left_in = sheet.letters.width_in("0.25", look.style.small_pt) + 4 * sheet.edge_in
    gap = (0.6 * small_in, GAP * line_in)
    made = sheet.axes(lines, across, SMALL_HEIGHT * line_in, left_in, 1.4 * small_in, gap, 1.2 * line_in)
    names = sheet.letters.shortened([row["model"] for row in picture.rows])
    behind = [[*chain.from_iterable([*line, math.nan] for line in side)] for side in zip(*map(_mean, picture.rows), strict=True)]
    room_in = made[0].get_position().width * look.width_in
    titles = [sheet.letters.fitted(names[row["model"]], look.style.small_pt, room_in) for row in rows]
    for row, axes in zip(rows, small.titled(made, titles, across, look), strict=True):
        axes.plot(*behind, color=LINES, linewidth=0.35 * look.scale, alpha=0.6, zorder=1)
        _curve(axes, look, row, SERIES[0][0], "solid")
        _scales(axes, picture.rows)
    return sheet.figure


def _scales(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """The same for every panel: from 0 to the greatest loss, or to 2.5 times the median of the runs' greatest where one went far above."""
    epochs = max(len(curve) for row in rows for curve in row["seeds"].values())
    greatest = sorted(max(curve) for row in rows for curve in row["seeds"].values())
    axes.set_ylim(0, 1.05 * min(greatest[-1], 2.5 * greatest[len(greatest) // 2]))
    axes.set_xlim(0.5 if epochs < 3 else 1 - 0.02 * epochs, epochs + max(0.5 if epochs < 3 else 0, 0.02 * epochs))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True) if epochs > 4 else FixedLocator(range(1, epochs + 1)))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))


def _curve(axes: Axes, look: Look, row: dict[str, Any], color: str, dashes: Any) -> None:
    epochs, mean = _mean(row)
    axes.plot(epochs, mean, color=color, linestyle=dashes, linewidth=1.2 * look.scale, zorder=3, marker="o" if len(mean) == 1 else None)
    if len(row["seeds"]) > 1:
        low, high = (reach(_padded(row), axis=0) for reach in (np.nanmin, np.nanmax))
        axes.fill_between(epochs, low, high, color=color, alpha=0.18, linewidth=0, zorder=2)


def _mean(row: dict[str, Any]) -> tuple[list[int], list[float]]:
    mean = np.nanmean(_padded(row), axis=0)
    return list(range(1, len(mean) + 1)), mean.tolist()


def _padded(row: dict[str, Any]) -> Any:
    """(seeds, epochs), NaN where a run had ended."""
    longest = max(map(len, row["seeds"].values()))
    return np.array([[*curve, *[math.nan] * (longest - len(curve))] for curve in row["seeds"].values()])

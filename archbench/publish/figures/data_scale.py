"""Error against the share of the training set, for each network and head: the test error, and its gap to the training error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from archbench import stats
from archbench.publish import grouping, guard, notes, results
from archbench.publish.figures import marks
from archbench.publish.figures.error import ONE, SEVERAL
from archbench.publish.figures.letters import Letters
from archbench.publish.figures.look import SERIES, Look
from archbench.publish.figures.picture import MOST_PAGES, Picture, conditions, doubtful, doubts_said, limited
from archbench.publish.figures.sheet import Sheet
from archbench.publish.pairwise import ERROR, GAP, Entry
from archbench.records.schema import Record

TITLE = "Error against the share of the training set"
MADE_BY = "trainings of a network on two shares of the training set or more: archbench train --experiment data_scale"
HEIGHT = 15.0  # of a panel, in lines
PANELS = {ERROR: "test error, %", GAP: "test less training error, points"}
BESIDE = 0.012  # how far apart the marks of one share stand, as a part of the axis


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which a network was trained on several shares, in all else alike."""
    together = grouping.by(results.newest(records, "train"), _condition).values()
    groups = [kept for runs in together if (kept := _on_several_shares(notes.told_apart(runs)))]
    captions = guard.distinct([_caption(group[0]) for group in groups], [group[0] for group in groups])
    made = []
    for each in conditions(groups, captions, _condition, varied="train_fraction"):
        rows = [_row(runs) for runs in grouping.by(each.records, lambda record: (record.model.label, _share(record))).values()]
        shown = sorted((row for row in rows if row[ERROR]["value"] is not None), key=lambda row: (row["model"], row["train_pct"]))
        if not shown:
            continue
        sizes, codes = {row["n"] > 1 for row in shown}, {code for row in shown for code in row["doubts"]}
        said = [SEVERAL] * (True in sizes) + [ONE] * (False in sizes) + [marks.HOLLOW.format(doubts_said(codes))] * bool(codes)
        said += [f"{row['model']}, {row['train_pct']:g} %: {row['diverged']} diverged" for row in rows if row["diverged"]]
        made.append(Picture("data_scale", each.key, each.caption, shown, said))
    return made


def _condition(record: Record) -> tuple[Any, ...]:
    return (*guard.condition(record, ["train_fraction"]), bool(record.config.get("tuned")))


def _caption(record: Record) -> str:
    return guard.shared_caption(record, guard.VARIED["train_fraction"]) + " · tuned" * bool(record.config.get("tuned"))


def _share(record: Record) -> float:
    return float(record.config["data"]["train_fraction"])


def _on_several_shares(runs: Sequence[Record]) -> list[Record]:
    """Runs of the networks that were trained on more than one share."""
    shares = {label: {_share(run) for run in members} for label, members in grouping.by(runs, lambda run: run.model.label).items()}
    return [run for run in runs if len(shares[run.model.label]) > 1]


def _row(runs: list[Record]) -> dict[str, Any]:
    """One network on one share: the test error and the gap, with their intervals."""
    found = results.error_figures(runs)
    gaps = Entry(runs, quantity=GAP).figures
    error = (found["test_error_pct"], found["test_error_low_pct"], found["test_error_high_pct"])
    return {
        "model": runs[0].model.label,
        "head": runs[0].model.spec["head_kind"],
        "train_pct": 100 * _share(runs[0]),
        "n": int(found["n"]),
        ERROR: marks.known(error),
        GAP: marks.known(stats.mean_t(gaps)[:3] if gaps else [math.nan] * 3),
        "diverged": int(found["diverged"]),
        "doubts": sorted({code for run in runs for code in doubtful(run, {"at_chance"}, {})}),
    }


def draw(picture: Picture, look: Look) -> list[Figure]:
    """A panel of the error and one of the gap; several figures where there are more networks than can be told apart in one."""
    models = list(dict.fromkeys(row["model"] for row in picture.rows))[: MOST_PAGES * len(SERIES)]
    picture = limited(picture, models)
    parts = [models[first : first + len(SERIES)] for first in range(0, len(models), len(SERIES))]
    shown = [name for name in PANELS if any(row[name]["value"] is not None for row in picture.rows)]
    return [_page(picture, look, part, page) for part in parts for page in marks.pages(shown, look, HEIGHT)]


def _page(picture: Picture, look: Look, models: Sequence[str], shown: Sequence[str]) -> Figure:
    names, heads = Letters(look).shortened(models), {row["model"]: row["head"] for row in picture.rows}
    series = dict(zip(models, SERIES, strict=False))
    texts = {model: f"{names[model]} ({heads[model]})" if heads[model] else names[model] for model in models}
    handles = (marks.line_handle(look, color, dashes, mark) for color, mark, dashes in series.values())
    legend = list(zip(handles, texts.values(), strict=True))
    sheet = Sheet(look, TITLE, picture.condition, picture.notes, legend)
    for axes, name in zip(marks.panels(sheet, len(shown), HEIGHT, "10.5"), shown, strict=True):
        marks.grid(axes, look)
        _axes(axes, picture.rows, name)
        for place, model in enumerate(models):
            rows = [row for row in picture.rows if row["model"] == model and row[name]["value"] is not None]
            _line(axes, look, rows, name, series[model], place - (len(models) - 1) / 2)
    return sheet.figure


def _axes(axes: Axes, rows: Sequence[dict[str, Any]], name: str) -> None:
    shares = sorted({row["train_pct"] for row in rows})
    ends = [end for row in rows for end in row[name].values() if end is not None]
    room = (shares[-1] / shares[0]) ** marks.MARGIN
    axes.set_xscale("log")
    axes.set_xlim(shares[0] / room, shares[-1] * room)
    axes.xaxis.set_major_locator(FixedLocator(shares))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")
    marks.percent_axis(axes, min(ends), max(ends))
    axes.set_xlabel("share of the training set, %")
    axes.set_ylabel(PANELS[name])


def _line(axes: Axes, look: Look, rows: Sequence[dict[str, Any]], name: str, series: tuple[str, str, Any], beside: float) -> None:
    low, high = axes.get_xlim()
    color, mark, dashes = series
    xs = [row["train_pct"] * (high / low) ** (BESIDE * beside) for row in rows]
    axes.plot(xs, [row[name]["value"] for row in rows], color=color, linestyle=dashes, zorder=1)
    marks.draw(axes, look, [marks.upright(row[name], x, mark, color, bool(row["doubts"])) for x, row in zip(xs, rows, strict=True)])

"""Shares of the MACs beside shares of the time: for each network a bar of each, split by what an operation mixes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from archbench.publish import notes
from archbench.publish.figures.look import FAINT, FILLS, POINTS, Look
from archbench.publish.figures.picture import MOST_PAGES, Picture, conditions, doubtful, doubts_said, limited, of_times
from archbench.publish.figures.sheet import Sheet
from archbench.publish.operators import captions, comparable
from archbench.publish.results import condition, identity
from archbench.publish.shares import COORDINATES, by_class, coordinate_shares
from archbench.records.schema import Record

TITLE, OF_MACS = "Where the multiply-adds are, and where the time goes", "Where the multiply-adds are"
MADE_BY = "a profile: archbench profile --time"
QUANTITIES = {"macs": "MACs, %", "time_s": "time, %"}
WORDS = {"channels": "channels only", "space": "space only", "both": "both at once", "head": "head", "rest": "nothing"}
ROW, BAR = 1.15, 0.74  # height of a row, in lines; part of it that a bar takes
SEEN = 0.2  # percent: a narrower part of a bar is not seen
STARRED = "* time in doubt: "


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which a profile was counted by operator class."""
    groups = [[profile for profile in profiles if any(_shares(profile).values())] for profiles in comparable(records)]
    groups = [group for group in groups if group]
    made = []
    for each in conditions(groups, captions(groups), condition):
        rows = [_row(profile) for profile in each.records]
        timed = [profile for profile, row in zip(each.records, rows, strict=True) if row["time_s"]]
        doubts = {code for row in rows for code in row["doubts"]}
        said = [notes.of_training_step(profile) for profile in timed[:1]] + [STARRED + doubts_said(doubts)] * bool(doubts)
        if 0 < len(timed) < len(rows):
            said.append("no bar of time: not measured (archbench profile --time)")
        made.append(Picture("shares", each.key, each.caption, rows, said))
    return made


def _row(profile: Record) -> dict[str, Any]:
    named = identity(profile)
    shares = _shares(profile)
    codes = doubtful(profile, {*of_times(), "time_unexplained"}, {"phase": "forward"}) if shares["time_s"] else []
    year = None if math.isnan(named["year"]) else int(named["year"])
    return {"model": named["model"], "year": year, **shares, "doubts": codes}


def _shares(profile: Record) -> dict[str, dict[str, float]]:
    """Of MACs and of time, where there is something to share."""
    return {quantity: coordinate_shares(by_class(profile, quantity)) for quantity in QUANTITIES}


def draw(picture: Picture, look: Look) -> list[Figure]:
    """A figure, or several where one page does not hold all networks."""
    row_in = ROW * look.line_in(look.style.small_pt)
    sheet = _sheet(picture, look, "1 of 9")
    fixed_in = sheet.fixed_in + 4.2 * look.line_in(look.style.text_pt)
    most = max(1, int((look.style.most_height_in - fixed_in) / row_in))
    picture = limited(picture, [row["model"] for row in picture.rows][: most * MOST_PAGES])
    parts = math.ceil(len(picture.rows) / most)
    size = math.ceil(len(picture.rows) / parts)
    names = sheet.letters.shortened([row["model"] for row in picture.rows])
    return [
        _part(picture, look, picture.rows[first : first + size], names, f"{place + 1} of {parts}" if parts > 1 else "")
        for place, first in enumerate(range(0, len(picture.rows), size))
    ]


def _sheet(picture: Picture, look: Look, part: str) -> Sheet:
    shown = [name for name in COORDINATES if any(row[quantity].get(name, 0) > SEEN for row in picture.rows for quantity in QUANTITIES)]
    legend = [(_patch(name), WORDS[name]) for name in shown]
    title = TITLE if any(row["time_s"] for row in picture.rows) else OF_MACS
    return Sheet(look, title, " · ".join(filter(None, [picture.condition, part])), picture.notes, [(None, "mixes"), *legend])


def _patch(name: str) -> Rectangle:
    color, hatch = FILLS[name]
    return Rectangle((0, 0), 1, 1, facecolor=color, hatch=hatch, edgecolor=FAINT if name == "rest" else "white", linewidth=0.3)


def _part(picture: Picture, look: Look, rows: Sequence[dict[str, Any]], names: dict[str, str], part: str) -> Figure:
    sheet = _sheet(picture, look, part)
    small = look.style.small_pt
    years_in = sheet.letters.width_in("2000  ", small) + 3 * sheet.edge_in
    names_in = max(sheet.letters.width_in(f"{names[row['model']]} *", small) for row in rows)
    shown = [quantity for quantity in QUANTITIES if any(row[quantity] for row in picture.rows)]
    height_in = ROW * look.line_in(small) * max(len(rows), 2)
    gap_in = 3 * small / POINTS
    below_in, above_in = 1.5 * look.line_in(small), 1.25 * look.line_in(look.style.text_pt)
    made = sheet.axes(1, len(shown), height_in, years_in + names_in, below_in, (gap_in, 0), above_in)
    for axes, quantity in zip(made, shown, strict=True):
        _bars(axes, quantity, rows, look)
    _names(made[0], rows, names, years_in + names_in, look, sheet)
    return sheet.figure


def _bars(axes: Axes, quantity: str, rows: Sequence[dict[str, Any]], look: Look) -> None:
    for name in COORDINATES:
        color, hatch = FILLS[name]
        before = [sum(row[quantity].get(other, 0.0) for other in COORDINATES[: COORDINATES.index(name)]) for row in rows]
        bars = [
            (place, row[quantity][name], start)
            for place, (row, start) in enumerate(zip(rows, before, strict=True))
            if row[quantity].get(name)
        ]
        if bars:
            places, widths, starts = zip(*bars, strict=True)
            axes.barh(places, widths, BAR, starts, color=color, hatch=hatch, edgecolor="white", linewidth=0.3 * look.scale)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks([0, 50, 100])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_title(QUANTITIES[quantity], loc="left", pad=3 * look.scale)


def _names(axes: Axes, rows: Sequence[dict[str, Any]], names: dict[str, str], left_in: float, look: Look, sheet: Sheet) -> None:
    """Names beside the bars, and at the edge the year of the first of each."""
    across = axes.get_yaxis_transform()
    in_axes = axes.get_position().width * look.width_in
    before: Any = ""
    for place, row in enumerate(rows):
        label = names[row["model"]] + " *" * bool(row["doubts"])
        how: dict[str, Any] = {"transform": across, "size": look.style.small_pt, "va": "center_baseline", "clip_on": False}
        axes.text(-2 * sheet.edge_in / in_axes, place, label, ha="right", **how)
        if row["year"] != before and row["year"] is not None:
            axes.text((sheet.edge_in - left_in) / in_axes, place, str(row["year"]), ha="left", color=FAINT, **how)
        before = row["year"]

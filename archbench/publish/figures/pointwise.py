"""The share of 1x1 over the years, of the MACs and of the time, with the mean of each year."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archbench.publish import lineage, notes
from archbench.publish.figures import marks
from archbench.publish.figures.labels import ANYWHERE, RIGHT_BESIDE, Placing
from archbench.publish.figures.look import BLUE, FAINT, VERMILLION, Look
from archbench.publish.figures.picture import Picture, conditions, doubtful, doubts_said, of_times
from archbench.publish.figures.sheet import Sheet
from archbench.publish.figures.years import Years
from archbench.publish.operators import captions
from archbench.publish.results import condition
from archbench.publish.sentences import LEAST_MEMBERS
from archbench.records.schema import Record

TITLE = "The share of 1×1 over the years"
MADE_BY = f"profiles of {LEAST_MEMBERS} members of the lineage or more, of several years: archbench profile --time --models lineage"
HEIGHT = 16.0  # of a panel, in lines
SPREAD = 0.62  # of a year's band, over which its members stand
SHARES = {"macs": ("MACs in 1×1, %", "o", BLUE), "time": ("time in 1×1, %", "D", VERMILLION)}
LEAST_NAMED = 0.5  # percent: networks that have no 1x1 crowd at nothing, and are not named
SAME_POINTS = 4.0  # members of a year whose shares are nearer than this stand beside each other


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which there are members enough to read anything from, of two years or more."""
    groups = [found for found in lineage.members(records) if len(found) >= LEAST_MEMBERS]
    made = []
    for each in conditions(groups, captions(groups), condition):
        rows = _rows(each.records)
        if len({row["year"] for row in rows if row["macs_pct"] is not None}) < 2:
            continue
        codes = {code for row in rows for code in row["doubts"]}
        timed = [record for record, row in zip(each.records, rows, strict=True) if row["time_pct"] is not None]
        said = [notes.of_training_step(record) for record in timed[:1]] + [marks.HOLLOW.format(doubts_said(codes))] * bool(codes)
        made.append(Picture("pointwise", each.key, each.caption, rows, said))
    return made


def _rows(found: Sequence[Record]) -> list[dict[str, Any]]:
    shares = lineage.member_rows(found).set_index("model")
    codes = {*of_times(), "time_unexplained"}
    return [
        {
            "model": record.model.name,
            "year": int(record.model.spec["year"]),
            **{f"{share}_pct": _known(shares.loc[record.model.name, f"pointwise_{share}_pct"]) for share in SHARES},
            "doubts": doubtful(record, codes, {"phase": "forward"}),
        }
        for record in found
    ]


def _known(share: Any) -> float | None:
    return None if math.isnan(share) else float(share)


def draw(picture: Picture, look: Look) -> list[Figure]:
    """A panel of the MACs and, where it was measured, one of the time."""
    shown = [share for share in SHARES if any(row[f"{share}_pct"] is not None for row in picture.rows)]
    return [_page(picture, look, part) for part in marks.pages(shown, look, HEIGHT)]


def _page(picture: Picture, look: Look, shown: Sequence[str]) -> Figure:
    sheet = Sheet(look, TITLE, picture.condition, picture.notes, [(marks.line_handle(look, FAINT), "mean of a year")])
    years = Years(row["year"] for row in picture.rows)
    names = sheet.letters.shortened([row["model"] for row in picture.rows])
    for axes, share in zip(marks.panels(sheet, len(shown), HEIGHT, "100"), shown, strict=True):
        rows = [row for row in picture.rows if row[f"{share}_pct"] is not None]
        _panel(axes, sheet, years, rows, share, names)
    return sheet.figure


def _panel(axes: Axes, sheet: Sheet, years: Years, rows: Sequence[dict[str, Any]], share: str, names: dict[str, str]) -> None:
    look = sheet.look
    label, shape, color = SHARES[share]
    axes.set_ylim(-4, 104)
    axes.set_ylabel(label)
    axes.set_xlabel("year")
    years.draw(axes, sheet)
    means = {
        year: statistics.fmean(row[f"{share}_pct"] for row in rows if row["year"] == year) for year in sorted({row["year"] for row in rows})
    }
    line = ([years.middle(year) for year in means], list(means.values()))
    axes.plot(*line, color=FAINT, linewidth=0.9 * look.scale, zorder=1)
    places = zip(rows, _across(rows, share, years), strict=True)
    drawn = [marks.Mark(x, row[f"{share}_pct"], shape, color, share == "time" and bool(row["doubts"])) for row, x in places]
    marks.draw(axes, look, drawn)
    points = [mark.named(names[row["model"]]) for mark, row in zip(drawn, rows, strict=True)]
    placing = Placing(axes, sheet)
    width_pt = marks.width_pt(look, len(points))
    placing.avoid(points, width_pt)
    placing.avoid_line(*line)
    named = sorted((point for point in points if point.y >= LEAST_NAMED), key=lambda point: -point.y)
    placing.write(named, width_pt, ANYWHERE if len(points) <= marks.MANY else RIGHT_BESIDE)


def _across(rows: Sequence[dict[str, Any]], share: str, years: Years) -> list[float]:
    """Members of a year with nearly the same share stand beside each other, others in the middle of their year."""
    places = []
    for row in rows:
        near = [each for each in rows if each["year"] == row["year"] and abs(each[f"{share}_pct"] - row[f"{share}_pct"]) < SAME_POINTS]
        step = 0.0 if len(near) == 1 else near.index(row) / (len(near) - 1) - 0.5
        places.append(years.middle(row["year"]) + SPREAD * step)
    return places

"""The lineage by year: who took the idea from whom, each network coloured by the share of its MACs that mix channels only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from archbench.publish import lineage
from archbench.publish.figures import tree
from archbench.publish.figures.labels import BEHIND
from archbench.publish.figures.look import INK, LINES, POINTS, Look
from archbench.publish.figures.marks import line_handle
from archbench.publish.figures.picture import Picture, conditions, limited
from archbench.publish.figures.sheet import Legend, Sheet
from archbench.publish.figures.years import Years
from archbench.publish.operators import captions
from archbench.publish.results import condition
from archbench.publish.sentences import LEAST_MEMBERS
from archbench.publish.shares import by_class, coordinate_shares
from archbench.records.schema import Record

TITLE = "The lineage of Network In Network by year"
MADE_BY = f"profiles of {LEAST_MEMBERS} members of the lineage or more: archbench profile --models lineage"
MARK_PT, ROW, SUB_YEAR = 5.0, 1.22, 0.55  # a mark; height of a row in lines; what a child of the same year adds to the width of its year
MOST_SHOWN = 200
LEGEND_SHARES = (0, 25, 50, 75, 100)


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which there are members enough to read anything from."""
    groups = [found for found in lineage.members(records) if len(found) >= LEAST_MEMBERS]
    made = []
    for each in conditions(groups, captions(groups), condition):
        rows = [row for record in each.records if (row := _row(record, each.records)) is not None]
        starred = ["* some operators are not counted"] * any(row["uncounted"] for row in rows)
        made += [Picture("lineage", each.key, each.caption, rows, starred)] if len(rows) >= LEAST_MEMBERS else []
    return made


def _row(record: Record, found: Sequence[Record]) -> dict[str, Any] | None:
    """A member with those of its parents that are shown; nothing where its MACs were not counted by operator class."""
    shares = coordinate_shares(by_class(record, "macs"))
    there, name = {each.model.name for each in found}, record.model.name
    parents = [parent for parent in dict.fromkeys(record.model.spec.get("parents", ())) if parent in there and parent != name]
    row = {"model": name, "year": int(record.model.spec["year"]), "parents": parents, "uncounted": bool(record.uncounted)}
    return {**row, "channels_macs_pct": shares["channels"]} if shares else None


def draw(picture: Picture, look: Look) -> list[Figure]:
    """One figure, as high as its rows need; where they need too much, only networks that others took from are named."""
    found = tree.members(picture.rows)
    there = {each.name for each in sorted(found, key=lambda each: -len(each.children))[:MOST_SHOWN]}
    picture = limited(picture, there, "those from which most took:")
    sheet = Sheet(look, TITLE, picture.condition, picture.notes, _legend(look))
    found = tree.members([{**row, "parents": [name for name in row["parents"] if name in there]} for row in picture.rows])
    years = Years([each.year for each in found], tree.widths(found, SUB_YEAR))
    names = sheet.letters.shortened([each.name for each in found])
    starred = {row["model"] for row in picture.rows if row["uncounted"]}
    labels = {name: f"{short}{'*' * (name in starred)}" for name, short in names.items()}
    room = look.width_in - 5 * sheet.edge_in
    row_in = ROW * look.line_in(look.style.small_pt)
    below = 1.6 * look.line_in(look.style.small_pt)
    most = int((look.style.most_height_in - sheet.fixed_in - below) / row_in)
    for named in (labels, {each.name: labels[each.name] for each in found if each.children}, {}):
        widths = {name: sheet.letters.width_in(label, look.style.small_pt) for name, label in named.items()}
        laid = tree.laid_out(found, years, tree.Room(room, MARK_PT * look.scale / POINTS, widths, SUB_YEAR))
        if laid.rows <= most:
            break
    axes = sheet.axes(1, 1, max(laid.rows, 3) * row_in, 2 * sheet.edge_in, below, (0, 0))[0]
    _draw_tree(axes, sheet, years, laid, picture.rows, named)
    return [sheet.figure]


def _draw_tree(axes: Axes, sheet: Sheet, years: Years, laid: tree.Laid, rows: Sequence[dict[str, Any]], labels: dict[str, str]) -> None:
    look = sheet.look
    years.draw(axes, sheet)
    axes.set_ylim(max(laid.rows, 3) - 0.3, -0.7)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for curve in laid.curves:
        axes.add_patch(PathPatch(Path(curve, tree.CODES), facecolor="none", edgecolor=LINES, linewidth=0.6 * look.scale, zorder=1))
    for row in rows:
        axes.plot(*laid.at[row["model"]], "o", color=fill(row["channels_macs_pct"]), zorder=3, **_sizes(look))
    for name, label in labels.items():
        left = name in laid.named_left
        away = tree.AWAY * MARK_PT * look.scale
        how: dict[str, Any] = {"xytext": (-away if left else away, 0), "textcoords": "offset points", "ha": "right" if left else "left"}
        axes.annotate(label, laid.at[name], va="center_baseline", size=look.style.small_pt, zorder=2, bbox=BEHIND, **how)


def fill(share_pct: float) -> Any:
    """Of a mark: white for none, dark blue for all."""
    return colormaps["Blues"](0.02 + 0.98 * share_pct / 100)


def _sizes(look: Look) -> dict[str, Any]:
    return {"markersize": MARK_PT * look.scale, "markeredgewidth": 0.7 * look.scale, "markeredgecolor": INK}


def _legend(look: Look) -> Legend:
    marks = [Line2D([], [], color=fill(share), marker="o", linestyle="None", **_sizes(look)) for share in LEGEND_SHARES]
    shown = [(mark, f"{share} %") for mark, share in zip(marks, LEGEND_SHARES, strict=True)]
    return [(None, "MACs that mix channels only:"), *shown, (line_handle(look), "took from")]

"""What class maps are worth: where they point, what of them lies on the ground, and the error, against the link of class and ground."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from archbench.publish import mapped
from archbench.publish.figures import marks, small
from archbench.publish.figures.error import ONE, SEVERAL
from archbench.publish.figures.letters import Letters, printable
from archbench.publish.figures.look import LINES, SERIES, Look
from archbench.publish.figures.picture import Picture, limited
from archbench.publish.figures.sheet import Sheet
from archbench.publish.mapped import BROKEN, KEPT, SPEAKING, Cell, Condition
from archbench.records.schema import Record, hash_of
from archbench.records.store import plain_name

TITLE = "Class maps against the link of class and ground"
MADE_BY = "Records of kind explain with links of class and ground: archbench run --experiment class_maps"
HEIGHT, BETWEEN = 7.0, 2.9  # of a panel, and from it to the next below, in lines
ACROSS = {1: 2, 2: 5}  # panels side by side, by columns
MIDDLE = "middle"
SHOWN = {
    "points": "map points into the object's box, link kept",
    "ground": "part of the map on the ground, link kept",
    "error": "test error, link broken",
}
QUANTITIES: dict[str, tuple[str, str, dict[str, Any]]] = {  # the test, the measurement and what qualifies it
    "points": (KEPT, "pointing_pct", {"of": "map"}),
    "ground": (KEPT, "energy_ground_pct", {"of": "map", **SPEAKING}),
    "error": (BROKEN, "test_error_pct", {}),
    MIDDLE: (KEPT, "pointing_pct", {"of": "centre"}),
}
LINK = "across: percent of the training images whose ground goes with the class"
NOT_SILENT = "part on the ground: of maps in which anything speaks for the class; no bar where one seed alone has such"


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which maps were scored."""
    found = [each for each in mapped.conditions(records) if each.drawn]
    shorts = [_short(each) for each in found]
    made = []
    for each, short in zip(found, shorts, strict=True):
        key = short if shorts.count(short) == 1 else f"{short}-{hash_of(each.caption)[:4]}"
        rows = [_row(cell) for cell in each.cells]
        several = {row["seeds"] > 1 for row in rows}
        said = [LINK, NOT_SILENT, *[SEVERAL] * (True in several), *[ONE] * (False in several)]
        made.append(Picture("maps", key, each.caption, rows, said))
    return made


def _short(condition: Condition) -> str:
    """`shapes-gradcam-modern-5ep`."""
    config = condition.cells[0].records[0].config
    base, training = mapped.name_of(config["data"]["name"]).base, config["training"]
    return plain_name(f"{base}-{config['explain']['method']}-{training['name']}-{training['epochs']}ep").lower()


def _row(cell: Cell) -> dict[str, Any]:
    """A network at a link."""
    seeds = max(len(runs) for runs in cell.runs.values())
    figures = {name: marks.known(cell.interval(test, measured, at)[:3]) for name, (test, measured, at) in QUANTITIES.items()}
    return {"model": cell.model, "link_pct": cell.link, "seeds": seeds, **figures}


def draw(picture: Picture, look: Look) -> list[Figure]:
    """A panel for each network, oldest first; several figures where one page does not hold all."""
    models = list(dict.fromkeys(row["model"] for row in picture.rows))
    sheet = Sheet(look, TITLE, picture.condition, picture.notes, _legend(look))
    parts = small.pages(models, sheet, ACROSS[look.columns], HEIGHT + BETWEEN)
    picture = limited(picture, [model for part in parts for model in part])
    return [_page(picture, look, part, small.part(place, parts)) for place, part in enumerate(parts)]


def _legend(look: Look) -> list[tuple[Any, str]]:
    handles = [marks.line_handle(look, color, dashes, mark) for color, mark, dashes in SERIES[: len(SHOWN)]]
    return [*zip(handles, SHOWN.values(), strict=True), (marks.line_handle(look, LINES), "the middle of the image in that box")]


def _page(picture: Picture, look: Look, models: Sequence[str], part: str) -> Figure:
    sheet = Sheet(look, TITLE, " · ".join(filter(None, [picture.condition, part])), picture.notes, _legend(look))
    across = ACROSS[look.columns]
    lines = math.ceil(len(models) / across)
    line_in, small_in = look.line_in(look.style.text_pt), look.line_in(look.style.small_pt)
    left_in = sheet.letters.width_in("100", look.style.small_pt) + 1.25 * line_in + 4 * sheet.edge_in
    gap_in, right_in = 0.7 * small_in, 4 * sheet.edge_in
    room_in = (look.width_in - left_in - right_in - (across - 1) * gap_in) / across
    titles = [_title(sheet.letters, model, look.style.small_pt, room_in) for model in models]
    above_in = max(title.count("\n") + 1 for title in titles) * small_in + 0.4 * line_in
    made = sheet.axes(lines, across, HEIGHT * line_in, left_in, 1.4 * small_in, (gap_in, above_in + 0.5 * line_in), above_in)
    for place, axes in enumerate(small.titled(made, titles, across, look)):
        marks.grid(axes, look)
        _axes(axes, picture.rows)
        _lines(axes, look, [row for row in picture.rows if row["model"] == models[place]])
        if place % across == 0:
            axes.set_ylabel("%")
    return sheet.figure


def _title(letters: Letters, model: str, size_pt: float, room_in: float) -> str:
    """The network's name, its knobs on a second line where they are too long for one."""
    name, mark, knobs = printable(model).partition("+")
    if letters.width_in(f"{name}{mark}{knobs}", size_pt) <= room_in:
        return f"{name}{mark}{knobs}"
    return "\n".join(letters.fitted(line, size_pt, room_in) for line in (name, mark + knobs) if line)


def _axes(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """The same for every panel."""
    axes.set_xlim(-6, 106)
    axes.set_ylim(-4, 104)
    links = sorted({row["link_pct"] for row in rows})
    axes.xaxis.set_major_locator(FixedLocator([link for link in links if link not in _crowded(links)]))
    axes.yaxis.set_major_locator(FixedLocator([0, 25, 50, 75, 100]))


def _crowded(links: Sequence[int], apart: int = 15) -> set[int]:
    """Those of the links whose number would touch the next one's, the ends apart."""
    kept, left_out = links[-1], set()
    for link in reversed(links[1:-1]):
        if kept - link < apart or link - links[0] < apart:
            left_out.add(link)
        else:
            kept = link
    return left_out


def _lines(axes: Axes, look: Look, rows: Sequence[dict[str, Any]]) -> None:
    middle = [row for row in rows if row[MIDDLE]["value"] is not None]
    axes.plot([row["link_pct"] for row in middle], [row[MIDDLE]["value"] for row in middle], color=LINES, zorder=1)
    for name, (color, mark, dashes) in zip(SHOWN, SERIES, strict=False):
        known = [row for row in rows if row[name]["value"] is not None]
        axes.plot([row["link_pct"] for row in known], [row[name]["value"] for row in known], color=color, linestyle=dashes, zorder=2)
        marks.draw(axes, look, [marks.upright(row[name], row["link_pct"], mark, color) for row in known])

"""Measured time against MACs: which members leave the line that the median time a MAC draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archbench.publish import lineage, notes, reading
from archbench.publish.figures import marks
from archbench.publish.figures.labels import BEHIND, Placing
from archbench.publish.figures.look import BLUE, FAINT, MUTED, SHADE, VERMILLION, Look
from archbench.publish.figures.picture import Picture, conditions, doubtful, doubts_said, of_times
from archbench.publish.figures.sheet import Legend, Sheet
from archbench.publish.operators import captions
from archbench.publish.results import condition
from archbench.publish.sentences import LEAST_MEMBERS
from archbench.records.schema import Measurement, Record

TITLE = "Measured time against multiply-adds"
MADE_BY = f"profiles of {LEAST_MEMBERS} members of the lineage or more: archbench profile --models lineage"
HEIGHT = 15.0  # of a panel, in lines
MOST_LINES, CORNER = 3, 0.6  # of names below the line, where some have no room at their marks; the part of the width that they take
MOST_NAMED = 60  # off the line, whose names are looked for a place at their marks
BESIDE = 0.1  # free on the right of the last mark, for names, as a part of the axis
FASTER, SLOWER, ON_LINE = ("v", BLUE), ("^", VERMILLION), ("o", MUTED)


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which members enough to draw a line from were timed."""
    groups = [found for found in lineage.members(records) if len(found) >= LEAST_MEMBERS]
    made = []
    for each in conditions(groups, captions(groups), condition):
        lines = _lines(each.records)
        if not lines:
            continue
        rows = [row for column in lines for row in _rows(each.records, column)]
        codes = {code for row in rows for code in row["doubts"]}
        said = [f"of one image{notes.on_threads(each.records[0])}, eager; bars: 95 % interval"]
        said += [marks.HOLLOW.format(doubts_said(codes))] * bool(codes)
        made.append(Picture("time", each.key, each.caption, rows, said, {"median_s_per_mac": lines}))
    return made


def _lines(found: Sequence[Record]) -> dict[str, float]:
    """The median time a MAC, where there are members enough to draw a line from."""
    rows = lineage.member_rows(found)
    known = {column: reading.off_line(rows, column) for column in reading.TIMES}
    return {column: float(each.s_per_mac.median()) for column, each in known.items() if len(each) >= LEAST_MEMBERS}


def _rows(found: Sequence[Record], column: str) -> list[dict[str, Any]]:
    measured = {record.model.name: record for record in found}
    known = reading.off_line(lineage.member_rows(found), column)
    return [_row(values, column, measured[values["model"]]) for values in known.to_dict("records")]


def _row(values: dict[Any, Any], column: str, record: Record) -> dict[str, Any]:
    """One member's time of an image; of the images/s of a batch, whose interval is turned over."""
    row, low, high = _interval(record, column)
    return {
        "model": values["model"],
        "time": column,
        "macs": float(values["macs"]),
        "s": float(values[column]),
        "low_s": low,
        "high_s": high,
        "off": float(values["off"]),
        "doubts": doubtful(record, of_times(), row.at),
    }


def _interval(record: Record, column: str) -> tuple[Measurement, float | None, float | None]:
    if column == "latency_s":
        row = record.measurement("latency_s", batch=1, mode="eager")
        assert row is not None
        return row, row.low, row.high
    row = record.measurement("infer_images_per_s", mode="eager")
    assert row is not None
    return row, 1 / row.high if row.high else None, 1 / row.low if row.low else None


def draw(picture: Picture, look: Look) -> list[Figure]:
    """A panel for one image alone, and one for an image in a batch."""
    shown = [column for column in reading.TIMES if any(row["time"] == column for row in picture.rows)]
    return [_page(picture, look, part) for part in marks.pages(shown, look, HEIGHT)]


def _page(picture: Picture, look: Look, shown: Sequence[str]) -> Figure:
    sheet = Sheet(look, TITLE, picture.condition, picture.notes, _legend(look, picture.rows))
    names = sheet.letters.shortened([row["model"] for row in picture.rows])
    made = marks.panels(sheet, len(shown), HEIGHT, "100 µs", titles=True)
    for axes, column in zip(made, shown, strict=True):
        rows = [row for row in picture.rows if row["time"] == column]
        _panel(axes, sheet, rows, names, picture.facts["median_s_per_mac"][column])
        marks.caption_in(axes, reading.TIMES[column].removeprefix("time of "), look)
        axes.set_xlabel("MACs of an image")
        axes.set_ylabel("time")
    return sheet.figure


def _panel(axes: Axes, sheet: Sheet, rows: Sequence[dict[str, Any]], names: dict[str, str], line: float) -> None:
    look = sheet.look
    macs = [row["macs"] for row in rows]
    ends = [end for row in rows for end in (row["s"], row["low_s"], row["high_s"]) if end]
    marks.log_axis(axes, "x", min(macs), max(macs) * (max(macs) / min(macs)) ** BESIDE, "")
    marks.log_axis(axes, "y", min(ends), max(ends), "s")
    across = np.array(axes.get_xlim())
    band = (across * line / reading.OFF_LINE, across * line * reading.OFF_LINE)
    axes.fill_between(across, *band, color=SHADE, linewidth=0, zorder=0)
    axes.plot(across, across * line, color=FAINT, linewidth=0.8 * look.scale, zorder=1)
    ordered = sorted(rows, key=lambda row: max(row["off"], 1 / row["off"]))
    drawn = [_mark(row) for row in ordered]
    marks.draw(axes, look, drawn)
    points = [mark.named(names[row["model"]]) for mark, row in zip(drawn, ordered, strict=True)]
    named = [point for point, row in zip(points, ordered, strict=True) if _is_off(row)]
    width_pt = marks.width_pt(look, len(points))
    first, others = named[: -MOST_NAMED - 1 : -1], [point.name for point in named[:-MOST_NAMED][::-1]]
    for corner in (False, True):
        placing = Placing(axes, sheet)
        placing.avoid(points, width_pt)
        if corner:
            placing.avoid_corner(CORNER, (MOST_LINES + 2) * look.line_in(look.style.small_pt))
        placing.avoid_line(across.tolist(), (across * line).tolist())
        left_out = placing.write(first, width_pt) + others
        if not left_out:
            return
        if not corner:
            placing.erase()
    _say_left_out(axes, sheet, left_out, "off the line too" if len(left_out) < len(named) else "off the line")


def _say_left_out(axes: Axes, sheet: Sheet, names: Sequence[str], what: str) -> None:
    """Names that found no place at their mark, in the corner below the line."""
    size = sheet.look.style.small_pt
    lines = sheet.letters.wrapped(f"{what}: {', '.join(names)}", size, CORNER * axes.get_position().width * sheet.look.width_in)
    if len(lines) > MOST_LINES:
        shown = sum(line.count(",") for line in lines[:MOST_LINES])
        lines = [*lines[:MOST_LINES], f"and {len(names) - shown:,} more"]
    how: dict[str, Any] = {"size": size, "color": FAINT, "ha": "right", "va": "bottom", "bbox": BEHIND, "zorder": 4}
    axes.text(0.99, 0.03, "\n".join(lines), transform=axes.transAxes, **how)


def _is_off(row: dict[str, Any]) -> bool:
    return bool(row["off"] > reading.OFF_LINE or row["off"] < 1 / reading.OFF_LINE)


def _mark(row: dict[str, Any]) -> marks.Mark:
    ends = (row["low_s"], row["high_s"]) if row["low_s"] and row["high_s"] else None
    return marks.Mark(row["macs"], row["s"], *_kind(row), hollow=bool(row["doubts"]), y_ends=ends)


def _kind(row: dict[str, Any]) -> tuple[str, str]:
    if not _is_off(row):
        return ON_LINE
    return SLOWER if row["off"] > 1 else FASTER


def _legend(look: Look, rows: Sequence[dict[str, Any]]) -> Legend:
    times = reading.OFF_LINE
    words = {ON_LINE: f"within {times}× of it", SLOWER: f"over {times}×", FASTER: f"under 1/{times}"}
    there = {_kind(row) for row in rows}
    shown = [(marks.handle(look, *kind), said) for kind, said in words.items() if kind in there]
    return [(marks.line_handle(look, FAINT), "median time a MAC"), *shown]

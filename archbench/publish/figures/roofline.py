"""The roofline: what each operator class of each network achieves in the forward pass, under what the machine's peaks allow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archbench.publish import notes, roofline
from archbench.publish.figures import marks
from archbench.publish.figures.look import BLUE, FAINT, GREEN, LINE, MUTED, ORANGE, PURPLE, SKY, VERMILLION, Look
from archbench.publish.figures.picture import Picture, conditions, doubtful, doubts_said, of_times
from archbench.publish.figures.sheet import Sheet
from archbench.publish.operators import captions, comparable
from archbench.publish.results import condition, value
from archbench.records.schema import Record

TITLE = "Operator classes under the machine's roof"
MADE_BY = "a profile by operator class: archbench profile --time"
HEIGHT = 19.0  # of the panel, in lines
CLASSES = {
    "pointwise": ("o", BLUE),
    "dense_conv": ("s", VERMILLION),
    "grouped_conv": ("D", GREEN),
    "depthwise": ("^", ORANGE),
    "token_mixing": ("v", PURPLE),
    "gate": ("P", SKY),
    "head": ("X", MUTED),
    "other": (".", FAINT),
}


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which classes have a place under the roof."""
    found = ((profiles, [row for profile in profiles for row in _rows(profile)]) for profiles in comparable(records))
    groups = [(profiles, rows) for profiles, rows in found if rows]
    shown = [profiles for profiles, _ in groups]
    made = []
    for each, (_, rows) in zip(conditions(shown, captions(shown), condition), groups, strict=True):
        peaks = sorted({(row["peak_macs_per_s"], row["peak_bytes_per_s"]) for row in rows})
        codes = {code for row in rows for code in row["doubts"]}
        count = len({row["model"] for row in rows})
        on = notes.on_threads(each.records[0])
        said = [f"a mark: a class in one of {count} network{'s' * (count != 1)}, forward pass of a training step{on}"]
        said += ["bars: 95 % interval; above the roof: data came from caches"]
        said += [f"{len(peaks)} roofs: the peaks were measured with each run"] * (len(peaks) > 1)
        said += [marks.HOLLOW.format(doubts_said(codes))] * bool(codes)
        made.append(Picture("roofline", each.key, each.caption, rows, said))
    return made


def _rows(profile: Record) -> list[dict[str, Any]]:
    """A row for each class that multiplies, with the peaks beside which it stands."""
    found = {name: {} for name in CLASSES}  # type: dict[str, dict[str, Any]]
    for row in profile.measurements:
        if row.name in ("macs_per_s", "macs_per_byte") and row.at.get("operator_class") in found:
            found[str(row.at["operator_class"])][row.name] = row
    peaks = {name: value(profile, name) for name in ("peak_macs_per_s", "peak_bytes_per_s")}
    rows = []
    for name, at in found.items():
        if len(at) == 2 and all(row.value for row in at.values()) and not any(map(math.isnan, peaks.values())):
            rate = at["macs_per_s"]
            figures = {"macs_per_byte": at["macs_per_byte"].value, "macs_per_s": rate.value, "low": rate.low, "high": rate.high}
            codes = doubtful(profile, {*of_times(), "time_unexplained"}, rate.at)
            rows.append({"model": profile.model.label, "operator_class": name, **figures, **peaks, "doubts": codes})
    return rows


def draw(picture: Picture, look: Look) -> list[Figure]:
    """One panel; in grey, classes are told apart by their marks."""
    shown = [name for name in CLASSES if any(row["operator_class"] == name for row in picture.rows)]
    words = {name: roofline.COLUMNS["class"]({"operator_class": name}) for name in shown}
    legend = [(marks.handle(look, *CLASSES[name]), "1×1 (pointwise)" if name == "pointwise" else words[name]) for name in shown]
    sheet = Sheet(look, TITLE, picture.condition, picture.notes, legend)
    axes = marks.panels(sheet, 1, HEIGHT, "100 G")[0]
    peaks = sorted({(row["peak_macs_per_s"], row["peak_bytes_per_s"]) for row in picture.rows})
    _limits(axes, picture.rows, peaks)
    marks.grid(axes, look)
    for peak in peaks:
        _roof(axes, look, *peak)
    _say_peaks(axes, sheet, *peaks[-1])
    marks.draw(axes, look, [_mark(row) for row in picture.rows])
    axes.set_xlabel("multiply-adds a byte (MAC/B)")
    axes.set_ylabel("MAC/s")
    return [sheet.figure]


def _mark(row: dict[str, Any]) -> marks.Mark:
    ends = (row["low"], row["high"]) if row["low"] and row["high"] else None
    return marks.Mark(row["macs_per_byte"], row["macs_per_s"], *CLASSES[row["operator_class"]], hollow=bool(row["doubts"]), y_ends=ends)


def _limits(axes: Axes, rows: Sequence[dict[str, Any]], peaks: Sequence[tuple[float, float]]) -> None:
    across = [row["macs_per_byte"] for row in rows] + [peak / moved for peak, moved in peaks]
    up = [end for row in rows for end in (row["macs_per_s"], row["low"], row["high"]) if end] + [peak for peak, _ in peaks]
    marks.log_axis(axes, "x", min(across), 3 * max(across), "")
    marks.log_axis(axes, "y", min(up), 1.3 * max(up), "")


def _roof(axes: Axes, look: Look, peak: float, moved: float) -> None:
    low, high = axes.get_xlim()
    xs = [low, peak / moved, high]
    axes.plot(xs, [low * moved, peak, peak], color=FAINT, linewidth=0.9 * look.scale, zorder=1)


def _say_peaks(axes: Axes, sheet: Sheet, peak: float, moved: float) -> None:
    """What the roofs stand for, above them: arithmetic's where it begins, memory's on the slope, or beside its axis where that is short."""
    how: dict[str, Any] = {"size": sheet.look.style.small_pt, "color": FAINT, "textcoords": "offset points", "annotation_clip": False}
    away = 2 * sheet.look.scale
    axes.annotate(marks.prefixed(peak, "MAC/s"), (peak / moved, peak), xytext=(0, away), ha="left", va="bottom", **how)
    said, low, bottom = marks.prefixed(moved, "B/s"), axes.get_xlim()[0], axes.get_ylim()[0]
    start = max(low, bottom / moved)
    middle = start * (peak / moved / start) ** 0.5
    wide = sheet.letters.width_in(said, sheet.look.style.small_pt) * sheet.look.style.dpi + 2 * away
    left, right = axes.transData.transform([(low, peak), (middle, peak)])[:, 0]
    if right - left >= wide:
        axes.annotate(said, (middle, middle * moved), xytext=(-away, away), ha="right", va="bottom", **how)
        return
    end = axes.transData.inverted().transform((left + wide, 0))[0]
    higher = sheet.look.style.small_pt * LINE if end * moved > peak else 0.0
    axes.annotate(said, (low, min(end * moved, peak)), xytext=(away, away + higher), ha="left", va="bottom", **how)

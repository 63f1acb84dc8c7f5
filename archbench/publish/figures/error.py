"""Test error against MACs, parameters and latency, with intervals and the Pareto front: whom no other beats in both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archbench.publish import captioning, grouping, guard, notes, results
from archbench.publish.beside import Profiles
from archbench.publish.figures import marks
from archbench.publish.figures.labels import ANYWHERE, RIGHT_BESIDE, Placing
from archbench.publish.figures.look import BLUE, FAINT, GREEN, LINES, VERMILLION, Look
from archbench.publish.figures.picture import Picture, conditions, doubtful, doubts_said, of_times
from archbench.publish.figures.sheet import Sheet
from archbench.records.schema import Record

TITLE = "Test error against cost"
MADE_BY = "a training and a profile under the same conditions: archbench run"
HEIGHT = 14.0  # of a panel, in lines
COSTS = {"macs": ("MACs", ""), "params": ("parameters", ""), "latency_s": ("latency of one image", "s")}
HEADS = {"gap": ("o", BLUE), "gap+fc": ("s", VERMILLION), "fc": ("^", GREEN)}
OTHER_HEAD = ("D", FAINT)
SEVERAL = "bars: several seeds, Student's t interval over seeds (95 %)"
FRONT = "the front is of the points, whatever their intervals"
ONE = "bars: one run, Wilson's interval over the test images (95 %), which says nothing about other seeds"
FEW = 12  # of more, those off the front are named where there is room right beside them


def pictures(records: Iterable[Record]) -> list[Picture]:
    """A picture for each condition under which a network was trained, and counted or timed.

    Counts are those of any profile of the network at the same input; a latency is one under the training's conditions.
    """
    records = list(records)
    profiles = Profiles.of(records)
    tested = [record for kind in ("train", "evaluated", "imported") for record in results.newest(records, kind)]
    groups = list(grouping.by((record for record in tested if not captioning.is_benchmark(record)), guard.condition).values())
    captions = guard.distinct([captioning.caption(group[0]) for group in groups], [group[0] for group in groups])
    made = []
    for each in conditions(groups, captions, guard.condition):
        runs = grouping.by(notes.told_apart(each.records), lambda record: record.group)
        matched = {group: profiles.beside(members[0]) for group, members in runs.items()}
        timed, untimed = _of_one_way(matched)
        counted = {group: profiles.counting(members[0]) for group, members in runs.items()}
        rows = [_row(members, counted[group], group in timed) for group, members in runs.items()]
        shown = [row for row in rows if row["test_error_pct"] is not None and any(row[cost] for cost in COSTS)]
        if shown:
            left = [row["model"] for row in rows if row not in shown]
            said = _notes(shown, left, [profile.model.label for profile in untimed.values()], timed.values())
            made.append(Picture("error", each.key, each.caption, shown, said))
    return made


def _of_one_way(matched: dict[str, Record | None]) -> tuple[dict[str, Record], dict[str, Record]]:
    """The profiles whose latencies may be compared, the largest such set, and the others, whose latencies are left out."""
    found = {group: profile for group, profile in matched.items() if profile is not None}
    ways = grouping.by(found.values(), results.condition).values()
    chosen = {profile.id for profile in max(ways, key=len, default=[])}
    return tuple({group: each for group, each in found.items() if (each.id in chosen) is among} for among in (True, False))  # type: ignore[return-value]


def _row(runs: Sequence[Record], profile: Record | None, timed: bool) -> dict[str, Any]:
    found = results.training_row(runs, profile)
    figures = ("test_error_pct", "test_error_low_pct", "test_error_high_pct", *COSTS, "latency_low_s", "latency_high_s")
    row = {name: _known(found[name]) for name in figures}
    if not timed:
        row |= dict.fromkeys(("latency_s", "latency_low_s", "latency_high_s"))
    at = {"batch": 1, "mode": "eager"}
    tuned = " (tuned)" if runs[0].config.get("tuned") else ""
    return {
        "model": found["model"] + tuned,
        "head": found["head"],
        "n": int(found["n"]),
        **row,
        "doubts": sorted({code for run in runs for code in doubtful(run, {"at_chance"}, {})}),
        "latency_doubts": doubtful(profile, of_times(), at) if profile is not None and timed else [],
    }


def _known(figure: Any) -> float | None:
    return None if figure is None or math.isnan(figure) else float(figure)


def _notes(rows: Sequence[dict[str, Any]], left: Sequence[str], untimed: Sequence[str], timed: Iterable[Record]) -> list[str]:
    sizes = {row["n"] > 1 for row in rows}
    said = [SEVERAL] * (True in sizes) + [ONE] * (False in sizes) + [FRONT]
    said += [f"latency: eager {each.config['execution']['precision']}{notes.on_threads(each)}" for each in list(timed)[:1]]
    codes = {code for row in rows for code in (*row["doubts"], *row["latency_doubts"])}
    said += [marks.HOLLOW.format(doubts_said(codes))] * bool(codes)
    said += [f"latency taken under other conditions, not shown: {', '.join(untimed)}"] * bool(untimed)
    return said + [f"without error or counts, not shown: {', '.join(left)}"] * bool(left)


def draw(picture: Picture, look: Look) -> list[Figure]:
    """A panel for each cost that is known."""
    shown = [cost for cost in COSTS if any(row[cost] for row in picture.rows)]
    return [_page(picture, look, part) for part in marks.pages(shown, look, HEIGHT)]


def _page(picture: Picture, look: Look, shown: Sequence[str]) -> Figure:
    heads = [head for head in HEADS if any(row["head"] == head for row in picture.rows)]
    legend = [(marks.handle(look, *HEADS[head]), f"head {head}") for head in heads]
    legend += [(marks.handle(look, *OTHER_HEAD), "other head")] * any(row["head"] not in HEADS for row in picture.rows)
    sheet = Sheet(look, TITLE, picture.condition, picture.notes, [*legend, (marks.line_handle(look, LINES), "Pareto front")])
    names = sheet.letters.shortened([row["model"] for row in picture.rows])
    made = marks.panels(sheet, len(shown), HEIGHT, "10.5", shared=True)
    for place, (axes, cost) in enumerate(zip(made, shown, strict=True)):
        _panel(axes, sheet, picture.rows, cost, names)
        if place == 0 or look.columns == 1:
            axes.set_ylabel("test error, %")
        else:
            axes.tick_params(labelleft=False)
    return sheet.figure


def _panel(axes: Axes, sheet: Sheet, every: Sequence[dict[str, Any]], cost: str, names: dict[str, str]) -> None:
    look, (label, unit) = sheet.look, COSTS[cost]
    rows = [row for row in every if row[cost]]
    across = [end for row in rows for end in (row[cost], *(_latency(row) or () if cost == "latency_s" else ()))]
    errors = [end for row in every for end in (row["test_error_pct"], *_error(row))]
    marks.log_axis(axes, "x", min(across), max(across), unit)
    marks.percent_axis(axes, min(errors), max(errors))
    marks.grid(axes, look)
    axes.set_xlabel(label)
    front = _front(rows, cost)
    steps = _steps(axes, front, cost)
    axes.plot(*steps, color=LINES, linewidth=1.0 * look.scale, zorder=1)
    drawn = {row["model"]: _mark(row, cost) for row in rows}
    marks.draw(axes, look, list(drawn.values()))
    points = {model: mark.named(names[model]) for model, mark in drawn.items()}
    placing = Placing(axes, sheet)
    width_pt = marks.width_pt(look, len(points))
    placing.avoid(list(points.values()), width_pt)
    placing.avoid_line(*steps)
    first = [row["model"] for row in front]
    placing.write([points[name] for name in first], width_pt)
    others = [points[name] for name in points if name not in first]
    placing.write(others, width_pt, RIGHT_BESIDE if len(points) > FEW else ANYWHERE)


def _mark(row: dict[str, Any], cost: str) -> marks.Mark:
    latency = _latency(row) if cost == "latency_s" else None
    hollow = bool(row["doubts"] or (cost == "latency_s" and row["latency_doubts"]))
    return marks.Mark(row[cost], row["test_error_pct"], *HEADS.get(row["head"], OTHER_HEAD), hollow, latency, _error(row))


def _error(row: dict[str, Any]) -> tuple[float, float]:
    """The ends of its interval, which are the error itself where there is none."""
    low, high = row["test_error_low_pct"], row["test_error_high_pct"]
    return (row["test_error_pct"],) * 2 if low is None or high is None else (low, high)


def _latency(row: dict[str, Any]) -> tuple[float, float] | None:
    low, high = row["latency_low_s"], row["latency_high_s"]
    return (low, high) if low and high else None


def _front(rows: Sequence[dict[str, Any]], cost: str) -> list[dict[str, Any]]:
    """The rows that no other beats in error and cost, from the least cost on."""
    front: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: (row[cost], row["test_error_pct"])):
        if not front or row["test_error_pct"] < front[-1]["test_error_pct"]:
            front.append(row)
    return front


def _steps(axes: Axes, front: Sequence[dict[str, Any]], cost: str) -> tuple[list[float], list[float]]:
    """The front as stairs: nothing that was measured lies below and to the left."""
    xs, ys = [front[0][cost]], [axes.get_ylim()[1]]
    for row in front:
        xs += [row[cost]] * 2
        ys += [ys[-1], row["test_error_pct"]]
    return [*xs, axes.get_xlim()[1]], [*ys, ys[-1]]

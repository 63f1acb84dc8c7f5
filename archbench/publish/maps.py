"""The maps page: what class maps are worth, a row for each network and link of class and ground, beside maps of no merit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from archbench.publish import best, map_answers, notes
from archbench.publish.columns import Columns
from archbench.publish.formats import Row, figure
from archbench.publish.mapped import BROKEN, KEPT, REVERSED, TESTS, Cell, Condition, conditions
from archbench.publish.reading import Reading
from archbench.publish.results import Table
from archbench.publish.scored import SIZES, SOURCES
from archbench.records.schema import Record, Scalar

TINY = 1e-3  # what is smaller is no difference that anybody asks about
BOXED = 0.3  # the threshold that tables show, of those that Records have
BASELINES = {"centre": "a Gaussian about the middle", "random": "random maps", "untrained": "maps of weights that nobody trained"}
OF_TEST = {KEPT: "link kept", BROKEN: "link broken: any ground", REVERSED: "link reversed: always the next class's ground"}


class Quantity(NamedTuple):
    """What a column shows: a measurement, what qualifies it, and whether more of it is better."""

    name: str
    at: Mapping[str, Scalar]
    more: bool

    def of(self, source: str) -> dict[str, Scalar]:
        """What qualifies it for the maps of one source."""
        return {"of": source, **self.at}


QUANTITIES = {
    "points into its box, %": Quantity("pointing_pct", {}, more=True),
    "points on it, %": Quantity("pointing_mask_pct", {}, more=True),
    "on the object, %": Quantity("energy_object_pct", {}, more=True),
    "on ground, %": Quantity("energy_ground_pct", {}, more=False),
    "box IoU": Quantity("iou", {"threshold": BOXED}, more=True),
    "deletion": Quantity("deletion", {}, more=False),
    "insertion": Quantity("insertion", {}, more=True),
    "ROAD": Quantity("road", {}, more=True),
}
ERRORS = {f"error, {test}, %": test for test in TESTS}
NOTES = (
    "link: percent of the training images whose ground is that of their class; in a test with a broken link any ground is, in one with a "
    "reversed link always the next class's",
    "maps are of the image's own class; points into its box, on it: their largest value lies there; on the object, on ground: share of "
    f"what speaks for the class; box IoU: of the object's box with that around what lies above {BOXED:g} of the maximum",
    "deletion (the less the better), insertion, ROAD: of the probability of the class while the pixels that a map marks are taken away, or "
    "given back",
)
BEST = (
    f"bold: at each link the best, and all that cannot be told from it (Welch's t over seeds, {best.VERDICT} {best.LEAST} seeds; deletion, "
    "errors and the share on ground: the least)"
)
FEW = f"nothing is marked as the best: that takes at least {best.LEAST} seeds of the best network of a link, and of another"
INTERVALS = {
    True: "several seeds: mean with Student's t interval over seeds (95 %)",
    False: "one run: the interval is over the test images",
}


def tables(records: Sequence[Record]) -> list[Table]:
    """For each condition the networks' own maps on each kind of test, then by size of the object, then each baseline with the link kept."""
    made: list[Table] = []
    for each in conditions(records):
        for test in TESTS:
            made += _table(each, test, "map", f"{each.caption} · {OF_TEST[test]}", records)
        made += _by_size(each)
        for source, said in BASELINES.items():
            made += _table(each, KEPT, source, f"{each.caption} · {OF_TEST[KEPT]} · baseline: {said}", records)
    return made


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """A row for each condition, network, link, test and source of maps, with every measurement and its interval."""
    rows = [
        {**_identity(cell), "test": test, "maps": source, **_everything(cell, test, source), "condition": each.caption}
        for each in conditions(records)
        for cell in each.cells
        for test in TESTS
        if test in cell.runs
        for source in SOURCES
    ]
    return pd.DataFrame(rows)


def readings(records: Iterable[Record], asked: Iterable[tuple[str, str]] = map_answers.ASKED) -> list[Reading]:
    """Sentences with a verdict, for each condition; `asked` are questions, each in words and by its name in `map_answers.TOLD`."""
    asked = list(asked)
    return [Reading(each.caption, {ask: map_answers.TOLD[which](each.cells) for ask, which in asked}) for each in conditions(records)]


def _identity(cell: Cell) -> dict[str, Any]:
    return {"model": cell.model, "link_pct": cell.link}


def _everything(cell: Cell, test: str, source: str) -> Row:
    """Every measurement that a Record has of these maps, by a name that holds what qualifies it."""
    row: Row = {"n": len(cell.runs[test]), **_interval(cell, test, "test_error_pct", {}, "test_error_pct")}
    for measured in cell.runs[test][0].measurements:
        if measured.at.get("of") == source:
            more = ["not_silent" if key == "silent" else str(value) for key, value in measured.at.items() if key != "of"]
            row |= _interval(cell, test, measured.name, measured.at, "_".join([measured.name, *more]))
    return {**row, "records": " ".join(run.id for run in cell.runs[test])}


def _interval(cell: Cell, test: str, name: str, at: Mapping[str, Scalar], called: str) -> Row:
    value, low, high, _ = cell.interval(test, name, at)
    return {called: value, f"{called}_low": low, f"{called}_high": high}


def _table(condition: Condition, test: str, source: str, caption: str, records: Sequence[Record]) -> list[Table]:
    """None where nothing was tested so. The errors stand beside the networks' own maps with the link kept."""
    cells = [cell for cell in condition.cells if test in cell.runs]
    if not cells:
        return []
    errors = {header: of for header, of in ERRORS.items() if source == "map" and test in (KEPT, of)}
    rows = [_row(cell, test, source, errors) for cell in cells]
    places = _best(cells, test, errors) if source == "map" else {}
    shown = [run for cell in cells for run in (cell.records if test == KEPT else cell.runs[test])]
    below = [*NOTES, *_intervals(cells, test), *([BEST if any(places.values()) else FEW] if source == "map" else [])]
    below += [*notes.doubts(shown), *notes.older(shown, records)] if source == "map" else []
    columns: Columns = {**IDENTITY, **{header: _cell(header) for header in (*errors, *QUANTITIES)}, **SEEDS}
    return [Table(caption, pd.DataFrame(rows), tuple(below), columns, wide=True, shown=tuple(shown), best=places)]


def _row(cell: Cell, test: str, source: str, errors: Mapping[str, str]) -> Row:
    row: Row = {**_identity(cell), "n": len(cell.runs[test]), "records": " ".join(run.id for run in cell.runs[test])}
    for header, of in errors.items():
        row |= _interval(cell, of, "test_error_pct", {}, header)
    for header, quantity in QUANTITIES.items():
        row |= _interval(cell, test, quantity.name, quantity.of(source), header)
    return row


def _best(cells: Sequence[Cell], test: str, errors: Mapping[str, str]) -> dict[str, frozenset[int]]:
    """Under each header the best rows of each link: those of different links are different tasks."""
    asked = [(header, of, "test_error_pct", dict[str, Scalar](), 1) for header, of in errors.items()]
    asked += [(header, test, each.name, each.of("map"), -1 if each.more else 1) for header, each in QUANTITIES.items()]
    found: dict[str, frozenset[int]] = {}
    for header, of, name, at, sign in asked:
        marked: frozenset[int] = frozenset()
        for link in dict.fromkeys(cell.link for cell in cells):
            there = [place for place, cell in enumerate(cells) if cell.link == link]
            repeated = [[sign * value for value in cells[place].figures(of, name, at).values()] for place in there]
            marked |= {there[place] for place in best.least(repeated)}
        found[header] = marked
    return found


def _by_size(condition: Condition) -> list[Table]:
    """How often maps point at small, medium and large objects, beside the Gaussian about the middle; with the link kept."""
    cells = [cell for cell in condition.cells if KEPT in cell.runs]
    if not cells:
        return []
    headers = {f"{size}{said}, %": (source, size) for size in SIZES for source, said in (("map", ""), ("centre", ": middle"))}
    rows = []
    for cell in cells:
        row: Row = {**_identity(cell), "n": len(cell.runs[KEPT]), "records": " ".join(run.id for run in cell.runs[KEPT])}
        for header, (source, size) in headers.items():
            row |= _interval(cell, KEPT, "pointing_mask_pct", {"of": source, "size": size}, header)
        rows.append(row)
    columns: Columns = {**IDENTITY, **{header: _cell(header) for header in headers}, **SEEDS}
    caption = f"{condition.caption} · {OF_TEST[KEPT]} · points on the object, by its size"
    below = ("middle: the same of a Gaussian about the middle of the image", *_intervals(cells, KEPT))
    return [Table(caption, pd.DataFrame(rows), below, columns, wide=True, shown=tuple(run for cell in cells for run in cell.runs[KEPT]))]


def _intervals(cells: Sequence[Cell], test: str) -> list[str]:
    return [INTERVALS[several] for several in sorted({len(cell.runs[test]) > 1 for cell in cells})]


def _cell(header: str) -> Any:
    def write(row: Row) -> str:
        value, low, high = row[header], row[f"{header}_low"], row[f"{header}_high"]
        if high - low < TINY or abs(value) + abs(low) + abs(high) < TINY:
            value, low, high = (round(each, 3) + 0.0 for each in (value, low, high))
        return figure(value, low, high, usual=2)

    return write


IDENTITY: Columns = {"model": lambda row: row["model"], "link, %": lambda row: str(row["link_pct"])}
SEEDS: Columns = {"seeds": lambda row: str(row["n"])}

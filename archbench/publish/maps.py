"""The maps page: what class maps are worth, a row for each network and link of class and ground, beside maps of no merit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from archbench.publish import best, map_answers, notes
from archbench.publish.columns import Columns
from archbench.publish.formats import MISSING, Row, figure
from archbench.publish.mapped import BROKEN, KEPT, REVERSED, SPEAKING, TESTS, Cell, Condition, conditions
from archbench.publish.reading import Reading
from archbench.publish.results import Table
from archbench.publish.scored import SIZES, SOURCES
from archbench.records.schema import Measurement, Record, Scalar

ALL, SAME = "all", "all: the same beside every network and link"
TINY = 1e-3  # what is smaller is no difference that anybody asks about
BOXED = 0.3  # the threshold that tables show, of those that Records have
BASELINES = {"centre": "a Gaussian about the middle", "random": "random maps", "untrained": "maps of weights that nobody trained"}
OF_TEST = {KEPT: "link kept", BROKEN: "link broken: any ground", REVERSED: "link reversed: always the next class's ground"}
UNDRAWN = "test images"


class Quantity(NamedTuple):
    """What a column shows: a measurement, what qualifies it, whether more of it is better, and of which kind of test it is."""

    name: str
    at: Mapping[str, Scalar]
    more: bool
    test: str = KEPT

    def of(self, source: str, test: str) -> Quantity:
        """The same of the maps of one source, on one kind of test; which are silent is told of the networks' own alone."""
        return self._replace(at={"of": source, **(self.at if source == "map" or self.at != SPEAKING else {})}, test=test)


QUANTITIES = {  # by what a table of them is called
    "localisation": {
        "peak in box, %": Quantity("pointing_pct", {}, more=True),
        "peak on it, %": Quantity("pointing_mask_pct", {}, more=True),
        "energy on it, %": Quantity("energy_object_pct", {}, more=True),
        "energy on ground, %": Quantity("energy_ground_pct", SPEAKING, more=False),
        "box IoU": Quantity("iou", {"threshold": BOXED}, more=True),
    },
    "faithfulness": {
        "deletion": Quantity("deletion", {}, more=False),
        "insertion": Quantity("insertion", {}, more=True),
        "ROAD": Quantity("road", {}, more=True),
    },
}
ERRORS = {f"link {test}, %": Quantity("test_error_pct", {}, more=False, test=test) for test in TESTS}
ERROR = {"test error, %": ERRORS["link kept, %"]}
LINK = (
    "link: percent of the training images whose ground is that of their class; in a test with a broken link any ground is, in one with a "
    "reversed link always the next class's"
)
NOTES = {
    "localisation": "maps are of the image's own class; peak in box, on it: their largest value lies in the object's box, on the object; "
    "energy: share of what speaks for the class; box IoU: of the object's box with that around what lies above "
    f"{BOXED:g} of the maximum",
    "faithfulness": "deletion (the less the better), insertion, ROAD: of the probability of the class while the pixels that a map marks "
    "are taken away, or given back",
}
NOT_SILENT = "energy on ground: of maps in which anything speaks for the class; no interval where one seed alone has such"
SILENT = "energy on ground: a map in which nothing speaks for the class has none"
BEST = (
    f"the best, and all that cannot be told from it (Welch's t over seeds, {best.VERDICT} {best.LEAST} seeds; deletion, errors and the "
    "share on ground: the least)"
)
FEW = f"nothing is marked as the best: that takes at least {best.LEAST} seeds of the best network"
INTERVALS = {
    True: "several seeds: mean with Student's t interval over seeds (95 %)",
    False: "one run: the interval is over the test images",
}


def tables(records: Sequence[Record]) -> list[Table]:
    """For each condition the errors, the networks' own maps on each kind of test and by size of the object, and each baseline's."""
    made: list[Table] = []
    for each in conditions(records):
        made += _errors(each, records)
        made += [table for test in TESTS for table in _tables(each, test, "map", _said(each, test), records)]
        made += _by_size(each, records)
        made += [
            table
            for source, said in BASELINES.items()
            for table in _tables(each, KEPT, source, f"{_said(each, KEPT)} · baseline: {said}", records)
        ]
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
    for run in cell.runs[test]:  # a network that is dead has not all of them
        for measured in run.measurements:
            if measured.at.get("of") == source and (called := _called(measured)) not in row:
                row |= _interval(cell, test, measured.name, measured.at, called)
    return {**row, "records": " ".join(run.id for run in cell.runs[test])}


def _called(measured: Measurement) -> str:
    """`iou_0.3`, `energy_ground_pct_not_silent`."""
    more = ["not_silent" if key == "silent" else str(value) for key, value in measured.at.items() if key != "of"]
    return "_".join([measured.name, *more])


def _interval(cell: Cell, test: str, name: str, at: Mapping[str, Scalar], called: str) -> Row:
    value, low, high, _ = cell.interval(test, name, at)
    return {called: value, f"{called}_low": low, f"{called}_high": high}


def _said(condition: Condition, test: str) -> str:
    return OF_TEST[test] if condition.drawn else UNDRAWN


def _errors(condition: Condition, records: Sequence[Record]) -> list[Table]:
    """The test errors of the networks whose maps the condition holds, for each kind of test."""
    errors = ERRORS if condition.drawn else ERROR
    return _table(condition.cells, errors, f"{condition.caption} · test errors", [LINK] * condition.drawn, records)


def _tables(condition: Condition, test: str, source: str, said: str, records: Sequence[Record]) -> list[Table]:
    """What the maps of one source are worth on one kind of test; none where nothing was tested so."""
    cells = [cell for cell in condition.cells if test in cell.runs]
    made: list[Table] = []
    for called, quantities in QUANTITIES.items():
        asked = {header: each.of(source, test) for header, each in quantities.items()}
        below = [*[LINK] * condition.drawn, NOTES[called], *[NOT_SILENT if source == "map" else SILENT] * (called == "localisation")]
        made += _table(cells, asked, f"{condition.caption} · {said} · {called}", below, records, baseline=source != "map")
    return made


def _table(
    cells: Sequence[Cell],
    asked: Mapping[str, Quantity],
    caption: str,
    below: Sequence[str],
    records: Sequence[Record],
    marked: bool = True,
    baseline: bool = False,
) -> list[Table]:
    """A row a cell; none without cells. `marked` says whether the best are, and what is in doubt is said, which of a `baseline` is not."""
    if not cells:
        return []
    tests = list(dict.fromkeys(each.test for each in asked.values()))
    runs = [[run for test in tests for run in cell.runs.get(test, ())] for cell in cells]
    rows = []
    for cell, mine in zip(cells, runs, strict=True):
        row: Row = {**_identity(cell), "n": len({run.config["seed"] for run in mine}), "records": " ".join(run.id for run in mine)}
        for header, each in asked.items():
            row |= _interval(cell, each.test, each.name, each.at, header)
        rows.append(row)
    rows, marked = _one_of_alike(rows, asked) if baseline else rows, marked and not baseline
    shown = [run for mine in runs for run in mine]
    notes_below = [*below, *[SAME] * (rows[0]["model"] == ALL), *[INTERVALS[several] for several in sorted({row["n"] > 1 for row in rows})]]
    places = {header: _best(cells, each) for header, each in asked.items()} if marked else {}
    if marked:
        doubtful = [run for cell in cells for run in cell.runs.get(tests[0], ())]  # with a broken link any network is at chance
        notes_below += [
            _why_marked(any(places.values()), linked=cells[0].link is not None),
            *notes.doubts(doubtful),
            *notes.older(shown, records),
        ]
    columns: Columns = {**IDENTITY, **{header: _cell(header) for header in asked}, **SEEDS}
    return [Table(caption, pd.DataFrame(rows), tuple(notes_below), columns, wide=True, shown=tuple(shown), best=places)]


def _why_marked(marked: bool, linked: bool) -> str:
    """What a mark means, or why there is none."""
    if marked:
        return f"bold: {'at each link ' * linked}{BEST}"
    return f"{FEW}{' of a link' * linked}, and of another"


def _one_of_alike(rows: list[Row], asked: Iterable[str]) -> list[Row]:
    """The rows, or one for all of them where no figure differs, as of maps that no network has a part in."""
    figures = [(row["n"], *(row[f"{header}{end}"] for header in asked for end in ("", "_low", "_high"))) for row in rows]
    if len(set(figures)) > 1 or len(rows) == 1:
        return rows
    link = None if rows[0]["link_pct"] is None else ALL
    return [{**rows[0], "model": ALL, "link_pct": link, "records": " ".join(row["records"] for row in rows)}]


def _best(cells: Sequence[Cell], asked: Quantity) -> frozenset[int]:
    """The best rows of each link: those of different links are different tasks."""
    sign = -1 if asked.more else 1
    repeated = [[sign * value for value in cell.figures(asked.test, asked.name, asked.at).values()] for cell in cells]
    return best.least_of_each([cell.link for cell in cells], repeated)


def _by_size(condition: Condition, records: Sequence[Record]) -> list[Table]:
    """How often maps point at small, medium and large objects, beside the Gaussian about the middle; with the link kept."""
    cells = [cell for cell in condition.cells if KEPT in cell.runs]
    sources = (("map", ""), ("centre", ": Gauss"))
    asked = {
        f"{size}{said}, %": Quantity("pointing_mask_pct", {"of": source, "size": size}, more=True)
        for size in SIZES
        for source, said in sources
    }
    caption = f"{condition.caption} · {_said(condition, KEPT)} · points on the object, by its size"
    below = [*[LINK] * condition.drawn, "Gauss: the same of a Gaussian about the middle of the image"]
    return _table(cells, asked, caption, below, records, marked=False)


def _cell(header: str) -> Any:
    def write(row: Row) -> str:
        value, low, high = row[header], row[f"{header}_low"], row[f"{header}_high"]
        if high - low < TINY or abs(value) + abs(low) + abs(high) < TINY:
            value, low, high = (round(each, 3) + 0.0 for each in (value, low, high))
        return figure(value, low, high, usual=None if math.isnan(low) else 2)

    return write


IDENTITY: Columns = {"model": lambda row: row["model"], "link, %": lambda row: MISSING if row["link_pct"] is None else str(row["link_pct"])}
SEEDS: Columns = {"seeds": lambda row: str(row["n"])}

"""The pages that there are, by name: each its tables, its rows as numbers, and what is read from them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from archbench.publish import (
    ablations,
    claims,
    classes,
    environments,
    errors,
    experiment,
    formats,
    latency,
    lineage,
    maps,
    memory,
    operators,
    reading,
    results,
    roofline,
)
from archbench.publish.grouping import Stored
from archbench.publish.predictions import Kept
from archbench.publish.reading import Reading
from archbench.publish.results import Table
from archbench.publish.writing import csv, html, latex, markdown, rows
from archbench.records.schema import Record

PAGES = {
    "operators": operators,
    "lineage": lineage,
    "latency": latency,
    "memory": memory,
    "roofline": roofline,
    "maps": maps,
}
NAMES = (
    "results",
    "errors",
    "classes",
    "claims",
    "operators",
    "lineage",
    "ablations",
    "latency",
    "memory",
    "roofline",
    "maps",
    "environment",
)

if TYPE_CHECKING:
    from archbench.experiments.definition import Grid
EXPERIMENT = "experiment"  # how the pages of experiments begin, which are none of `all`
READ = ("operators", "lineage")  # pages that end with the reading
MADE_FROM = {  # the others from profiles of any network
    "results": "run",
    "errors": "training",
    "claims": "claim",
    EXPERIMENT: "trainings that it compares",
    "ablations": "run of a network with knobs beside one without",
    "environment": "run",
    "classes": "training with predictions beside it",
    "lineage": "lineage profile",
    "maps": "explained training",
}


@dataclass(frozen=True)
class Page:
    """Tables made from Records, the same rows as numbers, and the reading."""

    name: str
    tables: Sequence[Table]
    frame: pd.DataFrame
    readings: Sequence[Reading]
    made_of: Sequence[Record] = ()  # given where those of them that failed are rows for JSON too

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows for JSON, and of the results an object for each run that failed."""
        return [*rows.of_frame(self.frame), *rows.of_failed(self.made_of)]

    @property
    def made_from(self) -> str:
        """What a store must hold for it, in a word or two."""
        return MADE_FROM.get(self.name.partition("-")[0], "profile")

    def markdown(self) -> str:
        """The tables, then the reading."""
        read = [markdown.readings(self.readings)] if self.readings else []
        return "\n".join([markdown.tables(formats.once(self.tables)), *read])

    def csv(self) -> str:
        """The rows."""
        return csv.rows(self.frame)

    def latex(self) -> str:
        """The tables, as a file that an article may take; without the reading."""
        return latex.document({self.name: self.tables})

    def html(self) -> str:
        """The tables and the reading, as a page of their own."""
        return html.document([self])


def said_once(made: Sequence[Page]) -> list[Page]:
    """The same pages, to be shown one below the other: each long note is said on the first alone."""
    tables = iter(formats.once(table for each in made for table in each.tables))
    return [dataclasses.replace(each, tables=list(itertools.islice(tables, len(each.tables)))) for each in made]


def page(name: str, records: Sequence[Record], kept: Kept, mix: bool = False, specs: claims.Specs = ()) -> Page:
    """The page of this name, one of `NAMES`.

    `mix` lets the errors page rank what was trained under different settings; `specs` are networks whose claims are set beside the Records.
    """
    records = Stored.of(records)
    if name == "errors":
        found = errors.rankings(records, kept, mix)
        return Page(name, errors.tables(found, records, kept), errors.frame(found), ())
    if name == "classes":
        return Page(name, classes.tables(records, kept), classes.frame(records, kept), ())
    if name == "claims":
        claimed = claims.frame(records, specs)
        return Page(name, claims.tables(claimed, records), claimed, claims.readings(claimed))
    if name == "ablations":
        beside = ablations.ablations(records, kept)
        return Page(name, ablations.tables(beside, records, kept), ablations.frame(beside), ())
    return _of_all(name, records)


def _of_all(name: str, records: Sequence[Record]) -> Page:
    """The pages that are of Records alone."""
    if name in PAGES:
        read = reading.readings(records) if name in READ else maps.readings(records) if name == "maps" else ()
        return Page(name, PAGES[name].tables(records), PAGES[name].frame(records), read)
    if name == "environment":
        environment = environments.frame(records)
        return Page(name, environments.tables(environment, records), environment, ())
    tables = results.tables(records)
    return Page("results", tables, results.stacked(tables), (), records)


def experiment_page(grid: Grid, records: Sequence[Record], kept: Kept) -> Page:
    """The page of an experiment, named after it."""
    found = experiment.answers(grid, records, kept)
    made = Page(
        f"{EXPERIMENT}-{grid.experiment.name}", experiment.tables(found, records, kept), experiment.frame(found), experiment.readings(found)
    )
    return made if grid.experiment.explain is None else _with_maps(made, grid, records)


def _with_maps(made: Page, grid: Grid, records: Sequence[Record]) -> Page:
    """The page and what the maps of its networks tell, by the methods that it asks for."""
    explain, labels = grid.experiment.explain, {cell.label for cell in grid.cells}
    assert explain is not None
    mine = [
        record
        for record in records
        if record.kind == "explain" and record.model.label in labels and record.config["explain"]["method"] in explain.methods
    ]
    asked = [(question.ask, question.maps) for question in grid.experiment.questions if question.maps is not None]
    tables, frame = [*made.tables, *maps.tables(mine)], pd.concat([made.frame, maps.frame(mine)], ignore_index=True)
    return dataclasses.replace(made, tables=tables, frame=frame, readings=[*made.readings, *maps.readings(mine, asked)])

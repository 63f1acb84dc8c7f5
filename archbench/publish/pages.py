"""The pages that there are, by name: each its tables, its rows as numbers, and what is read from them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from archbench.experiments.definition import Grid
from archbench.publish import (
    claims,
    classes,
    errors,
    experiment,
    formats,
    latency,
    lineage,
    memory,
    operators,
    reading,
    results,
    roofline,
)
from archbench.publish.predictions import Kept
from archbench.publish.reading import Reading
from archbench.publish.results import Table
from archbench.publish.writing import csv, markdown
from archbench.records.schema import Record

PAGES = {
    "results": results,
    "operators": operators,
    "lineage": lineage,
    "latency": latency,
    "memory": memory,
    "roofline": roofline,
}
NAMES = ("results", "errors", "classes", "claims", *(name for name in PAGES if name != "results"))
EXPERIMENT = "experiment"  # a page of one experiment, so that it is none of `all`
READ = ("operators", "lineage")  # pages that end with the reading
MADE_FROM = {  # the others from profiles of any network
    "results": "run",
    "errors": "training",
    "claims": "claim",
    EXPERIMENT: "trainings that it compares",
    "classes": "training with predictions beside it",
    "lineage": "lineage profile",
}


@dataclass(frozen=True)
class Page:
    """Tables made from Records, the same rows as numbers, and the reading."""

    name: str
    tables: Sequence[Table]
    frame: pd.DataFrame
    readings: Sequence[Reading]

    @property
    def made_from(self) -> str:
        """What a store must hold for it, in a word or two."""
        return MADE_FROM.get(self.name, "profile")

    def markdown(self) -> str:
        """The tables, then the reading."""
        read = [markdown.readings(self.readings)] if self.readings else []
        return "\n".join([markdown.tables(formats.once(self.tables)), *read])

    def csv(self) -> str:
        """The rows."""
        return csv.rows(self.frame)


def said_once(made: Sequence[Page]) -> list[Page]:
    """The same pages, to be shown one below the other: each long note is said on the first alone."""
    tables = iter(formats.once(table for each in made for table in each.tables))
    return [dataclasses.replace(each, tables=list(itertools.islice(tables, len(each.tables)))) for each in made]


def page(name: str, records: Sequence[Record], kept: Kept, mix: bool = False, specs: claims.Specs = ()) -> Page:
    """The page of this name, one of `NAMES`.

    `mix` lets the errors page rank what was trained under different settings; `specs` are networks whose claims are set beside the Records.
    """
    if name == "errors":
        found = errors.rankings(records, kept, mix)
        return Page(name, errors.tables(found, records, kept), errors.frame(found), ())
    if name == "classes":
        return Page(name, classes.tables(records, kept), classes.frame(records, kept), ())
    if name == "claims":
        rows = claims.frame(records, specs)
        return Page(name, claims.tables(rows, records), rows, claims.readings(rows))
    made = PAGES[name]
    return Page(name, made.tables(records), made.frame(records), reading.readings(records) if name in READ else ())


def experiment_page(grid: Grid, records: Sequence[Record], kept: Kept) -> Page:
    """The page of an experiment."""
    found = experiment.answers(grid, records, kept)
    return Page(EXPERIMENT, experiment.tables(found, records, kept), experiment.frame(found), experiment.readings(found))

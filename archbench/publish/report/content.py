"""All that the report shows, as plain values; the page draws itself from these, and from nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archbench.publish import captioning, claims, errors, grouping, guard
from archbench.publish.pages import NAMES, Page, page
from archbench.publish.predictions import Kept
from archbench.publish.report import laid, method, networks, plotted, stored, summary
from archbench.records.schema import Record

MOST_RANKED = 10  # networks under one condition of which each two are set against each other; the others take minutes
Layers = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Source:
    """What a report is made from: Records oldest first, predictions beside them, claims and layers of the zoo, and files not read."""

    records: Sequence[Record]
    kept: Kept
    specs: claims.Specs = ()
    layers: Layers = field(default_factory=dict)
    problems: Sequence[str] = ()


def content(source: Source) -> dict[str, Any]:
    """The summary, tables, plots, networks, Records and method; the same from the same Records."""
    made = pages(source)
    models = networks.models(source.records, source.layers)
    return {
        "counts": _counts(source.records),
        "summary": summary.summary(source.records, made),
        "pages": [laid.page(each) for each in made if each.tables],
        "plots": plotted.sets(made[NAMES.index("results")].tables),
        "quantities": plotted.QUANTITIES,
        "shares": plotted.shares(source.records),
        "models": models,
        "method": method.method(source.records),
        "problems": [*source.problems, *source.kept.problems, *_unranked(source.records)],
        **stored.stored(source.records),
    }


def pages(source: Source) -> list[Page]:
    """All pages of `archbench tables`; the errors page of conditions with few networks alone, since it compares each two of them."""
    return [page(name, _ranked(source.records) if name == "errors" else source.records, source.kept, specs=source.specs) for name in NAMES]


def _counts(records: Iterable[Record]) -> dict[str, int]:
    records = list(records)
    return {"records": len(records), "models": len({record.model.label for record in records})}


def _crowded(records: Sequence[Record]) -> dict[tuple[Any, ...], list[Record]]:
    """Trainings under conditions with too many networks to compare each two, by condition."""
    together = grouping.by(errors.tested(records), guard.condition)
    return {key: runs for key, runs in together.items() if len(Counter(run.group for run in runs)) > MOST_RANKED}


def _ranked(records: Sequence[Record]) -> list[Record]:
    left_out = {run.id for runs in _crowded(records).values() for run in runs}
    keys = {record.key for record in records if record.id in left_out}
    return [record for record in records if record.key not in keys]


def _unranked(records: Sequence[Record]) -> list[str]:
    """What the errors page leaves out, and where it is."""
    return [
        f"errors: {len({run.group for run in runs}):,} networks under one condition are not compared two by two here "
        f"({captioning.caption(runs[0])}); archbench tables errors does it"
        for runs in _crowded(records).values()
    ]

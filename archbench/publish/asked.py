"""Which Records and claims a table is asked for."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from archbench.errors import unknown
from archbench.publish.claimed import is_named_after, label_of
from archbench.publish.grouping import by_alike, one_of_each, several
from archbench.records.schema import Record

ANY = "*"


def names(records: Iterable[Record]) -> set[str]:
    """All names that `models` may match: labels, with knobs, and names."""
    return {name for record in one_of_each(records) for name in (record.model.label, record.model.name)}


def chosen(records: Iterable[Record], models: Collection[str], dataset: str | None) -> Sequence[Record]:
    """Those Records of which `is_asked` is true."""
    if ANY in models and dataset is None:
        return several(records)
    return by_alike(records, lambda record: is_asked(record, models, dataset)).get(True, [])


def is_asked(record: Record, models: Collection[str], dataset: str | None) -> bool:
    """Whether a Record goes by one of these names or globs, and is of this data set, or of none."""
    if not any(fnmatch.fnmatchcase(name, pattern) for pattern in models for name in (record.model.label, record.model.name)):
        return False
    data = record.config.get("data")
    return dataset is None or data is None or (isinstance(data, Mapping) and data.get("name") == dataset)


def check_named(
    models: Iterable[str], records: Iterable[Record], where: str, specs: Iterable[Mapping[str, Any]] = (), dataset: str | None = None
) -> None:
    """Raise ArchbenchError, with a near name, for a name or glob that no Record goes by, nor a claim of these specs; so for a data set."""
    asked, specs = [pattern for pattern in models if pattern != ANY], list(specs)
    known = sorted(names(records).union(*map(names_of_claims, specs))) if asked else []
    for pattern in asked:
        if not fnmatch.filter(known, pattern):
            raise unknown(f"model {where}:", pattern, known)
    if dataset is None or any(is_named_after(dataset, claim["dataset"]) for spec in specs for claim in spec["claims"]):
        return
    held = {record.config["data"]["name"] for record in one_of_each(records) if record.config.get("data")}
    if held and dataset not in held:
        raise unknown(f"data set {where}:", dataset, sorted(held))


def names_of_claims(spec: Mapping[str, Any]) -> list[str]:
    """The names by which the claims of a network go."""
    return [spec["name"], *(label_of(spec["name"], claim["knobs"]) for claim in spec["claims"])]


def with_asked_claims(spec: Mapping[str, Any], models: Iterable[str], dataset: str | None) -> dict[str, Any]:
    """The spec with those of its claims that are of models that are asked for, and of the data set or one that it is named after."""
    found = {name for pattern in models for name in fnmatch.filter(names_of_claims(spec), pattern)}
    asked = [claim for claim in spec["claims"] if found & {spec["name"], label_of(spec["name"], claim["knobs"])}]
    return {**spec, "claims": [claim for claim in asked if dataset is None or is_named_after(dataset, claim["dataset"])]}

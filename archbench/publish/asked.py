"""Which Records a table is asked for."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence

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

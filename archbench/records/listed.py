"""Records of a store that were asked for, with their tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archbench.records import tags
from archbench.records import where as filters
from archbench.records.schema import Record
from archbench.records.store import Store


@dataclass(frozen=True)
class Listed:
    """Records that were asked for, and the tags of all there are."""

    records: list[Record]
    tags: tags.Tags


def listed(store: Store, records: Sequence[Record], where: str | None = None) -> Listed:
    """Those of a store's `records` that an expression of `--where` is true of; all without one.

    Raises ArchbenchError where the expression, or the tags, cannot be read.
    """
    matches = filters.parse(where) if where is not None else None
    marks = tags.load(store)
    return Listed([record for record in records if matches is None or matches(record, marks)], marks)

"""Records that belong together: those of one key, those that are alike but for seed and figures, and all that a table looks up."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from archbench.records.schema import Record


def by(records: Iterable[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    """Records that have the same key, together, in the order of the first of each."""
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in records:
        groups[hashable(key(record))].append(record)
    return dict(groups)


def hashable(key: Any) -> Any:
    """The key, with tuples for lists and objects that stand in free fields of a Record where a text or number would."""
    if isinstance(key, dict):
        return tuple((name, hashable(item)) for name, item in sorted(key.items()))
    return tuple(map(hashable, key)) if isinstance(key, list | tuple) else key


class Stored(list[Record]):
    """All Records from which those of tables are chosen, with what is looked up among them for each table."""

    @classmethod
    def of(cls, records: Iterable[Record]) -> Stored:
        """The same, looked through once however many ask."""
        return records if isinstance(records, Stored) else cls(records)

    @functools.cached_property
    def counts(self) -> Counter[str]:
        """How many there are of each key."""
        return Counter(record.key for record in self)

    @functools.cached_property
    def kinds(self) -> dict[str, list[Record]]:
        """Those of each kind."""
        return by(self, lambda record: record.kind)

    @functools.cached_property
    def groups(self) -> dict[str, dict[int, Record]]:
        """Those of each group, by their places."""
        found: dict[str, dict[int, Record]] = defaultdict(dict)
        for place, record in enumerate(self):
            found[record.group][place] = record
        return found


def by_alike(records: Iterable[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    """The same for a key that is equal in Records which are alike: it is taken of one of them."""
    groups: dict[Any, list[Record]] = {}
    of: dict[object, list[Record]] = {}
    for record in records:
        members = of.get(record.alike)
        if members is None:
            members = of[record.alike] = groups.setdefault(hashable(key(record)), [])
        members.append(record)
    return groups


def one_of_each(records: Iterable[Record]) -> list[Record]:
    """The first of those that are alike."""
    first: dict[object, Record] = {}
    for record in records:
        first.setdefault(record.alike, record)
    return list(first.values())

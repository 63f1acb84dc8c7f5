"""Records that belong together: those of one key, those that are alike but for seed and figures, and all that a table looks up.

Of Records that an index holds as columns none is made for what its columns say.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from archbench.records.coded import Coded, Codes, firsts, groups
from archbench.records.columns import Many
from archbench.records.schema import Record, Scalar
from archbench.records.store import standing

ANY: Mapping[str, Scalar] = {}
Figures = np.ndarray[Any, Any]


def by(records: Iterable[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    """Records that have the same key, together, in the order of the first of each."""
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in records:
        groups[hashable(key(record))].append(record)
    return dict(groups)


def hashable(key: Any) -> Any:
    """The key, with tuples for lists and objects that stand in free fields of a Record where a text or number would."""
    try:
        hash(key)
    except TypeError:
        if isinstance(key, dict):
            return tuple((name, hashable(item)) for name, item in sorted(key.items()))
        return tuple(map(hashable, key))
    return key


class Stored(Sequence[Record]):
    """All Records from which those of tables are chosen, with what is looked up among them for each table."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    @classmethod
    def of(cls, records: Iterable[Record]) -> Stored:
        """The same, looked through once however many ask."""
        return records if isinstance(records, Stored) else cls(several(records))

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        return self.records[place]

    @functools.cached_property
    def keys(self) -> Coded:
        """That of each."""
        return coded(self.records, "key")

    @functools.cached_property
    def more(self) -> dict[str, int]:
        """How many more than one there are of the keys that come again."""
        counts = np.bincount(self.keys.codes)
        return {self.keys.values[key]: int(counts[key]) - 1 for key in np.flatnonzero(counts > 1).tolist()}

    @functools.cached_property
    def newest(self) -> dict[str, Sequence[Record]]:
        """Of each kind the Record that stands for each run."""
        return {kind: picked(self, places) for kind, places in self._standing.items()}

    @functools.cached_property
    def _standing(self) -> dict[str, Codes]:
        kinds, statuses = coded(self, "kind"), coded(self, "status")
        of = {kind: kinds.places(kind) for kind in kinds.values}
        return {kind: places[standing(self.keys.at(places), statuses.at(places))] for kind, places in of.items()}

    @functools.cached_property
    def lost(self) -> dict[str, Sequence[Record]]:
        """Of each group those whose runs came to nothing, and were not made again since."""
        ended = np.zeros(len(self.keys.values), bool)
        for places in self._standing.values():
            ended[self.keys.codes[places]] = True
        return dict(by_column(picked(self, np.flatnonzero(~ended[self.keys.codes])), "group"))


def several(records: Iterable[Record]) -> Sequence[Record]:
    """Records in the form in which they are looked through soonest."""
    if isinstance(records, Stored):
        return records.records
    return records if isinstance(records, Many | list) else list(records)


def column(records: Sequence[Record], name: str) -> Sequence[str]:
    """The id, key, group, kind, status or time of creation of each."""
    records = several(records)
    return records.column(name) if isinstance(records, Many) else [getattr(record, name) for record in records]


def coded(records: Sequence[Record], name: str) -> Coded:
    """The same, each text once."""
    records = several(records)
    return records.coded(name) if isinstance(records, Many) else Coded.of(column(records, name))


def figures_of(records: Sequence[Record], name: str) -> Figures:
    """The value of a measurement in each; NaN where there is none."""
    return records.figures(name, ANY) if isinstance(records, Many) else np.array([record.figure(name, ANY) for record in records], float)


def figures(records: Sequence[Record], name: str) -> list[float]:
    """The value of a measurement in each that has it."""
    return there(figures_of(records, name))


def there(figures: Figures) -> list[float]:
    """Those that are no NaN."""
    found: list[float] = figures[~np.isnan(figures)].tolist()
    return found


def doubted(records: Sequence[Record]) -> list[Record]:
    """Those with warnings, or with what was not counted."""
    return records.doubted() if isinstance(records, Many) else [record for record in records if record.warnings or record.uncounted]


def picked(records: Sequence[Record], places: Iterable[int]) -> Sequence[Record]:
    """Those at some places."""
    records = several(records)
    return records.at(places) if isinstance(records, Many) else [records[place] for place in places]


def joined(*parts: Sequence[Record]) -> Sequence[Record]:
    """All of these, one part behind the other."""
    parts = tuple(part for part in map(several, parts) if len(part))
    if len(parts) < 2:
        return parts[0] if parts else []
    first = next((part for part in parts if isinstance(part, Many)), None)
    places = [of for part in parts if first is not None and (of := first.places_of(part)) is not None]
    if first is None or len(places) < len(parts):
        return [record for part in parts for record in part]
    return Many(first.columns, np.concatenate(places))


def by_column(records: Sequence[Record], name: str) -> Mapping[str, Sequence[Record]]:
    """The same as `by`, for what `column` gives."""
    records = several(records)
    return records.by(name) if isinstance(records, Many) else by(records, lambda record: getattr(record, name))


def alike(records: Sequence[Record]) -> Codes:
    """A number for each, the same in those that are known to differ in seed, figures and doubts alone, as those of an index may be."""
    records = several(records)
    return records.alike if isinstance(records, Many) else np.arange(len(records))


def typical(records: Sequence[Record], place: int = 0) -> Record:
    """The Record of a place, with None for what those that are alike may differ in: of an index it is had without reading it."""
    records = several(records)
    return records.typical(place) if isinstance(records, Many) else records[place]


def by_alike(records: Iterable[Record], key: Callable[[Record], Any]) -> dict[Any, Sequence[Record]]:
    """The same as `by`, for a key that is equal in Records which are alike: it is taken of one of them."""
    records, found = several(records), defaultdict[Any, list[Codes]](list)
    for _, places in groups(alike(records)):
        found[hashable(key(typical(records, int(places[0]))))].append(places)
    return {value: picked(records, np.sort(np.concatenate(places))) for value, places in found.items()}


def one_of_each(records: Iterable[Record]) -> Sequence[Record]:
    """The first of those that are alike."""
    records = several(records)
    return picked(records, firsts(alike(records)))


def last_of_each(records: Iterable[Record]) -> Sequence[Record]:
    """The last of those that are alike."""
    records = several(records)
    return picked(records, len(records) - 1 - firsts(alike(records)[::-1]))

"""Records as columns: what an index holds of many, a list for each field; a Record is made only where one is asked for."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from archbench.records.indexed import FIGURES, Indexed, Parts, Shared, made_of, where
from archbench.records.schema import Record, Scalar
from archbench.records.segment import FIELDS, Segment

KEPT = ("file", "doubts", *FIELDS)
Counting = Sequence[tuple[Segment, Sequence[bool]]]  # segments, and which of the rows of each count


class Columns:
    """The fields of Records, oldest first; each Record is made once.

    `shared` is what each has in common with others; `rows` are the segment of each, its place there, and where its figures begin.
    """

    def __init__(self, segments: Counting, parts: Parts, runs: Path) -> None:
        """From the rows of segments that count, of Records in the folder `runs`. Raises TornError where a part is damaged."""
        self.runs = runs
        known: dict[str, list[str]] = {name: [] for name in KEPT}
        shared: list[Shared] = []
        rows: list[tuple[Segment, int, int]] = []
        for segment, counts in segments:
            of = [parts.of(each) for each in segment.known["parts"]]
            shared += itertools.compress(of, counts)
            rows += itertools.compress(zip(itertools.repeat(segment), range(len(of)), segment.begins(), strict=False), counts)
            for name in KEPT:
                known[name] += itertools.compress(segment.known[name], counts)
        ages = [f"{created}\0{id}" for created, id in zip(known["created"], known["id"], strict=True)]
        order = sorted(range(len(ages)), key=ages.__getitem__)
        self.known: Mapping[str, Sequence[str]] = {name: _at(column, order) for name, column in known.items()}
        self.shared: Sequence[Shared] = _at(shared, order)
        self.rows: Sequence[tuple[Segment, int, int]] = _at(rows, order)
        self._made: list[Indexed | None] = [None] * len(order)

    def record(self, place: int) -> Indexed:
        """The Record of a place."""
        found = self._made[place]
        if found is None:
            found = self._made[place] = made_of(self, place)
        return found

    def figures(self, places: Iterable[int], name: str, at: Mapping[str, Scalar]) -> list[float]:
        """The value of a measurement in each Record of these places; NaN where there is none."""
        found, before, after = [], None, None
        for place in places:
            shared = self.shared[place]
            if shared is not before:
                before, row = shared, shared.place(name, at)
                after = None if row is None else len(FIGURES) * row
            segment, _, begin = self.rows[place]
            found.append(math.nan if after is None else segment.figures[begin + after])
        return found


def _at(column: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    return operator.itemgetter(*places)(column) if len(places) > 1 else [column[place] for place in places]


class Many(Sequence[Record]):
    """Records of an index, each made when it is asked for; what is the same field of all of them is had without that."""

    def __init__(self, columns: Columns, places: Sequence[int]) -> None:
        self.columns, self.places = columns, places

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Record]:
        return map(self.columns.record, self.places)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Many: ...
    def __getitem__(self, place: int | slice) -> Record | Many:
        if isinstance(place, slice):
            return Many(self.columns, self.places[place])
        return self.columns.record(self.places[place])

    @property
    def alike(self) -> Sequence[object]:
        """What is the same object in all that differ in seed, figures and doubts alone."""
        return _at(self.columns.shared, self.places)

    def column(self, name: str) -> Sequence[str]:
        """One of `FIELDS` of each Record."""
        return _at(self.columns.known[name], self.places)

    def figures(self, name: str, at: Mapping[str, Scalar]) -> list[float]:
        """As each Record's `figure`."""
        return self.columns.figures(self.places, name, at)

    def doubted(self) -> list[Record]:
        """Those with warnings, or with what was not counted."""
        doubts = self.columns.known["doubts"]
        return [self.columns.record(place) for place in self.places if doubts[place]]

    def at(self, places: Iterable[int]) -> Many:
        """Those at these places of this sequence."""
        return Many(self.columns, _at(self.places, list(places)))

    def places_of(self, records: Sequence[Record]) -> Sequence[int] | None:
        """Where these stand in the columns; None where one is not of these columns, or was given another name."""
        if isinstance(records, Many):
            return records.places if records.columns is self.columns else None
        found = [where(record)[1] for record in records if isinstance(record, Indexed) and where(record)[0] is self.columns]
        same = len(found) == len(records) and all(self.columns.record(place) is each for place, each in zip(found, records, strict=True))
        return found if same else None

"""Records as columns: what an index holds of many, an array for each field; a Record is made only where one is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from archbench.records.coded import Coded, Codes, groups
from archbench.records.indexed import FIGURES, Indexed, Parts, Shared, made_of, typical_of, where
from archbench.records.schema import Record, Scalar
from archbench.records.segment import CODED, TEXTS, Segment, counting

Counting = Sequence[tuple[Segment, Codes]]  # segments, and which of the rows of each count


class Columns:
    """The fields of Records, oldest first; each Record is made once."""

    def __init__(self, segments: Counting, parts: Parts, runs: Path, order: Codes | None = None) -> None:
        """From the rows of segments that count, of Records in the folder `runs`. Raises TornError where a part is damaged.

        `order` are the places of these rows from the oldest to the newest, where it is known.
        """
        self.runs, self._segments, self._counting = runs, [segment for segment, _ in segments], segments
        self.order = order = _by_age(segments) if order is None else order
        self._texts: dict[str, Codes] = {}
        self.coded = {name: Coded.joined([(segment.coded[name], counts) for segment, counts in segments]).at(order) for name in CODED}
        self._shared = [parts.of(each) for each in self.coded["parts"].values]
        self._figures = _below_each_other([segment.figures for segment, _ in segments], float)
        widths = _below_each_other([segment.numbers["width"] for segment, _ in segments])
        count = _below_each_other([counts for _, counts in segments], bool)
        self._begins = (np.cumsum(widths) - widths)[count][order]
        self._segment = _below_each_other([np.full(len(counts), of) for of, (_, counts) in enumerate(segments)])[count][order]
        self._row = _below_each_other([np.arange(len(counts)) for _, counts in segments])[count][order]
        self._asked: dict[object, Codes] = {}
        self._made: list[Indexed | None] = [None] * len(order)

    def __len__(self) -> int:
        return len(self._made)

    def record(self, place: int) -> Indexed:
        """The Record of a place."""
        found = self._made[place]
        if found is None:
            found = self._made[place] = made_of(self, place)
        return found

    def column(self, name: str, places: Codes) -> list[str]:
        """A field of each Record of these places: one of the columns of texts or of codes."""
        found: list[str] = self._own(name)[places].tolist() if name in TEXTS else self.coded[name].at(places).texts()
        return found

    def text(self, name: str, place: int) -> str:
        """The same of one Record."""
        if name in TEXTS:
            return str(self._own(name)[place])
        values, codes = self.coded[name]
        return values[int(codes[place])]

    def _own(self, name: str) -> Codes:
        if name not in self._texts:
            self._texts[name] = np.array([*counting(self._counting, name), None], object)[self.order]  # one more, lest there be none
        return self._texts[name]

    def json(self, name: str, place: int) -> str:
        """What a segment holds of a Record under a name: `own` or `rest`."""
        return self._segments[int(self._segment[place])].column(name)[int(self._row[place])]

    def shared(self, place: int) -> Shared:
        """What a Record has in common with others."""
        return self._shared[int(self.coded["parts"].codes[place])]

    def figures(self, places: Codes, name: str, at: Mapping[str, Scalar]) -> Codes:
        """The value of a measurement in each Record of these places; NaN where there is none."""
        asked = (name, *at.items())
        if asked not in self._asked:
            lie = (shared.place(name, at) for shared in self._shared)
            self._asked[asked] = np.array([-1 if row is None else len(FIGURES) * row for row in lie], np.intp)
        rows = self._asked[asked][self.coded["parts"].codes[places]]
        found = np.full(len(rows), np.nan)
        there = rows >= 0
        found[there] = self._figures[self._begins[places[there]] + rows[there]]
        return found

    def rows(self, place: int, first: int, count: int) -> list[list[float]]:
        """The figures of so many measurements of a Record, from one on: value, low, high, n of each."""
        begin, width = int(self._begins[place]), len(FIGURES)
        found: list[list[float]] = self._figures[begin + width * first : begin + width * (first + count)].reshape(-1, width).tolist()
        return found


def _by_age(segments: Counting) -> Codes:
    created, ids = (counting(segments, name) for name in ("created", "id"))
    ages = [f"{of}\0{id}" for of, id in zip(created, ids, strict=True)]
    return np.array(sorted(range(len(ages)), key=ages.__getitem__), np.intp)


def _below_each_other(parts: Sequence[Codes], kind: Any = np.intp) -> Codes:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind, copy=False)


class Many(Sequence[Record]):
    """Records of an index, each made when it is asked for; what is the same field of all of them is had without that."""

    def __init__(self, columns: Columns, places: Codes) -> None:
        self.columns, self.places = columns, places

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Record]:
        return map(self.columns.record, self.places.tolist())

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Many: ...
    def __getitem__(self, place: int | slice) -> Record | Many:
        if isinstance(place, slice):
            return Many(self.columns, self.places[place])
        return self.columns.record(int(self.places[place]))

    def typical(self, place: int) -> Record:
        """The Record of a place of this sequence, with None for what those that are `alike` may differ in."""
        return typical_of(self.columns, int(self.places[place]))

    @property
    def alike(self) -> Codes:
        """A number for each that is the same in all that differ in seed, figures and doubts alone."""
        return self.columns.coded["parts"].codes[self.places]

    def column(self, name: str) -> list[str]:
        """One of `FIELDS` of each Record."""
        return self.columns.column(name, self.places)

    def coded(self, name: str) -> Coded:
        """The same, each text once."""
        return self.columns.coded[name].at(self.places) if name in CODED else Coded.of(self.column(name))

    def by(self, name: str) -> dict[str, Many]:
        """Those of which a field is the same, together, in the order of the first of each."""
        values, codes = self.coded(name)
        return {values[code]: self.at(places) for code, places in groups(codes)}

    def figures(self, name: str, at: Mapping[str, Scalar]) -> Codes:
        """As each Record's `figure`."""
        return self.columns.figures(self.places, name, at)

    def doubted(self) -> list[Record]:
        """Those with warnings, or with what was not counted."""
        values, codes = self.columns.coded["doubts"]
        doubtful = np.array([bool(value) for value in values], bool)[codes[self.places]]
        return list(self.at(np.flatnonzero(doubtful)))

    def at(self, places: Iterable[int]) -> Many:
        """Those at these places of this sequence."""
        return Many(self.columns, self.places[places if isinstance(places, np.ndarray) else np.array(list(places), np.intp)])

    def places_of(self, records: Sequence[Record]) -> Codes | None:
        """Where these stand in the columns; None where one is not of these columns, or was given another name."""
        if isinstance(records, Many):
            return records.places if records.columns is self.columns else None
        found = [where(record)[1] for record in records if isinstance(record, Indexed) and where(record)[0] is self.columns]
        same = len(found) == len(records) and all(self.columns.record(place) is each for place, each in zip(found, records, strict=True))
        return np.array(found, np.intp) if same else None

"""The columns in which an index keeps some Records, and how they are packed."""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from archbench.records.coded import Coded, Codes

Kinds = dict[str, np.dtype[Any]]
FIELDS = ("id", "key", "group", "kind", "status", "created")  # those that are looked at in all Records
TEXTS = ("file", "id", "key", "created")  # columns whose values are a Record's own
CODED = ("parts", "doubts", "group", "kind", "status")  # columns whose values many share
NUMBERS: Kinds = {"stamp": np.dtype("<i8"), "width": np.dtype("<i4")}  # how many figures a Record has, and what tells its file from another
CODES, FIGURES = np.dtype("<i4"), np.dtype("<f8")
BETWEEN, BEHIND = "\n", "\0"  # values of a column, and a column
SPEED = 1  # of zlib
Value = TypeVar("Value")


class TornError(Exception):
    """An index does not hold what was written to it."""


class Row(NamedTuple):
    """What a segment will hold of a Record; `parts` are places among the texts of the batch that it was read with."""

    known: dict[str, str]
    parts: tuple[int, ...]
    figures: Sequence[float]
    own: str
    rest: str


class Segment:
    """Some Records as an index keeps them, in columns.

    `figures` are those of one measurement behind those of another, NaN for none; of each Record so many as its `width` says.
    """

    def __init__(
        self, texts: Mapping[str, Sequence[str]], coded: Mapping[str, Coded], numbers: Mapping[str, Codes], figures: np.ndarray[Any, Any]
    ) -> None:
        self.texts, self.coded, self.numbers, self.figures = texts, coded, numbers, figures
        self._columns: dict[str, Sequence[str]] = {}
        self._packed: dict[str, bytes] = {}

    @classmethod
    def of(cls, rows: Sequence[Row], stamps: Sequence[int], numbers: Sequence[int]) -> Segment:
        """From rows of one batch; `numbers` are those of its parts."""
        coded = {name: Coded.of([row.known[name] for row in rows]) for name in CODED if name != "parts"}
        coded["parts"] = Coded.of([" ".join([row.known["kind"], *(str(numbers[part]) for part in row.parts)]) for row in rows])
        figures = np.fromiter(itertools.chain.from_iterable(row.figures for row in rows), FIGURES)
        widths = np.array([len(row.figures) for row in rows], NUMBERS["width"])
        counted = {"stamp": np.array(stamps, NUMBERS["stamp"]), "width": widths}
        made = cls({name: [row.known[name] for row in rows] for name in TEXTS}, coded, counted, figures)
        made._columns = {"own": [row.own for row in rows], "rest": [row.rest for row in rows]}
        return made

    @classmethod
    def unpacked(cls, checksum: int, *packed: bytes) -> Segment:
        """What `packed` gave. Raises TornError where that is damaged."""
        if _sum_of(packed) != checksum:
            raise TornError
        known, numbers, figures, own, rest = packed
        columns = (column.split(BETWEEN) for column in known.decode().split(BEHIND))
        texts = {name: next(columns) for name in TEXTS}
        values = {name: next(columns) for name in CODED}
        found, begin = {}, 0
        for name, kind in _kinds().items():
            found[name] = np.frombuffer(numbers, kind, len(texts["id"]), begin)
            begin += found[name].nbytes
        coded = {name: Coded(values[name], found[name]) for name in CODED}
        made = cls(texts, coded, {name: found[name] for name in NUMBERS}, np.frombuffer(figures, FIGURES))
        made._packed = {"own": own, "rest": rest}
        return made

    def packed(self) -> tuple[int, bytes, bytes, bytes, bytes, bytes]:
        """A checksum, and the columns as they are kept."""
        columns = [*(self.texts[name] for name in TEXTS), *(self.coded[name].values for name in CODED)]
        known = BEHIND.join(map(BETWEEN.join, columns)).encode()
        numbers = {**self.numbers, **{name: self.coded[name].codes for name in CODED}}
        joined = b"".join(numbers[name].astype(kind).tobytes() for name, kind in _kinds().items())
        own, rest = (zlib.compress(BETWEEN.join(self.column(name)).encode(), SPEED) for name in ("own", "rest"))
        packed = known, joined, self.figures.tobytes(), own, rest
        return _sum_of(packed), *packed

    @classmethod
    def joined(cls, segments: Sequence[tuple[Segment, Codes]]) -> Segment:
        """One of those rows of several that count."""

        def joined(of: Callable[[Segment], Iterable[Value]]) -> list[Value]:
            return [each for segment, counts in segments for each in itertools.compress(of(segment), counts)]

        def stacked(of: Callable[[Segment], Codes]) -> Codes:
            return np.concatenate([of(segment)[counts] for segment, counts in segments])

        texts = {name: joined(lambda segment, name=name: segment.texts[name]) for name in TEXTS}  # type: ignore[misc]
        coded = {name: Coded.joined([(segment.coded[name], counts) for segment, counts in segments]) for name in CODED}
        numbers = {name: stacked(lambda segment, name=name: segment.numbers[name]) for name in NUMBERS}  # type: ignore[misc]
        figures = [segment.figures[np.repeat(counts, segment.numbers["width"])] for segment, counts in segments]
        made = cls(texts, coded, numbers, np.concatenate(figures))
        made._columns = {name: joined(lambda segment, name=name: segment.column(name)) for name in ("own", "rest")}  # type: ignore[misc]
        return made

    def column(self, name: str) -> Sequence[str]:
        """`own` or `rest`, of each Record as JSON."""
        if name not in self._columns:
            self._columns[name] = zlib.decompress(self._packed[name]).decode().split(BETWEEN)
        return self._columns[name]

    def __len__(self) -> int:
        return len(self.texts["id"])


def _kinds() -> Kinds:
    """The numbers that are kept of each Record, in their order."""
    return {**NUMBERS, **dict.fromkeys(CODED, CODES)}


def _sum_of(packed: Iterable[bytes]) -> int:
    return functools.reduce(lambda before, part: zlib.crc32(part, before), packed, 0)

"""The columns in which an index keeps some Records, and how they are packed."""

from __future__ import annotations

import functools
import itertools
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from archbench.records.coded import Coded, Codes

Kinds = dict[str, np.dtype[Any]]
FIELDS = ("id", "key", "group", "kind", "status", "created")  # those that are looked at in all Records
TEXTS = ("file", "id", "key", "created")  # columns whose values are a Record's own
JSON = ("own", "rest")  # columns of JSON, a value for each Record
PACKED = ("rest",)  # of these the one that few tables ask for is kept smaller than it is
CODED = ("parts", "doubts", "group", "kind", "status")  # columns whose values many share
NUMBERS: Kinds = {"stamp": np.dtype("<i8"), "width": np.dtype("<i4")}  # how many figures a Record has, and what tells its file from another
CODES, FIGURES = np.dtype("<i4"), np.dtype("<f8")
BETWEEN, BEHIND = "\n", "\0"  # values of a column, and a column
SPEED = 1  # of zlib


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
    """Some Records as an index keeps them, in columns; those of texts are read when one asks for them.

    `figures` are those of one measurement behind those of another, NaN for none; of each Record so many as its `width` says.
    """

    def __init__(
        self, columns: Mapping[str, Sequence[str]], coded: Mapping[str, Coded], numbers: Mapping[str, Codes], figures: np.ndarray[Any, Any]
    ) -> None:
        self.coded, self.numbers, self.figures = coded, numbers, figures
        self._columns = dict(columns)
        self._packed: dict[str, bytes] = {}

    @classmethod
    def of(cls, rows: Sequence[Row], stamps: Sequence[int], numbers: Sequence[int]) -> Segment:
        """From rows of one batch; `numbers` are those of its parts."""
        columns = {name: [row.known[name] for row in rows] for name in TEXTS}
        columns |= {"own": [row.own for row in rows], "rest": [row.rest for row in rows]}
        coded = {name: Coded.of([row.known[name] for row in rows]) for name in CODED if name != "parts"}
        coded["parts"] = Coded.of([" ".join([row.known["kind"], *(str(numbers[part]) for part in row.parts)]) for row in rows])
        figures = np.fromiter(itertools.chain.from_iterable(row.figures for row in rows), FIGURES)
        widths = np.array([len(row.figures) for row in rows], NUMBERS["width"])
        return cls(columns, coded, {"stamp": np.array(stamps, NUMBERS["stamp"]), "width": widths}, figures)

    @classmethod
    def unpacked(cls, checksum: int, *packed: bytes) -> Segment:
        """What `packed` gave. Raises TornError where that is damaged."""
        if checked(packed) != checksum:
            raise TornError
        values, numbers, figures, *texts = packed
        count, kinds, found, begin = len(numbers) // sum(kind.itemsize for kind in _kinds().values()), _kinds(), {}, 0
        for name, kind in kinds.items():
            found[name] = np.frombuffer(numbers, kind, count, begin)
            begin += found[name].nbytes
        of = zip(CODED, values.decode().split(BEHIND), strict=True)
        coded = {name: Coded(column.split(BETWEEN), found[name]) for name, column in of}
        made = cls({}, coded, {name: found[name] for name in NUMBERS}, np.frombuffer(figures, FIGURES))
        made._packed = dict(zip((*TEXTS, *JSON), texts, strict=True))
        return made

    def packed(self) -> tuple[int, *tuple[bytes, ...]]:
        """A checksum, and the columns as they are kept."""
        values = BEHIND.join(BETWEEN.join(self.coded[name].values) for name in CODED).encode()
        numbers = {**self.numbers, **{name: self.coded[name].codes for name in CODED}}
        joined = b"".join(numbers[name].astype(kind).tobytes() for name, kind in _kinds().items())
        texts = {name: BETWEEN.join(self.column(name)).encode() for name in (*TEXTS, *JSON)}
        texts |= {name: zlib.compress(texts[name], SPEED) for name in PACKED}
        packed = (values, joined, self.figures.tobytes(), *texts.values())
        return checked(packed), *packed

    @classmethod
    def joined(cls, segments: Sequence[tuple[Segment, Codes]]) -> Segment:
        """One of those rows of several that count."""
        columns = {name: counting(segments, name) for name in (*TEXTS, *JSON)}
        coded = {name: Coded.joined([(segment.coded[name], counts) for segment, counts in segments]) for name in CODED}
        numbers = {name: np.concatenate([segment.numbers[name][counts] for segment, counts in segments]) for name in NUMBERS}
        figures = [segment.figures[np.repeat(counts, segment.numbers["width"])] for segment, counts in segments]
        return cls(columns, coded, numbers, np.concatenate(figures))

    def column(self, name: str) -> Sequence[str]:
        """One of `TEXTS`; `own` or `rest`, of each Record as JSON."""
        if name not in self._columns:
            packed = self._packed[name]
            self._columns[name] = (zlib.decompress(packed) if name in PACKED else packed).decode().split(BETWEEN)
        return self._columns[name]

    def __len__(self) -> int:
        return len(self.numbers["stamp"])


def counting(segments: Sequence[tuple[Segment, Codes]], name: str) -> list[str]:
    """A column of those rows of several segments that count."""
    return [each for segment, counts in segments for each in itertools.compress(segment.column(name), counts.tolist())]


def _kinds() -> Kinds:
    """The numbers that are kept of each Record, in their order."""
    return {**NUMBERS, **dict.fromkeys(CODED, CODES)}


def checked(packed: Iterable[bytes]) -> int:
    """A checksum."""
    return functools.reduce(lambda before, part: zlib.crc32(part, before), packed, 0)

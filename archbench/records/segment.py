"""The columns in which an index keeps some Records, and how they are packed."""

from __future__ import annotations

import functools
import itertools
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

FIELDS = ("id", "key", "group", "kind", "status", "created")  # those that are looked at in all Records
KNOWN = ("file", "stamp", "parts", "doubts", "width", *FIELDS)  # columns that are read at once; the others when one of them is asked for
BETWEEN, BEHIND = "\n", "\0"  # values of a column, and a column
SPEED = 1  # of zlib


class TornError(Exception):
    """An index does not hold what was written to it."""


class Row(NamedTuple):
    """What a segment will hold of a Record; `parts` are places among the texts of the batch that it was read with."""

    known: dict[str, str]
    parts: tuple[int, ...]
    figures: array[float]
    own: str
    rest: str


class Segment:
    """Some Records as an index keeps them, in columns.

    `figures` are those of one measurement behind those of another, NaN for none; of each Record so many as its `width` says.
    """

    def __init__(self, known: Mapping[str, Sequence[str]], figures: array[float], own: Sequence[str], rest: Sequence[str]) -> None:
        self.known, self.figures = known, figures
        self._columns: dict[str, Sequence[str]] = {"own": own, "rest": rest}
        self._packed: dict[str, bytes] = {}

    @classmethod
    def of(cls, rows: Sequence[Row], stamps: Sequence[str], numbers: Sequence[int]) -> Segment:
        """From rows of one batch; `numbers` are those of its parts."""
        known = {name: [row.known[name] for row in rows] for name in KNOWN if name not in ("stamp", "parts")}
        known |= {
            "stamp": list(stamps),
            "parts": [" ".join([row.known["kind"], *(str(numbers[part]) for part in row.parts)]) for row in rows],
        }
        figures = array("d", itertools.chain.from_iterable(row.figures for row in rows))
        return cls(known, figures, [row.own for row in rows], [row.rest for row in rows])

    @classmethod
    def unpacked(cls, checksum: int, *packed: bytes) -> Segment:
        """What `packed` gave. Raises TornError where that is damaged."""
        if _sum_of(packed) != checksum:
            raise TornError
        known, figures, own, rest = packed
        columns = [column.split(BETWEEN) for column in known.decode().split(BEHIND)]
        made = cls(dict(zip(KNOWN, columns, strict=True)), array("d", figures), (), ())
        made._columns, made._packed = {}, {"own": own, "rest": rest}
        return made

    def packed(self) -> tuple[int, bytes, bytes, bytes, bytes]:
        """A checksum, and the columns as they are kept."""
        known = BEHIND.join(BETWEEN.join(self.known[name]) for name in KNOWN).encode()
        own, rest = (zlib.compress(BETWEEN.join(self.column(name)).encode(), SPEED) for name in ("own", "rest"))
        packed = known, self.figures.tobytes(), own, rest
        return _sum_of(packed), *packed

    @classmethod
    def joined(cls, segments: Sequence[tuple[Segment, Sequence[bool]]]) -> Segment:
        """One of those rows of several that count."""

        def joined(of: Callable[[Segment], Iterable[Any]]) -> list[Any]:
            return [each for segment, counts in segments for each in itertools.compress(of(segment), counts)]

        known = {name: joined(lambda segment, name=name: segment.known[name]) for name in KNOWN}  # type: ignore[misc]
        figures = array("d", itertools.chain.from_iterable(joined(Segment._of_each)))
        return cls(known, figures, *(joined(lambda segment, name=name: segment.column(name)) for name in ("own", "rest")))  # type: ignore[misc]

    def begins(self) -> list[int]:
        """Where the figures of each Record begin."""
        return list(itertools.accumulate(map(int, self.known["width"][:-1]), initial=0))

    def _of_each(self) -> Iterator[array[float]]:
        return (self.figures[begin : begin + int(width)] for begin, width in zip(self.begins(), self.known["width"], strict=True))

    def column(self, name: str) -> Sequence[str]:
        """`own` or `rest`, of each Record as JSON."""
        if name not in self._columns:
            self._columns[name] = zlib.decompress(self._packed[name]).decode().split(BETWEEN)
        return self._columns[name]

    def __len__(self) -> int:
        return len(self.known["id"])


def _sum_of(packed: Iterable[bytes]) -> int:
    return functools.reduce(lambda before, part: zlib.crc32(part, before), packed, 0)

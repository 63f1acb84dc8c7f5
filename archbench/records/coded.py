"""A column of texts of which many are the same: each text once, and a number for it in each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

MOST_SHORT = 2**16
Codes = np.ndarray[Any, Any]  # N whole numbers, or truth values


class Coded(NamedTuple):
    """The texts that occur, and which of them stands in each row."""

    values: Sequence[str]
    codes: Codes

    @classmethod
    def of(cls, texts: Sequence[str]) -> Coded:
        """A column of these texts."""
        places: dict[str, int] = {}
        codes = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.intp, len(texts))
        return cls(list(places), codes)

    @classmethod
    def joined(cls, columns: Sequence[tuple[Coded, Codes]]) -> Coded:
        """Those rows of several columns that count, one column below the other."""
        places: dict[str, int] = {}
        parts = [np.zeros(0, np.intp)]
        for (values, codes), counts in columns:
            own = np.array([places.setdefault(value, len(places)) for value in values], np.intp)
            parts.append(own[codes[counts]])
        return cls(list(places), np.concatenate(parts))

    def at(self, places: Codes) -> Coded:
        """The rows of these places."""
        return Coded(self.values, self.codes[places])

    def texts(self) -> list[str]:
        """The text of each row."""
        return [self.values[code] for code in self.codes.tolist()]

    def places(self, text: str) -> Codes:
        """The rows where this text stands, in order."""
        return np.flatnonzero(np.array([value == text for value in self.values], bool)[self.codes])


def groups(codes: Codes) -> Iterator[tuple[int, Codes]]:
    """Each number that occurs, in the order of the first of each, with its places."""
    few = len(codes) and codes.max() < MOST_SHORT  # of which NumPy sorts by radix
    order = np.argsort(codes.astype(np.uint16) if few else codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    parts = np.split(order, cuts) if len(order) else []
    return ((int(codes[part[0]]), part) for part in sorted(parts, key=lambda part: int(part[0])))


def firsts(codes: Codes) -> Codes:
    """The place of the first of each number that occurs, in their order."""
    return np.sort(np.unique(codes, return_index=True)[1])

"""A column of texts of which many are the same: each text once, and a number for it in each row."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

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


def groups(codes: Codes) -> Iterator[tuple[int, Codes]]:
    """Each number that occurs, in the order of the first of each, with its places."""
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    parts = np.split(order, cuts) if len(order) else []
    return ((int(codes[part[0]]), part) for part in sorted(parts, key=lambda part: int(part[0])))


def numbered(values: Sequence[Hashable]) -> Codes:
    """A number for each, the same for those that are equal."""
    places: dict[Hashable, int] = {}
    return np.fromiter((places.setdefault(value, len(places)) for value in values), np.intp, len(values))

"""Notes that concern some rows of a table: as a sentence that names the rows, or as footnotes that the rows lead to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self


class OfRows(str):
    """A note that names the rows it is about; `parts` is the same without the names: what is said, of the Records with which ids.

    A row is of a Record where its `record` or `records` has that id.
    """

    __slots__ = ("parts",)
    parts: Mapping[str, frozenset[str]]

    def __new__(cls, text: str, parts: Mapping[str, Iterable[str]]) -> Self:
        """From the sentence and its parts."""
        note = super().__new__(cls, text)
        note.parts = {said: frozenset(ids) for said, ids in parts.items()}
        return note

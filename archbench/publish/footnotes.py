"""Notes that concern a part of a table: some rows, as a sentence that names them or as footnotes that they lead to, or some columns; and
notes that stand below another table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self


class OfRows(str):
    """A note that names the rows it is about; `parts` is the same without the names: what is said, of the Records with which ids.

    A row is of a Record where its `record` or `records` has that id.
    """

    __slots__ = ("parts", "under")
    parts: Mapping[str, frozenset[str]]
    under: Sequence[str]

    def __new__(cls, text: str, parts: Mapping[str, Iterable[str]], under: Sequence[str] = ()) -> Self:
        """From the sentence and its parts; `under` as of `OfColumns`."""
        note = super().__new__(cls, text)
        note.parts, note.under = {said: frozenset(ids) for said, ids in parts.items()}, under
        return note


class OfColumns(str):
    """A note about columns: those whose header has one of the words that it is `under`."""

    __slots__ = ("under",)
    under: Sequence[str]

    def __new__(cls, text: str, *under: str) -> Self:
        """From the sentence and the words of headers."""
        note = super().__new__(cls, text)
        note.under = under
        return note


class Elsewhere(str):
    """That notes stand below other tables; `places` are those of the tables in the sequence that they all are of."""

    __slots__ = ("places", "said")
    said: str
    places: Sequence[int]

    def __new__(cls, said: str, captions: Mapping[int, str]) -> Self:
        """From what is said before the tables are named, and their captions by place."""
        note = super().__new__(cls, f"{said} {', '.join(dict.fromkeys(f'“{caption}”' for caption in captions.values()))}")
        note.said, note.places = said, tuple(captions)
        return note


def under_of(note: str) -> Sequence[str]:
    """The words, of which a column's header has one where the note is about it; none where it is about the table."""
    return note.under if isinstance(note, OfRows | OfColumns) else ()

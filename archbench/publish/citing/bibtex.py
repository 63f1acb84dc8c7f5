"""Entries of a bibliography in BibTeX: read from specs and from our own list, made from plain text, and written so that they can be read.

What a Record holds may have been written by anybody: fields and kinds that bibliographies do not know are left out, and a value that is
more than `latex.is_plain` is printed as the text that it is.
"""

from __future__ import annotations

import functools
import itertools
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pybtex.bibtex.utils import split_name_list
from pybtex.database.input.bibtex import LowLevelParser, month_names
from pybtex.exceptions import PybtexError

from archbench.publish.citing import latex

KINDS = (
    "article",
    "book",
    "inbook",
    "incollection",
    "inproceedings",
    "manual",
    "mastersthesis",
    "misc",
    "phdthesis",
    "proceedings",
    "techreport",
    "unpublished",
)
FIELDS = (
    "key",
    "title",
    "author",
    "editor",
    "booktitle",
    "journal",
    "series",
    "volume",
    "number",
    "pages",
    "publisher",
    "organization",
    "institution",
    "school",
    "address",
    "edition",
    "year",
    "month",
    "howpublished",
    "version",
    "note",
    "annote",
    "keywords",
    "doi",
    "eprint",
    "archivePrefix",
    "primaryClass",
    "url",
)
WRITTEN = {field.lower(): field for field in FIELDS}
MARKS = {  # values that are written as they are, or not at all
    "doi": re.compile(r"10\.\d{4,9}/[\w.;()/:+-]{1,200}", re.ASCII),
    "eprint": re.compile(r"\d{4}\.\d{4,5}(v\d+)?|[a-z-]{1,20}(\.[A-Z]{2})?/\d{7}(v\d+)?", re.ASCII),
    "url": re.compile(r"https?://[\w.~:/?#@!()*+,;=&-]{1,500}", re.ASCII),
    "archivePrefix": re.compile(r"[A-Za-z]{1,20}", re.ASCII),
    "primaryClass": re.compile(r"[\w.-]{1,20}", re.ASCII),
}
PREFIXES = re.compile(r"^(https?://)?((dx\.)?doi\.org/|arxiv\.org/abs/|doi:\s*|arxiv:\s*)", re.IGNORECASE)
NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_.:+-]+")
LONGEST_KEY, LONGEST_TEXT = 100, 50_000


@dataclass(frozen=True)
class Entry:
    """One entry; the values of `fields` are LaTeX with braces that match, in the order of FIELDS; `plain` holds those that were plain."""

    kind: str
    key: str
    fields: Mapping[str, str]
    plain: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_text(cls, kind: str, key: str, **texts: str) -> Entry:
        """An entry of plain text; what is empty is left out, and so is a DOI, an arXiv number or a URL that is none."""
        fields = {name: _value(name, text, latex.escaped(text)) for name, text in texts.items()}
        if fields.get("title"):
            fields["title"] = f"{{{fields['title']}}}"  # a style that makes letters small leaves the names of networks as they are
        plain = {name: latex.one_line(text) for name, text in texts.items() if name not in MARKS}
        return cls(kind, _key(key), _ordered(fields), plain)

    def text(self, name: str) -> str:
        """What a field prints; empty where it is not there."""
        if name in self.plain:
            return self.plain[name]
        return latex.text_of(self.fields[name]) if name in self.fields else ""

    @property
    def authors(self) -> list[str]:
        """As they are written, `Lin, Min`; the braces around a name that is no person's are gone."""
        return [latex.text_of(name) for name in split_name_list(self.fields.get("author", "")) if name]

    @property
    def organizations(self) -> frozenset[str]:
        """Those of the authors that are no persons, whose names stand in braces."""
        return frozenset(latex.text_of(name) for name in split_name_list(self.fields.get("author", "")) if name.startswith("{"))

    @property
    def work(self) -> tuple[str, str]:
        """What makes two entries one work: the title in small letters and digits alone, and the year."""
        return "".join(sign for sign in self.text("title").casefold() if sign.isalnum()), self.text("year")

    def bibtex(self) -> str:
        """The entry as it stands in a .bib file."""
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in self.fields.items())
        return f"@{self.kind}{{{self.key},\n{lines}\n}}\n"

    def renamed(self, key: str) -> Entry:
        """The same under another key."""
        return Entry(self.kind, key, self.fields, self.plain)

    def beside(self, more: Mapping[str, str]) -> Entry:
        """The same with the fields of `more` that it does not have."""
        return Entry(self.kind, self.key, _ordered({**more, **self.fields}), self.plain)


@functools.lru_cache(maxsize=256)
def read(text: str) -> Entry:
    """The one entry that a text holds. Raises ValueError for any other text."""
    found = entries(text)
    if len(found) != 1:
        raise ValueError(f"{len(found)} entries in place of one")
    return found[0]


def entries(text: str) -> list[Entry]:
    """The entries of a text. Raises ValueError where one cannot be read, and for what is no entry, as an abbreviation."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"a text of over {LONGEST_TEXT:,} signs")
    try:
        found = list(LowLevelParser(text, macros=dict(month_names)))
    except (PybtexError, RecursionError) as error:
        raise ValueError("an entry cannot be read") from error
    if any(kind.lower() in ("string", "preamble") for kind, _ in found):
        raise ValueError("an abbreviation is no entry")
    return [_entry(kind.lower(), key, fields) for kind, (key, fields) in found]


def _entry(kind: str, key: str, fields: Iterable[tuple[str, list[str]]]) -> Entry:
    """Of what stands between its braces: names, and the parts of values."""
    values = {}
    for name, parts in fields:
        written, value = WRITTEN.get(name.lower()), " ".join("".join(parts).split())
        if written is not None and latex.balanced(value):
            values[written] = _value(written, latex.text_of(value), value if latex.is_plain(value) else latex.escaped(value))
    return Entry(kind if kind in KINDS else "misc", _key(key), _ordered(values))


def numbered(found: Iterable[Entry]) -> list[Entry]:
    """Each work once, the first entry of it, under keys that no two share, in small letters or not."""
    works: dict[tuple[str, str], Entry] = {}
    for entry in found:
        works.setdefault(entry.work, entry)
    taken: set[str] = set()
    made = []
    for entry in works.values():
        key = next(key for key in _keys(entry.key) if key.casefold() not in taken)
        taken.add(key.casefold())
        made.append(entry.renamed(key))
    return made


def _keys(key: str) -> Iterator[str]:
    """The key, then with a, b, ..., z, aa, ... behind it."""
    yield key
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield key + "".join(letters)


def _key(key: str) -> str:
    return NOT_IN_KEYS.sub("-", key)[:LONGEST_KEY].strip("-") or "entry"


def _value(name: str, text: str, written: str) -> str:
    """What is written for a field: `written`, or for what is a number or an address the text itself where it is one, less its prefix."""
    if name not in MARKS:
        return written
    text = PREFIXES.sub("", text) if name in ("doi", "eprint") else text
    return text if MARKS[name].fullmatch(text) else ""


def _ordered(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in FIELDS if fields.get(name)}

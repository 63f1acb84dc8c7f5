"""A citation as text, Markdown, BibTeX or RIS. What Records hold stays text in each: it is escaped where it is written out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from archbench.publish.citing.bibtex import Entry
from archbench.publish.citing.citation import HASH, Citation
from archbench.publish.citing.latex import one_line
from archbench.remaking import Remake

MARKDOWN = re.compile(r"([\\`*_{}\[\]#|<>~$])")
AT_THE_BEGINNING = re.compile(r"^([-=+]|\d+[.)])")
RIS_KINDS = {
    "article": "JOUR",
    "inproceedings": "CPAPER",
    "proceedings": "CONF",
    "incollection": "CHAP",
    "inbook": "CHAP",
    "book": "BOOK",
    "techreport": "RPRT",
    "phdthesis": "THES",
    "mastersthesis": "THES",
    "unpublished": "UNPB",
}
RIS_FIELDS = {
    "journal": "JO",
    "booktitle": "T2",
    "volume": "VL",
    "number": "IS",
    "publisher": "PB",
    "institution": "PB",
    "school": "PB",
    "organization": "PB",
    "howpublished": "PB",
    "address": "CY",
    "edition": "ET",
    "version": "ET",
    "doi": "DO",
    "url": "UR",
    "note": "N1",
    "annote": "AB",
}


def text(citation: Citation) -> str:
    """Plain text in five parts."""
    software, *papers = _references(citation)
    parts = {
        "Software": [software],
        "Papers": papers,
        "Records": [f"{each.id}  {one_line(each.what)}\n  {HASH}: {each.sha256}" for each in citation.evidence],
        "Methods": list(map(one_line, citation.methods)),
        "Made again by": _commands(citation, lambda line: line, one_line, "  "),
    }
    return "\n\n".join(f"{title}\n" + "\n".join(lines) for title, lines in parts.items() if lines) + "\n"


def markdown(citation: Citation) -> str:
    """The same parts under headings."""
    software, *papers = map(in_markdown, _references(citation))
    parts = {
        "Software": software,
        "Papers": "\n".join(f"- {each}" for each in papers),
        "Records": "\n".join(f"- `{each.id}`: {in_markdown(each.what)}; {HASH}: `{each.sha256}`" for each in citation.evidence),
        "Methods": "\n\n".join(map(in_markdown, citation.methods)),
        "Made again by": "\n".join(_commands(citation, _fenced, in_markdown, "- ")),
    }
    return "\n".join(f"## {title}\n\n{body}\n" for title, body in parts.items() if body)


def bibtex(citation: Citation) -> str:
    """The entries; before them, as comments, the commands as they are typed, which in an entry have to be escaped."""
    lines = _commands(citation, lambda line: line, one_line, "  ")
    comments = "".join(f"% {part.replace('@', '(at)')}\n" for line in lines for part in line.splitlines())
    return "\n".join([comments, *(entry.bibtex() for entry in citation.entries)]).lstrip("\n")


def ris(citation: Citation) -> str:
    """The entries as RIS: a tag of two signs, two spaces, a dash and a value, on lines that end as the format wants it."""
    kinds = {citation.software.key: "COMP", citation.records.key: "DATA"}
    made = []
    for entry in citation.entries:
        kind = kinds.get(entry.key, RIS_KINDS.get(entry.kind, "GEN"))
        made.append("".join(f"{tag}  - {value}\r\n" for tag, value in [("TY", kind), *_ris_lines(entry), ("ER", "")]))
    return "\r\n".join(made)


FORMATS: dict[str, Callable[[Citation], str]] = {"text": text, "markdown": markdown, "bibtex": bibtex, "ris": ris}


def in_markdown(words: str) -> str:
    """Text that Markdown shows as it is, whatever stands in it."""
    shown = MARKDOWN.sub(r"\\\1", one_line(words).replace("&", "&amp;"))
    return AT_THE_BEGINNING.sub(lambda found: f"{found[1][:-1]}\\{found[1][-1]}", shown)


def _references(citation: Citation) -> list[str]:
    """A line an entry, that of the Records left out, which have a part of their own."""
    return [in_words(entry) for entry in citation.entries if entry.key != citation.records.key]


def in_words(entry: Entry) -> str:
    """`Lin, Min; Chen, Qiang. Network In Network. International Conference on Learning Representations, 2014. arXiv:1312.4400.`"""
    where = [entry.text(name) for name in ("booktitle", "journal", "institution", "howpublished", "publisher")]
    volume, number = entry.text("volume"), entry.text("number")
    place = ", ".join(
        [
            *filter(None, where[:1] if where[0] else where),
            *[f"{volume}({number})" if number else volume] * bool(volume),
            *[entry.text("pages")] * ("pages" in entry.fields),
            *[f"version {entry.text('version')}"] * ("version" in entry.fields),
            *[entry.text("year")] * ("year" in entry.fields),
        ]
    )
    marks = [
        f"doi:{entry.text('doi')}" if "doi" in entry.fields else "",
        f"arXiv:{entry.text('eprint')}" if "eprint" in entry.fields else "",
    ]
    if "arXiv:" in place:
        marks.pop()
    return " ".join(
        f"{part.rstrip('.')}." for part in ["; ".join(entry.authors), entry.text("title"), place, *marks, entry.text("url")] if part
    )


def _commands(citation: Citation, shown: Callable[[str], str], escaped: Callable[[str], str], before: str) -> list[str]:
    """Each command, and below it what must be known and the recipe that it takes; then what no command makes."""
    lines = []
    for each in citation.commands:
        lines.append(shown(one_line(each.line)))
        lines += [f"{before}{escaped(note)}" for note in each.said]
        lines += _recipe(each, shown, before)
    return [*lines, *(f"{before}{escaped(reason)}" for reason in citation.unmade)]


def _recipe(made: Remake, shown: Callable[[str], str], before: str) -> Sequence[str]:
    if made.recipe is None:
        return []
    lines = list(map(one_line, made.recipe.splitlines()))
    return (
        [f"{before}{one_line(made.settings.recipe)}:", *map(shown, lines)]
        if before != "- "
        else ["", _fenced("\n".join(lines), "toml"), ""]
    )


def _fenced(lines: str, language: str = "sh") -> str:
    """A block of code, whose fence is longer than any within."""
    longest = max((len(found) for found in re.findall(r"`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{lines}\n{fence}\n"


def _ris_lines(entry: Entry) -> list[tuple[str, str]]:
    first, dash, last = entry.text("pages").partition("–")
    pages = [("SP", first), ("EP", last)] if dash else [("SP", first)]
    arxiv = [("UR", f"https://arxiv.org/abs/{entry.text('eprint')}")] if "eprint" in entry.fields and "url" not in entry.fields else []
    year = entry.text("year")
    return [
        *(("AU", author) for author in entry.authors),
        *[("TI", entry.text("title"))] * ("title" in entry.fields),
        *[("PY", year)] * (len(year) == 4 and year.isdecimal()),
        *((tag, entry.text(name)) for name, tag in RIS_FIELDS.items() if name in entry.fields),
        *[(tag, page) for tag, page in pages if page],
        *arxiv,
        ("ID", entry.key),
    ]

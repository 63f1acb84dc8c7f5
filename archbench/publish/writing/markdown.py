"""Tables in GitHub's Markdown. What anybody wrote stands there as text: no link, no markup, no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from archbench.publish.citing.latex import one_line
from archbench.publish.formats import FIGURE
from archbench.publish.reading import Reading
from archbench.publish.results import Table
from archbench.publish.writing.grid import Cell, grid

MARKUP = re.compile(r"^[#>]|^[-+](?= )|[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#|\w+;)")
ENTITIES = {"<": "&lt;", "&": "&amp;"}


def tables(made: Sequence[Table]) -> str:
    """All tables, each under its caption as a heading."""
    return "\n".join(_table(each) for each in made)


def _table(table: Table) -> str:
    laid = grid(table)
    lines = _lines(map(escaped, laid.headers), ([_cell(cell) for cell in row] for row in laid.rows))
    footnotes = [f"{_raised(letter)} {escaped(said)}" for letter, said in laid.footnotes.items()]
    notes = "".join(f"- {note}\n" for note in [*map(escaped, laid.notes), *footnotes])
    return f"### {escaped(one_line(table.caption))}\n\n" + "\n".join(lines) + f"\n\n{notes}"


def _cell(cell: Cell) -> str:
    text = cell.text
    if not (text.isascii() and text.isalnum()) and not FIGURE.fullmatch(text):
        text = escaped(text)
    return (f"**{text}**" if cell.best else text) + _raised(cell.marks)


def _raised(marks: str) -> str:
    return f"<sup>{marks}</sup>" if marks else ""


def table_lines(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose cells are Markdown already."""
    return _lines(head, ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in body))


def _lines(head: Iterable[str], body: Iterable[Sequence[str]]) -> list[str]:
    head = list(head)
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body)]


def escaped(text: str) -> str:
    """Text that reads in Markdown as it is written here."""
    return MARKUP.sub(lambda found: ENTITIES.get(found[0], f"\\{found[0]}"), text)


def readings(found: Iterable[Reading]) -> str:
    """What is read from tables, each under a heading."""
    lines = []
    for reading in found:
        lines += [f"### reading · {escaped(one_line(reading.caption))}", ""]
        for question, sentences in reading.answers.items():
            lines += [*([escaped(one_line(question)), ""] if question else [])]
            lines += [*(f"- {escaped(one_line(sentence))}" for sentence in sentences), ""]
    return "\n".join(lines)

"""Tables in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archbench.publish.formats import cells
from archbench.publish.reading import Reading
from archbench.publish.results import Table


def tables(made: Sequence[Table]) -> str:
    """All tables, each under its caption as a heading."""
    return "\n".join(_table(each) for each in made)


def _table(table: Table) -> str:
    text = cells(table)
    lines = table_lines(list(text.columns), text.values.tolist())
    notes = "".join(f"- {note}\n" for note in table.notes)
    return f"### {table.caption}\n\n" + "\n".join(lines) + f"\n\n{notes}"


def table_lines(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return ["| " + " | ".join(map(_escaped, row)) + " |" for row in (head, ["---"] * len(head), *body)]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def readings(found: Iterable[Reading]) -> str:
    """What is read from tables, each under a heading."""
    lines = []
    for reading in found:
        lines += [f"### reading · {reading.caption}", ""]
        for question, sentences in reading.answers.items():
            lines += [*([question, ""] if question else []), *(f"- {sentence}" for sentence in sentences), ""]
    return "\n".join(lines)

"""Pages in HTML: one file that opens from the disk, light or dark as the reader has it, with nothing to load and no script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archbench.publish.citing.latex import one_line
from archbench.publish.formats import FIGURE, MISSING
from archbench.publish.results import Table
from archbench.publish.writing.grid import Grid, grid
from archbench.publish.writing.stated import stated

if TYPE_CHECKING:
    from archbench.publish.pages import Page


def document(pages: Sequence[Page]) -> str:
    """The tables of these pages, each page under its name, with what is read from them."""
    from archbench.publish.templates import environment

    templates = environment("archbench.publish.writing", autoescape=True)
    templates.filters["one_line"] = one_line
    return templates.get_template("tables.html").render(pages=[(page, [*map(_laid, page.tables)]) for page in pages])


def _laid(table: Table) -> tuple[Table, Grid, list[bool], list[str]]:
    """The table, its cells, which columns hold figures, and what its caption states."""
    laid = grid(table)
    return table, laid, [all(map(_is_figure, column)) for column in laid.columns], stated(table)


def _is_figure(text: str) -> bool:
    return text == MISSING or text.startswith("<") or FIGURE.fullmatch(text) is not None

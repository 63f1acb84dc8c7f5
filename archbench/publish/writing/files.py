"""The files of pages, which of them lag behind the Records, and the blocks of a README that are made from them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from archbench.errors import ArchbenchError
from archbench.publish import formats, lineage, results
from archbench.publish.pages import Page
from archbench.publish.results import Table
from archbench.publish.writing import markdown
from archbench.publish.writing.rows import as_json

WRITERS: Mapping[str, Callable[[Page], str]] = {
    "md": Page.markdown,
    "csv": Page.csv,
    "tex": Page.latex,
    "html": Page.html,
    "json": lambda page: as_json(page.rows) + "\n",
}
USUAL = ("md", "csv")  # what a page is written as unless a format is asked for
BEGIN, END = "<!-- {} -->\n", "<!-- end of {} -->"


def texts(pages: Iterable[Page], suffixes: Sequence[str]) -> dict[str, str]:
    """What each file of these pages holds, by its name; a page without tables has none."""
    return {f"{page.name}.{suffix}": WRITERS[suffix](page) for page in pages if page.tables for suffix in suffixes}


def expected(pages: Sequence[Page], folder: Path, suffixes: Sequence[str] = ()) -> dict[Path, str | None]:
    """What the files of pages in a folder should hold; None: no such file.

    These are the files of some formats, or else those that are there: a usual format in which one page is there is asked of every page,
    and both where no page is there at all.
    """
    known = suffixes or tuple(WRITERS)
    there = {suffix for page in pages for suffix in known if (folder / f"{page.name}.{suffix}").is_file()}
    demanded = suffixes or [suffix for suffix in USUAL if suffix in there or not there]
    found: dict[Path, str | None] = {}
    for page in pages:
        for suffix in known:
            path = folder / f"{page.name}.{suffix}"
            if path.is_file() or (suffix in demanded and page.tables):
                found[path] = WRITERS[suffix](page) if page.tables else None
    return found


def differences(wanted: Mapping[Path, str | None]) -> dict[Path, str]:
    """A unified diff for each file that does not hold what it should, from what it holds."""
    held = {path: path.read_bytes().decode(errors="replace") if path.is_file() else None for path in wanted}
    return {path: _diff(path, held[path] or "", text or "") for path, text in wanted.items() if held[path] != text}


def _diff(path: Path, held: str, wanted: str) -> str:
    before, after = (text.splitlines(keepends=True) for text in (held, wanted))
    lines = difflib.unified_diff(before, after, path.as_posix(), f"{path.as_posix()} (from the Records)")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def readme(path: Path, pages: Mapping[str, Page]) -> str:
    """A README with the blocks that it has marks for filled anew, from the pages of `BLOCKS` by name.

    Raises ArchbenchError where it has no block, or one whose marks do not belong together.
    """
    marks = f"lines {BEGIN.format('NAME').strip()} and {END.format('NAME')} of {' or '.join(BLOCKS)}"
    if not path.is_file():
        raise ArchbenchError(f"there is no file {path}, which would take the tables between {marks}")
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise ArchbenchError(f"{path} is no text in UTF-8") from None
    asked = [name for name in BLOCKS if BEGIN.format(name).strip() in text or END.format(name) in text]
    if not asked:
        raise ArchbenchError(f"{path} has no block for tables: {marks}")
    for name in asked:
        text = _filled(path, text, name, markdown.tables(BLOCKS[name](pages[name])))
    return text


def _filled(path: Path, text: str, name: str, block: str) -> str:
    line_end = "\r\n" if "\r\n" in text else "\n"
    begin, end = BEGIN.format(name).replace("\n", line_end), END.format(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ArchbenchError(f"{path} has no block for {name}: a line {begin.strip()} and below it one {end}, each once")
    before, _, rest = text.partition(begin)
    return before + begin + block.replace("\n", line_end) + end + rest.partition(end)[2]


def _of_trainings(page: Page) -> list[Table]:
    return formats.once(results.in_brief(page.tables))


def _of_the_lineage(page: Page) -> list[Table]:
    return lineage.in_brief(page.tables)


BLOCKS: Mapping[str, Callable[[Page], list[Table]]] = {"lineage": _of_the_lineage, "results": _of_trainings}  # by the page of each

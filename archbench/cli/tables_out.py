"""What becomes of the pages of `archbench tables`: shown, written to files, or held against the files that are there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archbench.cli import view
from archbench.errors import ArchbenchError
from archbench.publish.narrowed import captions, headers, with_columns
from archbench.publish.pages import Page, said_once
from archbench.publish.results import Table
from archbench.publish.writing import files, html, latex
from archbench.records.store import write_atomically

if TYPE_CHECKING:
    from archbench.cli.tables import Format
    from archbench.publish.reading import Reading

SUFFIXES = {"terminal": files.USUAL, "md": ("md",), "csv": ("csv",), "latex": ("tex",), "html": ("html",), "json": ("json",)}
Blocks = Mapping[Path, Mapping[str, Page]]  # READMEs, and by name the pages that their blocks are made from


@dataclass(frozen=True)
class Choice:
    """Which tables and columns of pages are asked for, and what the only one of them is called in LaTeX."""

    condition: Sequence[str] = ()
    columns: Sequence[str] = ()
    title: str = ""
    label: str = ""


def chosen(pages: Sequence[Page], choice: Choice) -> list[Page]:
    """What is asked for of pages, without what is read from the whole of them.

    Raises ArchbenchError for a condition or a column that there is not, where nothing is left, and for one title of several tables.
    """
    if choice == Choice() or not any(page.tables for page in pages):
        return [*pages]
    if choice.condition:
        kept = captions(choice.condition, _tables(pages))
        pages = [_with(page, [table for table in page.tables if table.caption in kept]) for page in pages]
    if choice.columns:
        shown = headers(choice.columns, _tables(pages))
        pages = [_with(page, with_columns(page.tables, shown)) for page in pages]
    left = _tables(pages)
    if not left:
        raise ArchbenchError(
            f"nothing stands under {' and '.join(choice.columns)} in {'these tables' if choice.condition else 'any table'}"
        )
    if (choice.title or choice.label) and len(left) > 1:
        raise ArchbenchError(
            f"--caption and --label are of one table, and these are {len(left)}: --condition takes words of their captions"
        )
    if choice.title or choice.label:
        pages = [_with(page, [dataclasses.replace(each, title=choice.title, label=choice.label) for each in page.tables]) for page in pages]
    return [page for page in pages if page.tables]


def _with(page: Page, tables: Sequence[Table]) -> Page:
    return dataclasses.replace(page, tables=tables, readings=())


def _tables(pages: Iterable[Page]) -> list[Table]:
    return [table for page in pages for table in page.tables]


def put(pages: Sequence[Page], form: Format, out: Path | None, blocks: Blocks, usual: Path, check: bool, where: str) -> bool:
    """Write, check or show them, as the options say; whether what lies in `out`, or else in the `usual` folder, lags behind."""
    if check:
        return held_against(pages, usual if out is None else out, blocks, SUFFIXES[form.value] if form.value != "terminal" else ())
    if out is not None or blocks:
        write(pages if out is not None else (), out, form, blocks)
    else:
        show(pages, form, where)
    return False


def write(pages: Sequence[Page], out: Path | None, form: Format, blocks: Blocks) -> None:
    """The files of each page in a format, or in the usual ones, and the blocks; none for a page without tables."""
    wanted = {out / name: text for name, text in files.texts(pages, SUFFIXES[form.value]).items()} if out is not None else {}
    wanted |= _readmes(blocks)
    for path, text in wanted.items():
        write_atomically(path.resolve(), lambda file, text=text: file.write(text.encode()))  # type: ignore[misc]
    if wanted:
        view.say(f"written: {', '.join(map(str, wanted))}")
    empty = [each.name for each in pages if not each.tables]
    if empty:
        view.say(f"not written, since the Records hold nothing for them: {', '.join(empty)}")


def held_against(pages: Sequence[Page], folder: Path, blocks: Blocks, suffixes: Sequence[str] = ()) -> bool:
    """Whether any file of these pages in a folder, or a block, is not what the Records give; a unified diff of each on stdout.

    `suffixes` are of the format that is asked for, if any is.
    """
    if not folder.is_dir():
        raise ArchbenchError(f"there is no folder {folder} to check; --out names the one that holds the tables")
    wanted = {**files.expected(pages, folder, suffixes), **_readmes(blocks)}
    lagging = files.differences(wanted)
    print("".join(lagging.values()), end="")
    if lagging:
        names = _asking(dict.fromkeys(path.stem for path in lagging if path.parent == folder and path not in blocks))
        again = f"; archbench tables {names} --out {folder} writes md and csv, with --format others" if names else ""
        view.say(f"not as the Records have it: {', '.join(map(str, lagging))}{again}")
    else:
        view.say(f"{len(wanted)} files are as the Records have them")
    return bool(lagging)


def _asking(names: Iterable[str]) -> str:
    """The arguments that ask for pages of these names."""
    kinds, of_one = [], []
    for name in names:
        kind, _, experiment = name.partition("-")
        kinds.append(kind)
        of_one += [experiment] if experiment else []
    return " ".join([*dict.fromkeys(kinds), *([f"--experiment {','.join(of_one)}"] if of_one else [])])


def _readmes(blocks: Blocks) -> dict[Path, str]:
    return {path: files.readme(path, pages) for path, pages in blocks.items()}


def show(pages: Sequence[Page], form: Format, where: str) -> None:
    """On stdout; the reading, which pages share, once behind them, and what is said of several tables once."""
    if form.value == "json":
        rows = {each.name: each.rows for each in pages}
        view.print_json(rows if len(rows) > 1 else rows[pages[0].name])
        return
    full, empty = [each for each in pages if each.tables], [each for each in pages if not each.tables]
    if form.value == "terminal":
        _in_terminal(said_once(full))
    elif full:
        print(_text(full, form), end="")
    if empty:
        view.say(f"no finished {_missing(empty, named=len(pages) > 1)} {where}")


def _in_terminal(pages: Sequence[Page]) -> None:
    for each in pages:
        view.print_tables(each.tables)
    view.print_readings([reading for n, each in enumerate(pages) for reading in each.readings if not _said(reading, pages[:n])])


def _text(pages: Sequence[Page], form: Format) -> str:
    """All pages in one text, what several say in it once."""
    if form.value == "latex":
        return latex.document({each.name: each.tables for each in pages})
    pages = said_once(pages)
    if form.value == "html":
        return html.document(pages)
    return "\n".join(each.markdown() if form.value == "md" else each.csv() for each in pages)


def _said(reading: Reading, pages: Sequence[Page]) -> bool:
    """Whether one of these pages has the same reading."""
    return any(reading in each.readings for each in pages)


def _missing(empty: Sequence[Page], named: bool) -> str:
    """`profile (operators, latency), lineage profile (lineage)`: what the pages are made from, and if `named` which pages they are."""
    pages: dict[str, list[str]] = {}
    for each in empty:
        pages.setdefault(each.made_from, []).append(each.name)
    return ", ".join(f"{what} ({', '.join(names)})" if named else what for what, names in pages.items())

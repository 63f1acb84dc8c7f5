"""The report of a results folder: read, made, and written to a file."""

from __future__ import annotations

import warnings
from pathlib import Path

from archbench import claiming, layering
from archbench.config import Settings, expanded
from archbench.errors import ArchbenchError
from archbench.publish.predictions import Kept
from archbench.publish.report.content import Source, content
from archbench.publish.report.document import MARK, document
from archbench.publish.writing import place
from archbench.records.store import Store, write_atomically

FILE = Path("archbench-report.html")


def report(results: str | Path = Settings.results, out: str | Path = FILE) -> Path:
    """Write what the Records of a folder say as one HTML file; its path. A UserWarning names each file that cannot be read.

    Raises ArchbenchError where there is no such folder, and where `out` is there and is no report.
    """
    path = expanded(Path(out))
    for problem in made(expanded(Path(results)), path)[0].problems:
        warnings.warn(problem, stacklevel=2)
    return path


def made(results: Path, out: Path) -> tuple[Source, int]:
    """Write the report of a folder; what it is made from, and how many signs it has. Raises ArchbenchError as `report` does."""
    place.check(out, MARK.encode(), "report")
    found = source(Store.of(results).root)
    text = document(content(found))
    write(text, out)
    return found, len(text)


def source(results: Path) -> Source:
    """What there is to report of a folder. What cannot be read is among its `problems`."""
    records, problems = Store(results).load()
    try:
        specs = claiming.claiming()
    except ArchbenchError as error:
        specs, problems = [], [*problems, str(error)]
    return Source(records, Kept(results), specs, layering.layers(), problems)


def write(text: str, out: Path) -> None:
    """Write a page. Raises StorageError where the disk refuses."""
    write_atomically(out, lambda file: file.write(text.encode()))

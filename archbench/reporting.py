"""The report of a results folder: read, made, and written to a file."""

from __future__ import annotations

from pathlib import Path

from archbench import claiming, layering
from archbench.errors import ArchbenchError
from archbench.publish.predictions import Kept
from archbench.publish.report.content import Source
from archbench.publish.report.document import MARK
from archbench.records.store import Store, write_atomically

HEAD = 4096  # bytes, in which a page names what made it


def source(results: Path) -> Source:
    """What there is to report of a folder. What cannot be read is among its `problems`."""
    records, problems = Store(results).load()
    try:
        specs = claiming.claiming()
    except ArchbenchError as error:
        specs, problems = [], [*problems, str(error)]
    return Source(records, Kept(results), specs, layering.layers(), problems)


def write(text: str, out: Path) -> None:
    """Write a page. Raises ArchbenchError for a file that is there and is no report, and StorageError where the disk refuses."""
    if out.is_file() and out.stat().st_size and MARK.encode() not in _head(out):
        raise ArchbenchError(f"{out} is there and is no report of archbench; --out names another file")
    write_atomically(out, lambda file: file.write(text.encode()))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)

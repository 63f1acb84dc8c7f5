"""The checks of a results folder as a whole: its tables against its Records, and the files of an unpacked bundle against its metadata."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from archbench import claiming
from archbench.publish import pages
from archbench.publish.grouping import Stored
from archbench.publish.pages import Page
from archbench.publish.predictions import Kept
from archbench.publish.writing.files import WRITERS
from archbench.records.merging import is_whole
from archbench.records.schema import StoredFile
from archbench.records.store import METADATA, TABLES, Store
from archbench.verifying.check import CANNOT, DIFFERS, OK, Check

NAMED = 3  # files that are not as they should be


def checks(folder: Path) -> Iterator[Check]:
    """One for all files of a bundle, and one for each page of `folder/tables`.

    A page is as its Records have it where it is what `archbench tables` writes of them, with or without `--mix` and `--records-only`.
    Raises ArchbenchError where there is a page of claims and the zoo's cannot be read.
    """
    yield from _bundled(folder)
    held = {name: files for name in pages.NAMES if (files := _files(folder, name))}
    if not held:
        return
    loaded, problems = Store.of(folder).load()
    records = Stored.of(loaded)
    for name, files in held.items():
        of = f"{TABLES}/{name}"
        if problems:
            yield Check(folder.name, of, CANNOT, "a Record from which it may be made cannot be read")
        elif any(_is_of(page, files) for page in _pages(name, records, folder)):
            yield Check(folder.name, of, OK, f"made again from {len(records)} Records")
        else:
            command = shlex.join(["archbench", "tables", name, "--results", str(folder), "--check"])
            yield Check(folder.name, of, DIFFERS, f"not what this archbench makes of its Records: {command} shows where")


def _files(folder: Path, name: str) -> dict[str, bytes]:
    """What the files of a page hold, by their formats."""
    return {suffix: path.read_bytes() for suffix in WRITERS if (path := folder / TABLES / f"{name}.{suffix}").is_file()}


def _pages(name: str, records: Stored, folder: Path) -> Iterator[Page]:
    """What the options of `archbench tables` make of it, and a bundle, which leaves out claims that have no Record."""
    claimed: Sequence[Sequence[Mapping[str, Any]]] = (claiming.claiming(), ()) if name == "claims" else ((),)
    mixed = (False, True) if name == "errors" else (False,)
    for mix, root, specs in itertools.product(mixed, (folder, None), claimed):
        yield pages.page(name, records, Kept(root), mix, specs)


def _is_of(page: Page, files: Mapping[str, bytes]) -> bool:
    return bool(page.tables) and all(WRITERS[suffix](page).encode() == content for suffix, content in files.items())


def _bundled(folder: Path) -> Iterator[Check]:
    """Whether each file that the metadata of a bundle names is there, whole."""
    try:
        stored = json.loads((folder / METADATA).read_bytes())
        entries = [each for each in stored["@graph"] if each.get("sha256")]
        files = [StoredFile(path=unquote(each["@id"]), bytes=int(each["contentSize"]), sha256=each["sha256"]) for each in entries]
        "".join(file.path for file in files).encode()  # a name that no disk can hold
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        yield Check(folder.name, METADATA, DIFFERS, "damaged, or not the metadata of a bundle")
        return
    changed = [file.path for file in files if not _is_within(file.path) or not is_whole(file, folder / file.path)]
    if changed:
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        yield Check(folder.name, METADATA, DIFFERS, f"missing, or not what it says: {', '.join(changed[:NAMED])}{more}")
    else:
        yield Check(folder.name, METADATA, OK, f"{len(files)} files are what it says")


def _is_within(path: str) -> bool:
    """Whether a path leads to nothing outside of the folder."""
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and "\0" not in path

"""The checks of a results folder as a whole: its tables against its Records, and the files of an unpacked bundle against its metadata."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from archbench.publish import pages
from archbench.publish.grouping import Stored
from archbench.publish.predictions import Kept
from archbench.publish.writing.files import WRITERS
from archbench.records.store import Store
from archbench.verifying.check import CANNOT, DIFFERS, OK, Check

TABLES, METADATA = "tables", "ro-crate-metadata.json"
NAMED = 3  # files that are not as they should be

Specs = Sequence[Mapping[str, Any]]


def checks(folder: Path, specs: Specs) -> Iterator[Check]:
    """A check for each page of `folder/tables`, and one for all files of a bundle. `specs` are what the zoo claims.

    A page is as its Records have it where it is what `archbench tables` writes of them, with or without `--mix` and `--records-only`.
    """
    yield from _bundled(folder)
    names = [name for name in pages.NAMES if _files(folder, name)]
    if not names:
        return
    loaded, problems = Store.of(folder).load()
    records = Stored.of(loaded)
    for name in names:
        if problems:
            yield Check(folder.name, f"{TABLES}/{name}", CANNOT, "a Record from which it may be made cannot be read")
            continue
        held = {path: path.read_bytes() for path in _files(folder, name)}
        ways = itertools.product((False, True), (folder, None), (specs, ()))
        if any(held == _written(pages.page(name, records, Kept(root), mix, claimed), held) for mix, root, claimed in ways):
            yield Check(folder.name, f"{TABLES}/{name}", OK, f"made again from {len(records)} Records")
        else:
            yield Check(folder.name, f"{TABLES}/{name}", DIFFERS, f"not what its Records give: archbench tables {name} --check shows where")


def _files(folder: Path, name: str) -> list[Path]:
    return [path for suffix in WRITERS if (path := folder / TABLES / f"{name}.{suffix}").is_file()]


def _written(page: pages.Page, held: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """What the same files would hold; nothing where the page has no table."""
    return {path: WRITERS[path.suffix[1:]](page).encode() for path in held} if page.tables else {}


def _bundled(folder: Path) -> Iterator[Check]:
    """Whether each file that the metadata of a bundle names is there and has the hash that it says."""
    try:
        stored = json.loads((folder / METADATA).read_bytes())
        named = {unquote(str(each["@id"])): each["sha256"] for each in stored["@graph"] if "sha256" in each}
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        yield Check(folder.name, METADATA, DIFFERS, "damaged, or not the metadata of a bundle")
        return
    changed = [name for name, sha256 in named.items() if not _is_within(name) or _hash(folder / name) != sha256]
    if changed:
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        yield Check(folder.name, METADATA, DIFFERS, f"missing, or not what it says: {', '.join(changed[:NAMED])}{more}")
    else:
        yield Check(folder.name, METADATA, OK, f"{len(named)} files have the hashes that it says")


def _is_within(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""

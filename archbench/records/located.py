"""Records with the files that they lie in, and the whole hash of what they hold: what a citation names and a check looks into."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from archbench.errors import ArchbenchError
from archbench.records.schema import Record
from archbench.records.sources import ID
from archbench.records.store import Store, read_hashed, read_record


@dataclass(frozen=True)
class Located:
    """A Record, its file, and the SHA-256 of its content, of which its id is the beginning."""

    record: Record
    path: Path
    sha256: str

    @classmethod
    def read(cls, path: Path) -> Located:
        """The Record of a file. Raises ArchbenchError, as `read_record` does, where it is none or was changed."""
        record, whole = read_hashed(path)
        return cls(record, path, whole)

    @property
    def root(self) -> Path:
        """The results folder, beside whose folder `runs` lies what else the Record names."""
        return self.path.absolute().parent.parent


def located(named: str, results: Path) -> list[Located]:
    """The Records behind a file, a results folder, or the beginning of an id in the folder `results`; those of a folder oldest first.

    Raises ArchbenchError where there is nothing of the kind, or one cannot be read.
    """
    return by_age(Located.read(path) for path in paths(named, results))


def by_age(found: Iterable[Located]) -> list[Located]:
    """Oldest first."""
    return sorted(found, key=lambda each: (each.record.created, each.record.id))


def paths(named: str, results: Path) -> list[Path]:
    """The files behind a name, each of which should be a Record; a file of an id is found by its own name, even where it was changed.

    Raises ArchbenchError in one line where there are none, or several for an id.
    """
    if not named:
        raise ArchbenchError("an empty name is no file, results folder or Record id")
    try:
        path = Path(named).expanduser()
    except RuntimeError:
        raise ArchbenchError(f"{named}: there is no such home directory") from None
    if path.is_dir():
        if found := Store(path).paths():
            return found
        raise ArchbenchError(f"{named} holds no Records; they lie in its folder runs")
    if path.exists():
        return [path]
    if not ID.fullmatch(named):
        raise ArchbenchError(f"{named!r} is no file, results folder or Record id; archbench runs lists ids")
    store = Store(results)
    found = store.paths(f"*-{glob.escape(named)}*.json") or _renamed(named, store)
    if len(found) != 1:
        count = "no Record" if not found else f"{len(found)} Records"
        raise ArchbenchError(f"{count} in {results} with an id that begins with {named}; archbench runs lists ids")
    return found


def _renamed(beginning: str, store: Store) -> list[Path]:
    """The files of Records whose names do not tell their ids."""
    found = []
    for path in store.paths():
        try:
            if read_record(path).id.startswith(beginning):
                found.append(path)
        except ArchbenchError:  # of that one no id is known
            continue
    return found

"""Joins stores into one, as those that the parts of a grid left behind: Records, the files beside them, and their tags.

All Records are read, and what conflicts is refused, before anything is written. Then come the files and after them the Records, byte for
byte as they were, each whole or not at all: a merge that was cut short leaves no Record without its files, and the same merge again goes
on with the rest. Once it is through, again changes nothing. Records that share a key and not an id are runs of their own, and all are
kept. A Record has every tag that it has in any of the stores; one that was taken away in one place alone comes back.

Checkpoints, studies of searches and curves of trackers stay where they are: what goes on from them does so in its own store.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archbench.errors import ArchbenchError
from archbench.records import tags
from archbench.records.schema import Record, StoredFile, hash_of
from archbench.records.store import FILES, Store, is_place, read_record, write_atomically

LEFT = {"checkpoints": "checkpoints", "tuning": "studies of searches", "tracking": "curves of trackers"}


@dataclass(frozen=True)
class Entry:
    """A file among the Records of a store: the Record, or what is wrong; and the id that it says it has, with a hash of what it holds.

    A Record's id is such a hash.
    """

    path: Path
    record: Record | None
    problem: str
    id: str | None
    content: str


@dataclass(frozen=True)
class Merged:
    """How many Records and files were added, how many Records were there before, what stays in the stores, and what is damaged."""

    added: int
    there: int
    files: int
    left: tuple[str, ...]
    problems: tuple[str, ...]


def merge(sources: Iterable[Path], into: Path, option: str = "--into") -> Merged:
    """Add what other stores hold to the store `into`, which is made where there is none.

    A damaged Record, file or list of tags in them is among the problems, and the rest is joined. Raises ArchbenchError before anything is
    written for a folder that is no store or is `into` itself, for two Records of one id and other content, and where `into` cannot be
    written; StorageError later where the disk is full. `option` is what names `into` on the command line.
    """
    stores, target = _stores(sources, into, option), Store(into)
    offered, held = [entry for store in stores for entry in _entries(store)], _entries(target)
    _check_conflicts([*held, *offered])
    tags.load(target)
    problems = [entry.problem for entry in (*held, *offered) if entry.problem]
    there = {entry.id for entry in held if entry.record is not None}
    good: dict[str | None, Entry] = {}
    for entry in offered:
        if entry.record is not None:
            good.setdefault(entry.id, entry)
    new = {identity: entry for identity, entry in good.items() if identity not in there}
    files = _missing_files(offered, into, problems)
    if new or files or not target.runs.is_dir():
        target.check_writable(option)
    for place, source in files.items():
        with source.open("rb") as file:
            write_atomically(place, lambda copy, file=file: shutil.copyfileobj(file, copy))  # type: ignore[misc]
    added = [entry for entry in new.values() if _added(entry, target, there, problems)]
    _add_tags(stores, there | {entry.id for entry in added}, target, problems)
    left = [f"{store.root}: {', '.join(what)} stay there" for store in stores if (what := _left(store))]
    return Merged(len(added), len(there & good.keys()), len(files), tuple(left), tuple(problems))


def _stores(sources: Iterable[Path], into: Path, option: str) -> list[Store]:
    """The stores to join, each once. Raises ArchbenchError for what is none, and for the one that they are to be joined into."""
    stores = {source.resolve(): Store(source) for source in sources}
    if into.resolve() in stores:
        raise ArchbenchError(f"{into} cannot be joined into itself: name only the other stores, or another folder with {option}")
    for store in stores.values():
        if not store.root.is_dir():
            raise ArchbenchError(f"there is no results folder {store.root}")
        if not store.runs.is_dir():
            raise ArchbenchError(f"{store.root} is no results folder: Records would lie in its folder runs")
    if into.exists() and not into.is_dir():
        raise ArchbenchError(f"{option} {into} is not a folder")
    return list(stores.values())


def _entries(store: Store) -> list[Entry]:
    return [_entry(path, store) for path in store.paths()]


def _entry(path: Path, store: Store) -> Entry:
    try:
        record = read_record(path)
        check_places(record)
        return Entry(path, record, "", record.id, record.id)
    except ArchbenchError as error:
        problem = f"{store.root}: {error}"
    if not path.is_file():  # a pipe would be waited for
        return Entry(path, None, problem, None, "")
    try:
        stored: Any = json.loads(path.read_bytes())
        content = hash_of(stored)
    except (OSError, ValueError, RecursionError):  # among them text that is no UTF-8
        return Entry(path, None, problem, None, "")
    identity = stored.get("id") if isinstance(stored, dict) else None
    return Entry(path, None, problem, identity if isinstance(identity, str) else None, content)


def check_places(record: Record) -> None:
    """Raise ArchbenchError where a Record names files elsewhere than in the folder of a store that is for them."""
    for file in record.files:
        if not is_place(file.path):
            raise ArchbenchError(f"Record {record.id} names a file outside the folder {FILES}: {file.path}")


def _check_conflicts(entries: Sequence[Entry]) -> None:
    """Raise ArchbenchError where two files say they are one Record, or two Records name one file, and what they hold differs."""
    of_ids: dict[str, Entry] = {}
    of_paths: dict[str, tuple[str, Entry]] = {}
    for entry in entries:
        first = of_ids.setdefault(entry.id, entry) if entry.id is not None else entry
        if first.content != entry.content:
            raise ArchbenchError(
                f"nothing is joined: {first.path} and {entry.path} both say they are Record {entry.id}, and differ; one was changed"
            )
        for file in entry.record.files if entry.record is not None else ():
            sha256, other = of_paths.setdefault(file.path, (file.sha256, entry))
            if sha256 != file.sha256:
                raise ArchbenchError(f"nothing is joined: {other.path} and {entry.path} name different files of one name, {file.path}")


def _missing_files(entries: Sequence[Entry], into: Path, problems: list[str]) -> Mapping[Path, Path]:
    """For each file that belongs beside a Record and does not lie in the store: its place there, and one to copy. Damaged ones are named.

    Files that lie beside no Record of any store, as weights do that are not kept, are not missed.
    """
    wanted: dict[str, tuple[StoredFile, list[Path]]] = {}
    for entry in entries:
        for file in entry.record.files if entry.record is not None else ():
            wanted.setdefault(file.path, (file, []))[1].append(entry.path.parent.parent / file.path)
    found = {}
    for path, (file, places) in wanted.items():
        present = [place for place in places if place.is_file()]
        if not present or is_whole(file, into / path):
            continue
        intact = [place for place in present if is_whole(file, place)]
        if intact:
            found[into / path] = intact[0]
        else:
            problems.append(f"{present[0]} was changed after it was written: its hash is not its Record's")
    return found


def is_whole(file: StoredFile, place: Path) -> bool:
    """Whether what lies at a place is this file, by its hash."""
    try:
        if place.stat().st_size != file.bytes:
            return False
        with place.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


def _added(entry: Entry, target: Store, there: set[str | None], problems: list[str]) -> bool:
    """Copy a Record; whether it could be, since a file that is no Record may have its name, or another process may be quicker."""
    assert entry.record is not None
    place = target.path_of(entry.record)
    if place.exists():
        if _entry(place, target).id == entry.id:
            there.add(entry.id)
            return False
        problems.append(f"{entry.path} is left: {place} is in its place and no Record")
        return False
    content = entry.path.read_bytes()
    write_atomically(place, lambda file: file.write(content))
    return True


def _add_tags(stores: Sequence[Store], ids: set[str | None], target: Store, problems: list[str]) -> None:
    """Mark Records of these ids as they are marked in the stores."""
    before = tags.load(target)
    missing: dict[str, set[str]] = {}
    for store in stores:
        try:
            marked = tags.load(store)
        except ArchbenchError as error:
            problems.append(str(error))
            continue
        for identity in ids & marked.keys():
            assert identity is not None
            missing.setdefault(identity, set()).update(set(marked[identity]) - set(before.get(identity, ())))
    for names in {tuple(sorted(names)) for names in missing.values() if names}:
        tags.change(target, [identity for identity in missing if missing[identity] == set(names)], add=names)


def _left(store: Store) -> list[str]:
    return [what for name, what in LEFT.items() if (store.root / name).is_dir() and any((store.root / name).iterdir())]

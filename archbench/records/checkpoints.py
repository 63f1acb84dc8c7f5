"""Checkpoints of a store, and which of them nobody needs.

A run's checkpoint goes when its Record is saved. One is left where a run was interrupted: the same command goes on from it. `prune`
removes those of runs that have their Record, and those that nobody has touched for 30 days; never one that a process is at. It also
removes folders of predictions and weights that no Record names, and files that tell how images were whitened, as a run leaves that is
killed before it has saved its Record.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from archbench.records.schema import Record
from archbench.records.store import FILES, WHITENING, WRITING, Store, with_result

KEPT_FOR = timedelta(days=30)
HALF_WRITTEN_FOR = timedelta(days=1)  # no write takes so long; its process was killed
RUNS_OWN = re.compile(r"-(?P<key>[0-9a-f]{16})-[0-9a-f]{8}$")  # ends the name of a folder of a run's own

BEGAN = struct.Struct(">4s?xH")  # behind the digest of a checkpoint's file: MAGIC, whether by --rerun, how many Records its key had
MAGIC, DIGEST_BYTES, MOST_COUNTED = b"ab05", 32, 2**16 - 1


@dataclass(frozen=True)
class Began:
    """How a run began whose checkpoint is kept: whether by `--rerun`, and how many Records with a result its key had then."""

    rerun: bool
    records: int


def began(path: Path) -> Began | None:
    """What the file of a checkpoint says of that, without a look at the rest; None where it is no such file."""
    try:
        with path.open("rb") as file:
            magic, rerun, records = BEGAN.unpack(file.read(DIGEST_BYTES + BEGAN.size)[DIGEST_BYTES:])
    except (OSError, struct.error):
        return None
    return Began(rerun, records) if magic == MAGIC else None


def is_finished(path: Path, records: int) -> bool:
    """Whether the run of a checkpoint has left its Record: its key has `records` with a result now, more than when it began."""
    start = began(path)
    return records > (start.records if start else 0)


@dataclass(frozen=True)
class Kept:
    """One checkpoint: the key of its run, when it was written, and whether its run is `in use`, `finished`, `waiting` or `old`.

    Or files `without a Record`: a folder of a run's own, or one file of several runs, which has no key.
    """

    key: str
    path: Path
    bytes: int
    written: datetime
    state: str


def kept(store: Store, records: Iterable[Record], now: datetime) -> list[Kept]:
    """The checkpoints of a store, oldest first; `records` are all that it holds. Only looks: no lease is taken, no file removed."""
    done = with_result(records)
    found = (_kept(path, store, done, now) for path in store.checkpoints.glob("*.pt"))
    return sorted((each for each in found if each is not None), key=lambda each: (each.written, each.key))


def _kept(path: Path, store: Store, done: Counter[str], now: datetime) -> Kept | None:
    """None where it went meanwhile."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    written = datetime.fromtimestamp(facts.st_mtime, UTC)
    state = "finished" if is_finished(path, done[path.stem]) else "old" if now - written > KEPT_FOR else "waiting"
    return Kept(path.stem, path, facts.st_size, written, "in use" if store.is_at_work(path.stem) else state)


def prune(store: Store, records: Iterable[Record], now: datetime) -> list[Kept]:
    """Remove the finished and the old ones, and what killed processes left a day ago: files half written, folders that no Record names.

    Gives the checkpoints, folders and files that went.
    """
    records = list(records)
    gone = []
    for each in kept(store, records, now):
        if each.state in ("finished", "old"):
            with store.lease(each.key) as mine:
                if mine:
                    each.path.unlink(missing_ok=True)
                    gone.append(each)
    for half in store.root.rglob(f"{WRITING}*"):
        with contextlib.suppress(FileNotFoundError):  # it is whole now, under its own name
            if now - datetime.fromtimestamp(half.stat().st_mtime, UTC) > HALF_WRITTEN_FOR:
                half.unlink()
    return gone + [each for each in _unnamed(store, records, now) if _removed(each, store)]


def _unnamed(store: Store, records: Iterable[Record], now: datetime) -> Iterator[Kept]:
    """Folders of a run's own in `files`, and files of several runs, that no Record names and nobody has written to for a day."""
    named = {store.root / file.path for record in records for file in record.files}
    kept_in = {path.parent for path in named}
    for folder in sorted((store.root / FILES).glob("*/")):
        match = RUNS_OWN.search(folder.name)
        if match is None or folder in kept_in or folder.is_symlink():
            continue
        with contextlib.suppress(FileNotFoundError):
            facts = [path.stat() for path in (folder, *folder.rglob("*"))]
            written = datetime.fromtimestamp(max(each.st_mtime for each in facts), UTC)
            if now - written > HALF_WRITTEN_FOR:
                yield Kept(match["key"], folder, sum(each.st_size for each in facts[1:]), written, "without a Record")

    for path in sorted((store.root / FILES).glob(f"{WHITENING}*.pt")):
        with contextlib.suppress(FileNotFoundError):
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)  # each run that needs it writes it anew
            if path not in named and now - written > HALF_WRITTEN_FOR:
                yield Kept("", path, path.stat().st_size, written, "without a Record")


def _removed(folder: Kept, store: Store) -> bool:
    """Whether it could be removed: not where a process is at its key."""
    if not folder.key:
        folder.path.unlink(missing_ok=True)
        return True
    with store.lease(folder.key) as mine:
        if mine:
            shutil.rmtree(folder.path)
        return mine

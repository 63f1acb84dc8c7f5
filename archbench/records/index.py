"""The index of a results folder: what tables ask of each Record, so that a hundred thousand are read once and not at each call.

It is a cache, an SQLite file in the user's own cache folder: deleted or damaged it is made anew. In the results folder it would be
committed, could not be kept where that is read-only, and one that came with somebody's Records could say other figures than they do.

Each file is known by its name, size, times and number on the disk, so that one look at the folder finds what was added, changed or
removed. A file that was written just now is not kept yet, since it could change again within the same tick of the clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archbench.records.batches import BATCH, Batch, batches
from archbench.records.coded import Codes
from archbench.records.columns import Columns, Many
from archbench.records.indexed import Parts
from archbench.records.looking import Look, Looking
from archbench.records.schema import Record
from archbench.records.segment import CODES, Segment, TornError, checked, counting
from archbench.records.store import Store, by_age
from archbench.records.uncollected import uncollected

LEAST = 500  # files: fewer are read in less than a second
WAIT_S = 60.0  # for another process that writes the same index
KEPT_FOR_S = 30 * 24 * 3600.0  # one that nobody used
SUFFIX, MARK = ".sqlite", 0x4E494E  # of the file's name, and within it
MOST_SMALL = 8  # segments with few rows, before they are made one
TABLES = """
CREATE TABLE IF NOT EXISTS parts (number INTEGER PRIMARY KEY, text TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS segments (
  number INTEGER PRIMARY KEY AUTOINCREMENT, checksum INTEGER, shared BLOB, numbers BLOB, figures BLOB,
  file BLOB, id BLOB, key BLOB, created BLOB, own BLOB, rest BLOB
);
CREATE TABLE IF NOT EXISTS whole (state BLOB, checksum INTEGER, ages BLOB);
"""


@dataclass(frozen=True, eq=False)
class Part:
    """A segment, its number in an index, if it lies there, and which of its rows count: those of files that are as they were."""

    number: int | None
    segment: Segment
    counts: Codes

    @property
    def count(self) -> int:
        """How many of its rows count."""
        return int(self.counts.sum())


def load(store: Store, folder: Path, begun: Looking | None = None) -> tuple[Sequence[Record], list[str]]:
    """As `Store.load`; where the Records are many, by the index of their store in `folder`.

    `begun` is a look at their folder that was begun meanwhile.
    Where none can be kept, as in a read-only home or on a full disk, the same is done in memory.
    """
    looking = begun or Looking(store.runs)
    if not looking.is_apart and looking.done.count < LEAST:
        return store.load()
    path = folder / f"{hashlib.sha256(os.fsencode(store.runs.resolve())).hexdigest()[:16]}-{_version()}{SUFFIX}"
    for _ in range(2):
        try:
            path = path.expanduser()
            with contextlib.closing(_opened(path)) as connection:
                return _loaded(connection, looking, store)
        except (sqlite3.OperationalError, OSError, RuntimeError):  # locked, read-only, full, no home: the file may be as it should
            break
        except (sqlite3.DatabaseError, TornError):  # no index, or a damaged one
            with contextlib.suppress(OSError):
                path.unlink()
    with contextlib.closing(_tables(sqlite3.connect(":memory:"))) as connection:
        return _loaded(connection, looking, store)


def _version() -> str:
    """Of the code that reads Records and keeps them."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:8]


def _opened(path: Path) -> sqlite3.Connection:
    if path.exists():
        os.utime(path)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
    return _tables(sqlite3.connect(path, timeout=WAIT_S))


def _sweep(folder: Path) -> None:
    """Remove indexes that nobody used for a month: of folders that are gone, or of another archbench."""
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_FOR_S:
                path.unlink()


def _tables(connection: sqlite3.Connection) -> sqlite3.Connection:
    """A connection to an index, which is begun where the file is empty. Raises TornError for another's database."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = OFF")  # what a failing machine damages is made anew
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {MARK}; COMMIT;")
    if connection.execute("PRAGMA user_version").fetchone() != (MARK,):
        connection.close()
        raise TornError
    return connection


def _loaded(connection: sqlite3.Connection, looking: Looking, store: Store) -> tuple[Sequence[Record], list[str]]:
    with uncollected():
        parts, order = _kept(connection, looking)
        look = looking.done
        records: list[Record] = []
        problems: dict[str, str] = {}
        if order is None:
            there = set(counting([(each.segment, each.counts) for each in parts], "file"))
            for batch in batches(sorted(look.stamps.keys() - there), store.runs):
                if batch.rows:
                    parts += _written(connection, batch, look.stamps)
                problems |= batch.problems
                records += batch.records
            parts.sort(key=lambda each: each.number or 0, reverse=True)  # as they are read again
        shared = Parts(dict(connection.execute("SELECT number, text FROM parts")))
        columns = Columns([(each.segment, each.counts) for each in parts], shared, store.runs, order)
        if order is None and not _tidied(connection, parts) and not problems and not records:
            _remember(connection, parts, look, columns.order)
        found = Many(columns, np.arange(len(columns)))
    said = [problems[file] for file in sorted(problems)]
    return (sorted([*found, *records], key=by_age) if records else found), said


def _kept(connection: sqlite3.Connection, looking: Looking) -> tuple[list[Part], Codes | None]:
    """What of an index still holds, newest first; with the order by age where that is all there is: the folder is as it was then."""
    connection.execute("BEGIN")
    with connection:
        rows = connection.execute("SELECT * FROM segments ORDER BY number DESC").fetchall()
        wholes = {state: whole for state, *whole in connection.execute("SELECT * FROM whole")}
    found = [(number, Segment.unpacked(checksum, *packed)) for number, checksum, *packed in rows]
    look = looking.done  # the index was read meanwhile
    if look.is_settled and look.state in wholes:
        checksum, ages = wholes[look.state]
        if checked([ages]) != checksum or len(ages) != CODES.itemsize * sum(len(segment) for _, segment in found):
            raise TornError
        return [Part(number, segment, np.ones(len(segment), bool)) for number, segment in found], np.frombuffer(ages, CODES)
    seen = set[str]()
    return [Part(number, segment, _counting(segment, look.stamps, seen)) for number, segment in found], None


def _counting(segment: Segment, stamps: Mapping[str, int], seen: set[str]) -> Codes:
    """Which rows of a segment are of files that are as they were; one that two processes kept, and was `seen`, counts once."""
    files, then = segment.column("file"), segment.numbers["stamp"]
    counts: Codes = (np.array([stamps.get(file, 0) for file in files], then.dtype) == then) & (then != 0)
    if not seen.isdisjoint(files):
        counts &= [file not in seen for file in files]
    seen.update(itertools.compress(files, counts.tolist()))
    return counts


def _written(connection: sqlite3.Connection, batch: Batch, stamps: Mapping[str, int]) -> list[Part]:
    """Keep those whose files are settled, the others have a segment in memory; the numbers of parts, once given, stay."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.executemany("INSERT OR IGNORE INTO parts (text) VALUES (?)", [(text,) for text in batch.texts])
        ask = "SELECT number FROM parts WHERE text = ?"
        numbers = [connection.execute(ask, (text,)).fetchone()[0] for text in batch.texts]
        made = []
        for settled in (True, False):
            rows = [row for row in batch.rows if bool(stamps[row.known["file"]]) is settled]
            if rows:
                segment = Segment.of(rows, [stamps[row.known["file"]] for row in rows], numbers)
                made.append(Part(_added(connection, segment) if settled else None, segment, np.ones(len(rows), bool)))
        return made


def _added(connection: sqlite3.Connection, segment: Segment) -> int:
    """Its number."""
    packed = segment.packed()
    row = connection.execute(f"INSERT INTO segments VALUES (NULL{', ?' * len(packed)})", packed)
    connection.execute("DELETE FROM whole")
    assert row.lastrowid is not None
    return row.lastrowid


def _tidied(connection: sqlite3.Connection, parts: Sequence[Part]) -> bool:
    """Leave rows that count alone in segments, and make one of small ones where they are many; whether that was to do."""
    kept = [each for each in parts if each.number is not None]
    small = [each for each in kept if each.count < BATCH // 2]
    together = small if len(small) > MOST_SMALL else []
    torn = [[each] for each in kept if each.count < len(each.segment) and each not in together]
    for gone in [*([together] if together else []), *torn]:
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            connection.execute("DELETE FROM whole")
            connection.executemany("DELETE FROM segments WHERE number = ?", [(each.number,) for each in gone])
            if any(each.count for each in gone):
                _added(connection, Segment.joined([(each.segment, each.counts) for each in gone]))
    return bool(together or torn)


def _remember(connection: sqlite3.Connection, parts: Sequence[Part], look: Look, order: Codes) -> None:
    """That an index holds all files of a folder as they were when it was looked at, and their order by age, until a segment is added."""
    if look.is_settled and all(each.number is not None for each in parts):
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            ages, numbers = order.astype(CODES).tobytes(), [(each.number,) for each in parts]
            if connection.execute("SELECT number FROM segments ORDER BY number DESC").fetchall() == numbers:  # no other process added one
                connection.execute("DELETE FROM whole")
                connection.execute("INSERT INTO whole VALUES (?, ?, ?)", (look.state, checked([ages]), ages))

"""The index of a results folder: what tables ask of each Record, so that a hundred thousand are read once and not at each call.

It is a cache, an SQLite file in the user's own cache folder: deleted or damaged it is made anew. In the results folder it would be
committed, could not be kept where that is read-only, and one that came with somebody's Records could say other figures than they do.

Each file is known by its name, size, times and number on the disk, so that one look at the folder finds what was added, changed or
removed. A file that was written just now is not kept yet, since it could change again within the same tick of the clock.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from archbench.errors import ArchbenchError
from archbench.records.indexed import Draft, Entry, Parts, TornError, draft_of, entry_of, is_keepable, record_of
from archbench.records.schema import Record
from archbench.records.store import Store, by_age, facts, read_record

LEAST = 500  # files: fewer are read in less than a second
SPREAD_FROM, MOST_PROCESSES = 5000, 8  # files: from here on several processes read
BATCH = 1000  # files that are read between two writes, so that an index that was cut short goes on
SETTLED_S = 2.0  # the coarsest clock of a file system
WAIT_S = 60.0  # for another process that writes the same index
KEPT_FOR_S = 30 * 24 * 3600.0  # one that nobody used
SUFFIX, MARK = ".sqlite", 0x4E494E  # of the file's name, and within it
Found = Draft | str | None
TABLES = """
CREATE TABLE IF NOT EXISTS parts (number INTEGER PRIMARY KEY, text TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS entries (file TEXT PRIMARY KEY, stamp TEXT, checksum INTEGER, lines BLOB);
"""


def load(store: Store, folder: Path) -> tuple[list[Record], list[str]]:
    """As `Store.load`; where the Records are many, by the index of their store in `folder`.

    Where none can be kept, as in a read-only home or on a full disk, the same is done in memory.
    """
    stamps = _stamps(store.runs)
    if len(stamps) < LEAST:
        return store.load()
    path = folder / f"{hashlib.sha256(os.fsencode(store.runs.resolve())).hexdigest()[:16]}-{_version()}{SUFFIX}"
    for _ in range(2):
        try:
            path = path.expanduser()
            with contextlib.closing(_opened(path)) as connection:
                return _loaded(connection, stamps, store)
        except (sqlite3.OperationalError, OSError, RuntimeError):  # locked, read-only, full, no home: the file may be as it should
            break
        except (sqlite3.DatabaseError, TornError):  # no index, or a damaged one
            with contextlib.suppress(OSError):
                path.unlink()
    with contextlib.closing(_tables(sqlite3.connect(":memory:"))) as connection:
        return _loaded(connection, stamps, store)


def _stamps(runs: Path) -> dict[str, str]:
    """What tells the content of each file from another; empty for one that is not to be kept."""
    settled_ns = time.time_ns() - int(1e9 * SETTLED_S)
    return {name: _stamp(name, found, settled_ns) for name, found in facts(runs).items()}


def _stamp(name: str, found: os.stat_result | None, settled_ns: int) -> str:
    if found is None or found.st_mtime_ns >= settled_ns or not name.isprintable():  # a name that is no Unicode stands in no column
        return ""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


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
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {MARK}; COMMIT;")
    if connection.execute("PRAGMA user_version").fetchone() != (MARK,):
        connection.close()
        raise TornError
    return connection


def _loaded(connection: sqlite3.Connection, stamps: Mapping[str, str], store: Store) -> tuple[list[Record], list[str]]:
    known = {entry[0]: entry for entry in connection.execute("SELECT * FROM entries")}
    kept = [entry for file, stamp in stamps.items() if (entry := known.get(file)) is not None and entry[1] == stamp]
    same = {entry[0] for entry in kept}
    added = sorted(file for file in stamps if file not in same)
    gone = [file for file in known if file not in stamps]
    del known
    records: list[Record] = []
    problems: dict[str, str] = {}
    drafted: set[str] = set()
    for batch in _batches([file for file in added if stamps[file]], store.runs):
        kept += _written(connection, [(file, stamps[file], found) for file, found in batch if isinstance(found, Draft)])
        problems |= {file: found for file, found in batch if isinstance(found, str)}
        drafted |= {file for file, found in batch if isinstance(found, Draft)}
    for file in added:
        if file not in drafted and file not in problems:
            try:
                records.append(read_record(store.runs / file))
            except ArchbenchError as error:
                problems[file] = str(error)
    if gone:
        connection.executemany("DELETE FROM entries WHERE file = ?", [(file,) for file in gone])
    parts = Parts(dict(connection.execute("SELECT number, text FROM parts")))
    with _no_collection():
        records += (record_of(entry, parts, store.runs) for entry in kept)
    return sorted(records, key=by_age), [problems[file] for file in sorted(problems)]


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Python's search for cycles would walk again and again over what is made here, which has none, and later over all of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def _batches(files: Sequence[str], runs: Path) -> Iterator[list[tuple[str, Found]]]:
    """What files hold, in parts; of many, by as many processes as there are cores."""
    parts = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    cores = os.cpu_count() or 1
    if len(files) < SPREAD_FROM or cores < 2:
        yield from (read(runs, part) for part in parts)
        return
    import multiprocessing
    import signal
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(cores, MOST_PROCESSES), context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        yield from pool.map(read, [runs] * len(parts), parts)
    finally:
        pool.shutdown(cancel_futures=True)


def read(runs: Path, files: Iterable[str]) -> list[tuple[str, Found]]:
    """What these files hold: a draft of a row, what is wrong, or None for a Record that no row can hold."""
    found: list[tuple[str, Found]] = []
    for file in files:
        try:
            record = read_record(runs / file)
        except ArchbenchError as error:
            found.append((file, str(error)))
        else:
            found.append((file, draft_of(record) if is_keepable(record) else None))
    return found


def _written(connection: sqlite3.Connection, drafts: Sequence[tuple[str, str, Draft]]) -> list[Entry]:
    """Keep Records; the numbers of parts, once given, stay."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        numbers: dict[str, int] = {}

        def number(text: str) -> int:
            if text not in numbers:
                connection.execute("INSERT OR IGNORE INTO parts (text) VALUES (?)", (text,))
                (numbers[text],) = connection.execute("SELECT number FROM parts WHERE text = ?", (text,)).fetchone()
            return numbers[text]

        entries = [entry_of(file, stamp, draft, number) for file, stamp, draft in drafts]
        connection.executemany("REPLACE INTO entries VALUES (?, ?, ?, ?)", entries)
    return entries

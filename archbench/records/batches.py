"""Files of Records read in parts, as rows for an index; of many by several processes.

These run no script of the user's, as those of multiprocessing do: from its beginning, whatever else it does.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from archbench.errors import ArchbenchError
from archbench.records.indexed import is_keepable, row_of
from archbench.records.looking import cores
from archbench.records.schema import Record
from archbench.records.segment import Row
from archbench.records.store import read_record

BATCH = 4000  # files that are read between two writes, so that an index that was cut short goes on
SPREAD_FROM, MOST_PROCESSES = 5000, 8  # files: from here on several processes read
SERVE = "import sys; sys.path[:] = {path!r}; from archbench.records import batches; batches.serve()"
Reader = subprocess.Popen[bytes]


class Batch(NamedTuple):
    """What some files hold: rows and the texts that these share, what is wrong with others, and Records that no row can hold."""

    rows: list[Row]
    texts: list[str]
    problems: dict[str, str]
    records: list[Record]


def batches(files: Sequence[str], runs: Path) -> Iterator[Batch]:
    """What files hold, part by part."""
    parts = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    count = min(cores(), MOST_PROCESSES)
    with _readers(count if len(files) >= SPREAD_FROM and count > 1 else 0) as readers:
        if not readers:
            yield from (read(runs, part) for part in parts)
            return
        idle = SimpleQueue[Reader | None]()
        for reader in readers:
            idle.put(reader)
        with ThreadPoolExecutor(len(readers)) as threads:
            try:
                asked = deque((part, threads.submit(_asked, idle, readers, (runs, part))) for part in parts)
                while asked:  # an answer that was taken is not kept
                    part, answer = asked.popleft()
                    yield answer.result() or read(runs, part)
            finally:
                for reader in readers:
                    reader.kill()  # what is asked of it still has no answer


def read(runs: Path, files: Iterable[str]) -> Batch:
    """What these files hold."""
    found, places = Batch([], [], {}, []), dict[str, int]()
    for file in files:
        try:
            record = read_record(runs / file)
        except ArchbenchError as error:
            found.problems[file] = str(error)
        else:
            if is_keepable(record) and file.isprintable():
                found.rows.append(row_of(file, record, lambda text: places.setdefault(text, len(places))))
            else:
                found.records.append(record)
    found.texts.extend(places)
    return found


def serve() -> None:
    """Read what the process that began this one asks for, until it asks no more or is gone."""
    began = os.getppid()

    def wanted(files: Iterable[str]) -> Iterator[str]:
        for file in files:
            if os.getppid() != began:
                raise EOFError
            yield file

    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            runs, files = pickle.load(sys.stdin.buffer)
            pickle.dump(read(runs, wanted(files)), sys.stdout.buffer)
            sys.stdout.buffer.flush()


@contextlib.contextmanager
def _readers(count: int) -> Iterator[list[Reader]]:
    """So many processes that serve, or fewer where the system has no more."""
    command = [sys.executable, "-c", SERVE.format(path=sys.path)]
    with contextlib.ExitStack() as ends:
        found: list[Reader] = []
        with contextlib.suppress(OSError):
            for _ in range(count):
                begun = Reader(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                ends.callback(_end, begun)
                found.append(begun)
        yield found


def _end(reader: Reader) -> None:
    assert reader.stdin is not None and reader.stdout is not None
    reader.kill()
    with contextlib.suppress(OSError):  # what it was not told any more
        reader.stdin.close()
    reader.stdout.close()
    reader.wait()


def _asked(idle: SimpleQueue[Reader | None], readers: Sequence[Reader], asked: tuple[Path, Sequence[str]]) -> Batch | None:
    """What another process reads in some files; None where it was ended, or all were.

    One that answers anything else is not asked again: its answers would be those to the questions before.
    """
    reader = idle.get()
    if reader is None:
        idle.put(None)
        return None
    assert reader.stdin is not None and reader.stdout is not None
    found = None
    with contextlib.suppress(Exception):  # anything may come of what is no pickle
        pickle.dump(asked, reader.stdin)
        reader.stdin.flush()
        found = pickle.load(reader.stdout)
    if isinstance(found, Batch):
        idle.put(reader)
        return found
    _end(reader)
    if all(each.poll() is not None for each in readers):
        idle.put(None)
    return None

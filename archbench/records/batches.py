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
    cores = min(os.cpu_count() or 1, MOST_PROCESSES)
    with _readers(cores if len(files) >= SPREAD_FROM and cores > 1 else 0) as readers:
        if not readers:
            yield from (read(runs, part) for part in parts)
            return
        idle = SimpleQueue[Reader]()
        for reader in readers:
            idle.put(reader)
        with ThreadPoolExecutor(len(readers)) as threads:
            try:
                asked = deque((part, threads.submit(_asked, idle, runs, part)) for part in parts)
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
    """Read what the process that began this one asks for, until it asks no more."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            pickle.dump(read(*pickle.load(sys.stdin.buffer)), sys.stdout.buffer)
            sys.stdout.buffer.flush()


@contextlib.contextmanager
def _readers(count: int) -> Iterator[list[Reader]]:
    """So many processes that serve, or fewer where the system has no more; an interrupt at the terminal does not reach them."""
    command = [sys.executable, "-c", SERVE.format(path=sys.path)]
    with contextlib.ExitStack() as ends:
        found: list[Reader] = []
        with contextlib.suppress(OSError):
            for _ in range(count):
                begun = Reader(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
                found.append(ends.enter_context(begun))
        yield found


def _asked(idle: SimpleQueue[Reader], runs: Path, files: Sequence[str]) -> Batch | None:
    """What another process reads in these; None where it was ended."""
    reader = idle.get()
    assert reader.stdin is not None and reader.stdout is not None
    try:
        pickle.dump((runs, files), reader.stdin)
        reader.stdin.flush()
        found: Batch = pickle.load(reader.stdout)
    except (OSError, EOFError, pickle.UnpicklingError):
        return None
    else:
        return found
    finally:
        idle.put(reader)

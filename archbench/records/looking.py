"""A look at the files of a results folder: what tells the content of each from another, without opening any.

To ask the disk about 100,000 files takes a second, which a process of its own can spend while this one starts: it runs this file, without
the rest of archbench, as `python looking.py FOLDER`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import subprocess
import sys
import time
import weakref
from array import array
from collections.abc import Iterator

RUNS = "runs"  # the folder of a results folder that holds the Records
SETTLED_S = 2.0  # the coarsest clock of a file system
AHEAD_FROM = 5000  # files: looked at by a process of their own
HASH_BYTES, BETWEEN = 32, "\0"


class Look:
    """What the files of a folder were when it was looked at."""

    def __init__(self, told: bytes) -> None:
        """From what `seen` tells."""
        self.state, self._told = told[:HASH_BYTES], told[HASH_BYTES:]
        self.count = int.from_bytes(self._told[:8], sys.byteorder)

    @functools.cached_property
    def stamps(self) -> dict[str, int]:
        """A number for each file by its name; 0 for one that is not to be kept."""
        numbers, names = self._told[8 : 8 + 8 * self.count], self._told[8 + 8 * self.count :]
        return dict(zip(os.fsdecode(names).split(BETWEEN), array("q", numbers), strict=False))  # without a name there is still a text

    @property
    def is_settled(self) -> bool:
        """Whether all files may be kept, so that those of an equal `state` are the same."""
        return any(self.state)


class Looking:
    """A look at a folder, begun ahead of its being asked for; for many files by a process of its own."""

    def __init__(self, runs: str | os.PathLike[str]) -> None:
        self._runs = os.fspath(runs)
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):
            if cores() > 1 and _has_many(self._runs):
                command = [sys.executable, "-I", "-S", __file__, self._runs]
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                weakref.finalize(self, _ended, self._process)  # where nobody asks

    @property
    def is_apart(self) -> bool:
        """Whether another process looks, so that this one may do something else meanwhile."""
        return self._process is not None

    @functools.cached_property
    def done(self) -> Look:
        """The look; where the other process could not tell, what this one sees."""
        if self._process is not None:
            told = self._process.communicate()[0]
            if self._process.returncode == 0:
                return Look(told)
        return Look(seen(self._runs))


def cores() -> int:
    """Those that this process may use; fewer than the machine has under taskset or in a container."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_many(runs: str) -> bool:
    with os.scandir(runs) as entries:
        return next(itertools.islice(entries, AHEAD_FROM - 1, None), None) is not None


def _ended(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.communicate()


def facts(runs: str | os.PathLike[str]) -> Iterator[tuple[str, os.stat_result | None]]:
    """The name of each file of a Record, and what the disk says of it; None where it says nothing. Nothing where there is no folder."""
    with contextlib.suppress(OSError), os.scandir(runs) as entries:
        for entry in entries:
            if entry.name.endswith(".json"):
                try:
                    yield entry.name, entry.stat()
                except OSError:  # it went meanwhile, or leads nowhere
                    yield entry.name, None


def seen(runs: str) -> bytes:
    """A hash over all that follows, zeros where a file is not to be kept; how many files there are; their stamps; their names."""
    settled_ns = time.time_ns() - int(1e9 * SETTLED_S)
    names, stamps = [], array("q")
    for name, fact in facts(runs):
        names.append(name)
        stamps.append(_stamp(name, fact, settled_ns))
    told = len(names).to_bytes(8, sys.byteorder) + stamps.tobytes() + os.fsencode(BETWEEN.join(names))
    return (hashlib.sha256(told).digest() if all(stamps) else bytes(HASH_BYTES)) + told


def _stamp(name: str, fact: os.stat_result | None, settled_ns: int) -> int:
    """What tells the content of a file from another.

    0 for one that was written just now, since it could change again within the same tick of the clock, and for one whose name no column
    can hold.
    """
    if fact is None or fact.st_mtime_ns >= settled_ns or not name.isprintable():
        return 0
    return hash((fact.st_size, fact.st_mtime_ns, fact.st_ctime_ns, fact.st_ino)) or 1


if __name__ == "__main__":
    sys.stdout.buffer.write(seen(sys.argv[1]))

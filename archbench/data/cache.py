"""Decoded splits on disk, found again as long as no file has changed.

A cache is two files in `decoded/` below the data folder: NAME.pixels holds the bytes of the images behind each other, NAME.npz what they
are. A split is always kept under the same name, so that what has changed takes the place of what was there. Images that lie in memory
are read from it whole, others are mapped. Of a split whose files are decoded each time only the second file is kept: what was found out.
"""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from archbench.data.listing import Listing
from archbench.errors import StorageError
from archbench.events import Listener, Notice
from archbench.records.lease import Lease
from archbench.records.schema import hash_of
from archbench.records.store import WRITING, write_atomically, write_error

VERSION = 2  # 1 held the images in the npz
NAME_LENGTH = 16
LOOK_EVERY_S = 1.0
Facts = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Cache:
    """Where a split is kept, and the stamp of the files that it must have been made from."""

    what: str
    path: Path
    stamp: str

    @classmethod
    def of(cls, root: Path, what: str, listing: Listing, how: list[str | int | float]) -> Cache:
        """That of a split which is decoded as `how` says. The stamp changes with any file's name, size or time of change."""
        name = hash_of([*how, repr(str(listing.folder.resolve())), listing.limit])[:NAME_LENGTH]
        digest = sha256()
        for position, file in enumerate(listing.names):
            digest.update(repr((file, listing.labels[position], *_size_and_time(listing.path(position)))).encode())
        return cls(what, root / "decoded" / name, digest.hexdigest())

    @property
    def facts_path(self) -> Path:
        """What the images are."""
        return self.path.with_suffix(".npz")

    @property
    def pixels_path(self) -> Path:
        """The images."""
        return self.path.with_suffix(".pixels")

    def find(self, names: Iterable[str], emit: Listener) -> Facts | None:
        """These arrays of an earlier decoding; None, with a line that says why, where they cannot be used any more."""
        try:
            with self.facts_path.open("rb") as file, np.load(file) as stored:
                told = {name: stored[name] for name in stored.files if name != "images"}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
            told = {}
        wrong = self._wrong(told, names)
        if wrong:
            emit(Notice(f"{self.what}: the cache of decoded images {wrong}: it is made anew"))
            return None
        return told

    def _wrong(self, told: Facts, names: Iterable[str]) -> str:
        """Why what is kept cannot be used; nothing where it can."""
        if not told:
            return "is damaged"
        if "version" not in told or told["version"].tolist() != VERSION:
            return "is of another version"
        if str(told.get("stamp")) != self.stamp:
            return "is of files that have changed since"
        return "" if set(names) <= set(told) else "is damaged"

    def keep(self, facts: Facts) -> None:
        """Write what the images are; the images themselves are there already. Raises StorageError."""
        arrays: Facts = {"version": np.array(VERSION), "stamp": np.array(self.stamp), **facts}
        write_atomically(self.facts_path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]

    def write_pixels(self, write: Callable[[IO[bytes]], object]) -> None:
        """Write the images, whole or not at all. Raises StorageError where the disk is full."""
        self.facts_path.unlink(missing_ok=True)  # what it says is not true of the new ones
        write_atomically(self.pixels_path, write)

    @contextlib.contextmanager
    def alone(self, emit: Listener) -> Iterator[None]:
        """Be the only process that makes this cache; wait for another that is at it. Raises StorageError.

        What a process that was killed left half written is removed.
        """
        path = self.path.with_suffix(".lock")
        try:
            held = Lease.take(path)
            if held is None:
                emit(Notice(f"{self.what}: another process is decoding the same images; waiting for it"))
            while held is None:
                held = Lease.take(path, LOOK_EVERY_S)
        except OSError as error:
            raise write_error(path, error) from None
        try:
            for half in path.parent.glob(f"{WRITING}{self.path.name}.*"):
                half.unlink(missing_ok=True)
            yield
        finally:
            held.end()


def _size_and_time(path: Path) -> tuple[int, int]:
    """Zeros for a link that leads nowhere, which decoding will name as broken."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def remembered(root: Path, of: list[Any], find_out: Callable[[], str]) -> str:
    """A hash that takes long to find out, kept on the disk under all that it depends on; a disk that cannot keep it costs time alone."""
    path = root / "decoded" / f"{hash_of([VERSION, *of])[:NAME_LENGTH]}.sha256"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        told = path.read_text().strip()
        if len(told) == sha256().digest_size * 2:
            return told
    found = find_out()
    with contextlib.suppress(StorageError):
        write_atomically(path, lambda file: file.write(found.encode()))
    return found

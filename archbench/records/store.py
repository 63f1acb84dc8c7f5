"""A folder of Records. Files appear whole or not at all; what cannot be read is named and the rest is still read."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json

from archbench.errors import ArchbenchError, StorageError
from archbench.records.coded import Coded, Codes
from archbench.records.lease import Lease
from archbench.records.looking import RUNS
from archbench.records.schema import ID_LENGTH, SCHEMA_VERSION, Record, StoredFile, content_hash, readable

SETTLED = ("ok", "diverged")  # the one that counts first
FILES = "files"  # the folder of predictions, weights, and what whitened images
WHITENING = "whitening-"  # begins the name of a file there that several runs share
TABLES = "tables"  # the one of what is made of Records
METADATA = "ro-crate-metadata.json"  # of a bundle, which unpacked is a results folder
WRITING = ".writing-"  # begins the name of a file that is not whole yet
PROBE_BYTES = 2**20
LONGEST_NAMED = 100  # bytes of a file's name in that of its temporary one


class Store:
    """The results folder: `runs/*.json`, and beside them `files/` (predictions, weights) and `checkpoints/`.

    `.leases/` holds an empty file for each key that a process is at.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs, self.checkpoints, self.leases = root / RUNS, root / "checkpoints", root / ".leases"
        self._keys: dict[str, str] = {}  # of the Records read so far, by the names of their files, which hold their ids

    @classmethod
    def of(cls, root: Path) -> Store:
        """The store of a folder that is there. Raises ArchbenchError for one that is not."""
        if not root.is_dir():
            raise ArchbenchError(f"there is no results folder {root}; archbench run makes one, --results looks elsewhere")
        return cls(root)

    def check_writable(self, option: str = "--results") -> None:
        """Raise StorageError now rather than after an hour of training: where a folder cannot be written, or the disk is full.

        `option` is the one with which the user names the folder.

        Folders that are not there yet are made when they are needed, in the root, which is tried too.
        """
        folder = self.runs
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            for folder in (self.root, self.runs, self.root / FILES, self.checkpoints, self.leases):
                if os.path.lexists(folder):
                    with tempfile.TemporaryFile(dir=folder) as file:
                        file.write(b"0" * PROBE_BYTES)
        except OSError as error:
            shown = self.root if folder == self.runs else folder
            raise StorageError(f"{write_error(shown, error)}; {option} names another folder") from None

    @contextlib.contextmanager
    def lease(self, key: str) -> Iterator[bool]:
        """Be the one process that runs a key, while the context lasts; False where another is. Raises StorageError.

        What a process that was killed left half-written of the key's checkpoint is removed.
        """
        try:
            held = Lease.take(self.leases / key)
        except OSError as error:
            raise write_error(self.leases / key, error) from None
        try:
            if held is not None:
                for half in self.checkpoints.glob(f"{WRITING}{self.checkpoint_path(key).name}-*"):
                    half.unlink(missing_ok=True)
            yield held is not None
        finally:
            if held is not None:
                held.end()

    def is_at_work(self, key: str) -> bool:
        """Whether a process holds the lease of a key. Nothing is written."""
        return Lease.is_held(self.leases / key)

    def save(self, record: Record) -> Path:
        """Write a Record and return its path. Raises ArchbenchError when the disk is full or the folder not writable."""
        path = self.path_of(record)
        text = readable(record.model_dump(mode="json"))
        write_atomically(path, lambda file: file.write(text.encode()))
        return path

    def path_of(self, record: Record) -> Path:
        """Where a Record lies."""
        return self.runs / f"{plain_name(record.model.label)}-{record.kind}-{record.id}.json"

    def paths(self, pattern: str = "*.json") -> list[Path]:
        """The files of Records, or those of some names. Raises ArchbenchError where their folder cannot be read: it may hold some."""
        try:
            os.scandir(self.runs).close()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self.runs.is_symlink():
                return []
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                raise ArchbenchError(f"{self.runs} is not a folder") from None
            raise ArchbenchError(f"{self.runs} cannot be read: {error.strerror or error}") from None
        return sorted(self.runs.glob(pattern))

    def load(self, pattern: str = "*.json") -> tuple[list[Record], list[str]]:
        """All Records, or those in files of some names, oldest first, and a line for each file that cannot be read. Raises as `paths`."""
        records, problems = [], []
        for path in self.paths(pattern):
            try:
                record = read_record(path)
                self._keys[path.name] = record.key
                records.append(record)
            except ArchbenchError as error:
                problems.append(str(error))
        return sorted(records, key=by_age), problems

    def find(self, label: str, kind: str, key: str) -> Record | None:
        """The Record that stands for a key, as it is on the disk now.

        Only files named after the model and the kind are read, and of those that were read before only the ones of this key.
        """
        found = []
        for path in self.paths(f"{plain_name(label)}-{kind}-*.json"):
            if self._keys.get(path.name, key) == key:
                found += self.load(path.name)[0]
        return settled(sorted(found, key=by_age)).get(key)

    def write_file(self, relative: Path, write: Callable[[IO[bytes]], Any]) -> StoredFile:
        """Write a file beside the Records and return its size and hash."""
        path = self.root / relative
        write_atomically(path, write)
        content = path.read_bytes()
        return StoredFile(path=relative.as_posix(), bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def keep_checkpoint(self, key: str, content: bytes) -> None:
        """Write a training's checkpoint in place of the one before."""
        write_atomically(self.checkpoint_path(key), lambda file: file.write(content))

    def checkpoint_path(self, key: str) -> Path:
        """Where a training of this key keeps its checkpoint."""
        return self.checkpoints / f"{key}.pt"


def by_age(record: Record) -> tuple[str, str]:
    """The key by which Records come oldest first."""
    return record.created, record.id


def plain_name(label: str) -> str:
    """A label as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9+=_.-]", "_", label)[:80]


def settled(records: Iterable[Record]) -> dict[str, Record]:
    """The Record that stands for each key: the newest ok one, else the newest that diverged. `records` come oldest first."""
    found = list(records)
    places = standing(Coded.of([record.key for record in found]), Coded.of([record.status for record in found]))
    return {found[place].key: found[place] for place in places.tolist()}


def standing(keys: Coded, statuses: Coded) -> Codes:
    """The places of those Records, in order, by the key and the status of each."""
    last = np.full(len(keys.values), -1)  # of each key
    for status in reversed(SETTLED):
        places = statuses.places(status)
        last[keys.codes[places]] = places  # of one key the last of them stays
    return np.sort(last[last >= 0])


def with_result(records: Iterable[Record]) -> Counter[str]:
    """How many Records of each key have a result: what `--rerun` adds one to."""
    return Counter(record.key for record in records if record.status in SETTLED)


def is_place(path: str) -> bool:
    """Whether a Record may name a file by this path: one in the folder of a store that is for them."""
    parts = PurePosixPath(path).parts
    return parts[:1] == (FILES,) and ".." not in parts and "\\" not in path and "\0" not in path


def read_record(path: Path) -> Record:
    """Read one Record; its id is checked on what is stored. Raises ArchbenchError that names the file."""
    return read_hashed(path)[0]


def read_hashed(path: Path) -> tuple[Record, str]:
    """The same, and the whole hash of what it holds, of which its id is the beginning."""
    if not path.is_file():
        raise ArchbenchError(f"{path.name} is not a file")
    try:
        stored = _parsed(path.read_bytes())
    except OSError as error:
        raise ArchbenchError(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ArchbenchError(f"{path.name} is not JSON: damaged or not a Record") from None
    if not isinstance(stored, dict) or not isinstance(stored.get("schema_version"), int):
        raise ArchbenchError(f"{path.name} is JSON but not a Record: it has no schema_version")
    if stored["schema_version"] > SCHEMA_VERSION:
        raise ArchbenchError(
            f"{path.name} has schema {stored['schema_version']}, this archbench reads up to {SCHEMA_VERSION}: upgrade archbench"
        )
    try:
        whole = content_hash(stored)
    except (UnicodeEncodeError, RecursionError):
        raise ArchbenchError(f"{path.name} holds what no Record holds: damaged or not a Record") from None
    if stored.get("id") != whole[:ID_LENGTH]:
        raise ArchbenchError(f"{path.name} was changed after it was written: its id is {stored.get('id')!r}, not {whole[:ID_LENGTH]!r}")
    try:
        return Record.model_validate(stored), whole
    except ValidationError as error:
        raise ArchbenchError(f"{path.name} is not a Record: {_first(error)}") from None


def _parsed(content: bytes) -> Any:
    """What JSON says; by pydantic's parser, which takes a third of the time, and by Python's where that one sees no JSON.

    Raises ValueError, or RecursionError.
    """
    try:
        return from_json(content)
    except ValueError:
        return json.loads(content)


def _beginning(name: str) -> str:
    return os.fsencode(name)[:LONGEST_NAMED].decode(errors="ignore")


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write to a temporary name, flush to disk, rename. Raises ArchbenchError, and leaves nothing behind, when that fails.

    A link is written through, and what is neither a file nor absent (a folder, a device) is refused.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise StorageError(f"cannot write {path}: it is {'a folder' if path.is_dir() else 'no regular file'}")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{WRITING}{_beginning(path.name)}-", delete=False) as file:
            temporary = Path(file.name)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _flush_folder(path.parent)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise write_error(path, error) from None
        raise


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable, where folders can be opened (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_error(path: Path, error: OSError) -> StorageError:
    """What an error of the system means for who wrote to a path."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"no space left on the disk to write {path}; what was finished before is kept")
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        met = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else path
        folder = next((each for each in (met, *met.parents) if each.exists() and not each.is_dir()), path.parent)
        return StorageError(f"cannot write {path}: {folder} is no folder")
    return StorageError(f"cannot write {path}: {error.strerror or error}")


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    place, said = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
    return f"{place}: {said}" if place else said

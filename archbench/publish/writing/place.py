"""Where one file is to be written: nothing that somebody else put there is lost, and that is known before the file is made."""

from __future__ import annotations

from pathlib import Path

from archbench.errors import ArchbenchError, StorageError

HEAD = 4096  # bytes, in which a file names what made it


def check(path: Path, mark: bytes, what: str) -> None:
    """Raise ArchbenchError for a file that is there and is no report, citation or bundle (`what`), whose head holds `mark`.

    Raises StorageError for what is no file.
    """
    if path.exists() and not path.is_file():
        raise StorageError(f"cannot write {path}: it is {'a folder' if path.is_dir() else 'no regular file'}")
    if path.is_file() and path.stat().st_size and mark not in _head(path):
        raise ArchbenchError(f"{path} is there and is no {what} of archbench; --out names another file")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)

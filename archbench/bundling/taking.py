"""Takes a bundle into a store, by the rules by which stores are joined. Anybody may have made it, so that it is looked through first.

Nothing is taken of an archive that is damaged, that is larger unpacked than MOST_BYTES or than what is free, of more than MOST_FILES files,
with a Record larger than MOST_RECORD_BYTES, or with a name that leads out of it; none whose Records were changed, or whose files are not
those that its Records name.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Container, Iterator, Sequence
from pathlib import Path, PurePosixPath

from archbench.errors import ArchbenchError, brief
from archbench.records.located import Located
from archbench.records.merging import Merged, check_places, is_whole, merge
from archbench.records.schema import StoredFile
from archbench.records.store import FILES

MOST_BYTES, MOST_RECORD_BYTES, MOST_FILES = 16 * 2**30, 2**28, 200_000
RUNS = "runs"
TAKEN = (RUNS, FILES)  # folders of an archive that a store keeps; tables and texts are made again from the Records
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, UnicodeDecodeError, RuntimeError)


def take(path: Path, into: Path) -> Merged:
    """Add the Records of a bundle, and the files beside them, to the store `into`, which is made where there is none.

    Raises ArchbenchError, and writes nothing there, for what is no whole, unaltered bundle, and as `merge` does.
    """
    with unpacked_from(path, TAKEN) as unpacked:
        _check(path, unpacked)
        try:
            merged = merge([unpacked], into, "--results")
        except ArchbenchError as error:
            raise type(error)(str(error).replace(str(unpacked), str(path))) from None
    return Merged(merged.added, merged.there, merged.files, (), tuple(each.replace(str(unpacked), str(path)) for each in merged.problems))


@contextlib.contextmanager
def unpacked_from(path: Path, folders: Container[str] | None = None) -> Iterator[Path]:
    """A temporary folder, named like the archive, with all its files, or those of some folders.

    Raises ArchbenchError where the archive cannot be read to its end, or holds what no bundle holds.
    """
    with tempfile.TemporaryDirectory(prefix="archbench-bundle-") as beside:
        folder = Path(beside) / path.name
        folder.mkdir()
        _unpack(path, folder, folders)
        yield folder


def _unpack(path: Path, folder: Path, folders: Container[str] | None) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(path, entries, shutil.disk_usage(folder).free)
            for entry in entries:
                if entry.is_dir() or (folders is not None and PurePosixPath(entry.filename).parts[0] not in folders):
                    continue
                place = folder / entry.filename
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, place.open("xb") as target:
                    shutil.copyfileobj(source, target)
    except FileNotFoundError:
        raise ArchbenchError(f"there is no file {path}") from None
    except DAMAGED as error:
        raise ArchbenchError(f"{path} is damaged or no zip archive: {brief(error)}; nothing is taken") from None
    except OSError as error:
        raise ArchbenchError(f"{path} cannot be unpacked: {error.strerror or brief(error)}") from None


def _check_entries(path: Path, entries: Sequence[zipfile.ZipInfo], free_bytes: int) -> None:
    """Raise ArchbenchError for an archive that is too large or plays tricks with names, whichever file."""
    total, most = sum(entry.file_size for entry in entries), min(MOST_BYTES, free_bytes)
    if len(entries) > MOST_FILES or total > most:
        limit = f"{MOST_FILES:,} files and {most / 2**30:,.1f} GiB are the most"
        raise ArchbenchError(f"{path} holds {len(entries):,} files of {total / 2**30:,.1f} GiB unpacked; {limit}; nothing is taken")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if entry.orig_filename != name:  # later Pythons take another from a field beside it, and unpack by that
            raise ArchbenchError(f"{path} is no bundle: {name!r} has another name beside; nothing is taken")
        if (reason := _fault(entry)) is not None:
            raise ArchbenchError(f"{path} is no bundle: {name!r} {reason}; nothing is taken")
        if name.casefold() in seen:
            raise ArchbenchError(f"{path} is no bundle: it holds {name!r} twice; nothing is taken")
        seen.add(name.casefold())


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """What makes an entry one that is not unpacked."""
    name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or "\\" in name or ":" in name or "\0" in name or not name.isprintable():
        return "is no plain name inside an archive"
    if any(part in ("", ".", "..") for part in parts):
        return "leads out of the archive"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or no regular file"
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is encrypted or compressed in an unusual way"
    if parts[0] == RUNS and entry.file_size > MOST_RECORD_BYTES:
        return f"is larger than any Record: {entry.file_size:,} bytes"
    return None


def _check(path: Path, unpacked: Path) -> None:
    """Raise ArchbenchError unless each file of `runs` is a Record as it was written, and each other one is a file that they name."""
    files = sorted(unpacked.glob(f"{RUNS}/*"))
    if not files:
        raise ArchbenchError(f"{path} is damaged or no bundle: it holds no Records, which lie in its folder {RUNS}")
    named: dict[str, StoredFile] = {}
    for file in files:
        try:
            record = Located.read(file).record
            check_places(record)
        except ArchbenchError as error:
            raise ArchbenchError(f"{path}: {error}; nothing is taken") from None
        named |= {stored.path: stored for stored in record.files}
    for file in sorted(place for place in unpacked.rglob("*") if place.is_file() and place.parent != unpacked / RUNS):
        relative = file.relative_to(unpacked).as_posix()
        if relative not in named:
            raise ArchbenchError(f"{path}: no Record of it names {relative}; nothing is taken")
        if not is_whole(named[relative], file):
            raise ArchbenchError(f"{path}: {relative} is not the file that its Record names, its hash differs; nothing is taken")

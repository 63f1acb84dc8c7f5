"""What a user names as Records: one of them, a file, a folder, or a folder as it was at a commit."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path, PurePath

from archbench.errors import ArchbenchError, brief
from archbench.records.schema import ID_LENGTH, Record
from archbench.records.store import Store, read_record

ID = re.compile(rf"[0-9a-f]{{4,{ID_LENGTH}}}")


def records_of(named: str, results: Path) -> list[Record]:
    """The Records behind a file, a results folder, `COMMIT:FOLDER`, or the beginning of an id in the folder `results`.

    Raises ArchbenchError in one line where there is nothing of the kind, or a Record cannot be read.
    """
    path = Path(named).expanduser()
    if path.is_dir():
        return _all_of(path, named)
    if path.exists():
        return [read_record(path)]
    if ID.fullmatch(named):
        return [one_record(named, results)]
    revision, colon, folder = named.partition(":")
    if colon and revision and folder:
        return _at_commit(revision, folder)
    raise ArchbenchError(f"{named!r} is no file, results folder, Record id or COMMIT:FOLDER")


def folder_of(named: str, results: Path) -> Path | None:
    """The results folder in which `records_of` finds them, and beside them their files; None for those of a commit."""
    path = Path(named).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        return path.resolve().parent.parent
    return results if ID.fullmatch(named) else None


def _all_of(folder: Path, named: str) -> list[Record]:
    records, problems = Store(folder).load()
    if problems:
        raise ArchbenchError(f"{named}: {problems[0]}")
    if not records:
        raise ArchbenchError(f"{named} holds no Records; they lie in its folder runs")
    return records


def one_record(beginning: str, results: Path) -> Record:
    """The Record of a folder whose id begins so. Raises ArchbenchError where there is none, or more than one."""
    if not ID.fullmatch(beginning):
        raise ArchbenchError(f"{beginning!r} is no id of a Record: 4 to {ID_LENGTH} of 0-9 and a-f; archbench runs lists ids")
    found = [record for record in Store(results).load()[0] if record.id.startswith(beginning)]
    if len(found) != 1:
        count = "no Record" if not found else f"{len(found)} Records"
        raise ArchbenchError(f"{count} in {results} with an id that begins with {beginning}; archbench runs lists ids")
    return found[0]


def training_of(beginning: str, results: Path) -> Record:
    """The training of a folder whose id begins so. Raises ArchbenchError where there is none, or more than one Record."""
    record = one_record(beginning, results)
    if record.kind != "train":
        raise ArchbenchError(f"{record.id} is no training but {record.kind}, so it has no weights; archbench runs --where kind=train")
    return record


def _at_commit(revision: str, folder: str) -> list[Record]:
    """What `git archive` gives of a folder, read like any other."""
    if revision.startswith("-"):
        raise ArchbenchError(f"{revision}:{folder} names no commit: git would take {revision} for an option")
    if PurePath(folder).is_absolute() or ".." in PurePath(folder).parts:
        raise ArchbenchError(f"{revision}:{folder} names no folder of a commit: it goes from the working directory downwards, without ..")
    command = ["git", "archive", "--format=tar", revision, "--", folder]
    try:
        answer = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise ArchbenchError(f"{revision}:{folder} cannot be read: {error}") from None
    if answer.returncode != 0:
        said = (answer.stderr.decode(errors="replace").strip().splitlines() or ["git said nothing"])[0]
        raise ArchbenchError(f"{revision}:{folder} cannot be read: {said.removeprefix('fatal: ')}")
    with tempfile.TemporaryDirectory() as unpacked:
        try:
            with tarfile.open(fileobj=io.BytesIO(answer.stdout)) as archive:
                archive.extractall(unpacked, filter="data")
        except tarfile.TarError as error:  # a link that leads out of the folder, say
            raise ArchbenchError(f"{revision}:{folder} cannot be read: {brief(error)}") from None
        return _all_of(Path(unpacked) / folder, f"{revision}:{folder}")

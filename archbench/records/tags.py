"""Marks on Records. A Record is never edited, so they lie beside the Records, in `tags.json` of the store: the tags of each id."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import StringConstraints, ValidationError

from archbench.errors import ArchbenchError, StorageError
from archbench.records.lease import Lease
from archbench.records.schema import Strict
from archbench.records.store import Store, write_atomically

FILE, LOCK, WAIT_S = "tags.json", "tags", 30.0
FORMAT = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")

Tags = Mapping[str, tuple[str, ...]]


class Stored(Strict):
    """What the file holds."""

    format: int
    tags: dict[str, tuple[Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")], ...]]


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """Tags that may be set, each once, in order. Raises ArchbenchError for any other text."""
    found = tuple(sorted(set(names)))
    for name in found:
        if not NAME.fullmatch(name):
            raise ArchbenchError(f"a tag is up to 60 letters, digits and ._+- and begins with a letter or digit (got {name!r})")
    return found


def load(store: Store) -> Tags:
    """The tags of each Record that has any. Raises ArchbenchError where the file is damaged."""
    path = store.root / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ArchbenchError(f"{path} cannot be read: {error.strerror}") from None
    try:
        stored = Stored.model_validate_json(content)
    except ValidationError:
        raise ArchbenchError(f"{path} is damaged or no file of tags; without it no Record is tagged, and nothing else is lost") from None
    if stored.format > FORMAT:
        raise ArchbenchError(f"{path} has format {stored.format}, this archbench reads up to {FORMAT}: upgrade archbench")
    return stored.tags


def change(store: Store, ids: Iterable[str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> Tags:
    """Set and take away tags of Records, by their ids, and return all there are then. Others may do the same meanwhile.

    Raises ArchbenchError for what is no tag, and StorageError where the file cannot be written.
    """
    added, removed = set(checked(add)), set(checked(remove))
    path = store.root / FILE
    try:
        lease = Lease.take(store.leases / LOCK, WAIT_S)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
    if lease is None:
        raise StorageError(f"cannot write {path}: another process has held it for {WAIT_S:.0f} s")
    try:
        before = load(store)
        tags = {**before, **{record: tuple(sorted({*before.get(record, ()), *added} - removed)) for record in ids}}
        tags = {record: names for record, names in sorted(tags.items()) if names}
        if tags != before:
            text = _readable(tags)
            write_atomically(path, lambda file: file.write(text.encode()))
    finally:
        lease.end()
    return tags


def _readable(tags: Tags) -> str:
    """A line for each Record, so that a diff can be read."""
    lines = ",\n".join(f"{json.dumps(record)}:{json.dumps(names)}" for record, names in tags.items())
    return f'{{"format":{FORMAT},"tags":{{\n{lines}\n}}}}\n'

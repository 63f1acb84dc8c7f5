"""Where a name leads: an architecture of the zoo, `timm:NAME`, `torchvision:NAME`, or `FILE.py:FUNCTION`, a user's own."""

from __future__ import annotations

import fnmatch

import zoo
from archbench.errors import ArchbenchError
from archbench.models import foreign, user_file
from archbench.models.entry import Entry
from archbench.models.source import source_hash
from zoo import registry


def is_external(name: str) -> bool:
    """Whether a name leads out of the zoo."""
    return foreign.is_foreign(name) or user_file.is_user_file(name)


def entry(name: str) -> Entry:
    """What a full name or an alias leads to. Raises ArchbenchError in one line when there is nothing."""
    if foreign.is_foreign(name):
        return foreign.foreign_entry(name)
    if user_file.is_user_file(name):
        return user_file.user_entry(name)
    try:
        return Entry(zoo.get(name), registry.builder(name), source_hash(name))
    except zoo.ZooError as error:
        raise ArchbenchError(str(error)) from None


def matching(pattern: str) -> list[str]:
    """Full names that match a pattern, in whichever room its prefix names."""
    if user_file.is_user_file(pattern):
        wanted = pattern.rpartition(":")[2]
        return [name for name in user_file.functions(pattern) if fnmatch.fnmatchcase(name.rpartition(":")[2], wanted)]
    known = foreign.known(pattern.partition(":")[0] + ":") if foreign.is_foreign(pattern) else zoo.names()
    return [name for name in known if fnmatch.fnmatchcase(name, pattern)]

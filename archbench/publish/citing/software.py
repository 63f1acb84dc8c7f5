"""archbench itself, as its CITATION.cff says: the one of the source tree, or the copy that an installed package carries."""

from __future__ import annotations

import functools
import importlib.metadata
from pathlib import Path
from typing import Any

import yaml

import archbench
from archbench.errors import ArchbenchError
from archbench.publish.citing.bibtex import Entry

FILE, LICENSES = "CITATION.cff", "licenses"  # the folder of a package's metadata in which its licence files lie


@functools.cache
def text() -> str:
    """What the file holds. Raises ArchbenchError where neither the source tree nor the package has it."""
    root = Path(archbench.__file__).parent.parent
    if (root / "pyproject.toml").is_file() and (root / FILE).is_file():
        return (root / FILE).read_text(encoding="utf-8")
    try:
        installed = importlib.metadata.distribution("archbench").read_text(f"{LICENSES}/{FILE}")
    except importlib.metadata.PackageNotFoundError:
        installed = None
    if installed is None:
        raise ArchbenchError(f"{FILE} is not there: archbench is neither installed nor in its source tree")
    return installed


def entry() -> Entry:
    """The entry for archbench: as `@misc`, which every style of BibTeX knows."""
    said: dict[str, Any] = yaml.safe_load(text())
    return Entry.of_text(
        "misc",
        "archbench",
        title=said["title"],
        year=str(said["date-released"])[:4],
        version=str(said["version"]),
        howpublished="Computer software",
        url=said.get("repository-code") or said.get("url") or "",
    ).beside({"author": " and ".join(map(_author, said["authors"]))})


def _author(said: dict[str, str]) -> str:
    """`{The archbench authors}` for an entity, `Lin, Min` for a person."""
    if "name" in said:
        return "{" + said["name"] + "}"
    return f"{said['family-names']}, {said['given-names']}"

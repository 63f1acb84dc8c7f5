"""What class folders hold, before any image is opened: `SPLIT/CLASS/*` becomes class names, files and labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from archbench.errors import ArchbenchError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


@dataclass(frozen=True)
class Listing:
    """The image files of one split, by their names below `folder`, and their labels.

    `others` counts files that are no images by their suffix; `limit` is how many were asked for, where that is not all.
    """

    folder: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]
    others: int = 0
    limit: int | None = None

    def __len__(self) -> int:
        return len(self.names)

    def path(self, position: int) -> Path:
        """One of the files."""
        return self.folder / self.names[position]

    def take(self, indices: torch.Tensor) -> Listing:
        """The files at these positions."""
        kept = indices.tolist()
        return Listing(self.folder, tuple(self.names[i] for i in kept), tuple(self.labels[i] for i in kept), self.others, len(kept))


def class_folders(splits: Mapping[str, Path]) -> tuple[str, ...]:
    """Names of the classes, sorted; the same in every split. Raises ArchbenchError where they are not, or fewer than two."""
    first, *others = splits.values()
    classes = tuple(sorted(_visible_folders(first)))
    if len(classes) < 2:
        found = f"one class folder ({classes[0]})" if classes else "no class folder"
        raise ArchbenchError(f"{first} has {found}; it needs a folder for each of at least two classes")
    for other in others:
        if differing := sorted(set(classes) ^ set(_visible_folders(other))):
            where = first.name if differing[0] in classes else other.name
            raise ArchbenchError(f"the classes of {first.name}/ and {other.name}/ differ: {differing[0]!r} is only in {where}/")
    return classes


def _visible_folders(folder: Path) -> Iterator[str]:
    """Names of the folders inside, hidden ones left out. Raises ArchbenchError for a name that is not text."""
    for path in folder.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            yield _as_text(path)


def _as_text(path: Path) -> str:
    if not path.name.isprintable():  # lone surrogates stand for bytes that are not UTF-8
        raise ArchbenchError(f"{path.name!r} in {path.parent} is not a readable name; rename it")
    return path.name


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name that the system cannot hold is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def list_files(split: Path, classes: tuple[str, ...]) -> Listing:
    """The image files below each class folder, sorted. Raises ArchbenchError for a class without any."""
    names: list[str] = []
    labels: list[int] = []
    others = 0
    for label, name in enumerate(classes):
        present = list(_walk(split / name))
        found = sorted(path for path in present if path.suffix.lower() in SUFFIXES)
        others += len(present) - len(found)
        if not found:
            raise ArchbenchError(f"{split / name} has no image ({', '.join(sorted(SUFFIXES))})")
        names.extend(str(path.relative_to(split)) for path in found)
        labels.extend([label] * len(found))
    return Listing(split, tuple(names), tuple(labels), others)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if not name.startswith("."))

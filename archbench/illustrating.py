"""What a notebook calls for figures, and the command line too: pictures from a results folder, drawn, written and checked."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archbench.config import INDEX, Settings, expanded, split_names
from archbench.errors import ArchbenchError, unknown
from archbench.publish.citing import of_tables
from archbench.publish.figures import gallery
from archbench.publish.figures.files import FORMATS
from archbench.publish.figures.look import FURTHER_LETTERS, Look, lacking
from archbench.publish.figures.picture import Picture
from archbench.records import index
from archbench.records.store import Store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LETTERS = 20  # that a line names


@dataclass(frozen=True)
class Pictured:
    """The pictures that a folder's Records give; a line for each figure of which they give none, and for each file that cannot be read.

    `boxes` is a line where the names of networks or data have letters that no font has, else empty.
    """

    pictures: list[Picture]
    missing: list[str]
    problems: list[str]
    boxes: str


def figures(
    *names: str,
    results: str | Path = Settings.results,
    models: str | Iterable[str] = "*",
    dataset: str | None = None,
    style: str = "paper",
    columns: int = 2,
    captioned: bool = True,
) -> dict[str, Figure]:
    """Figures from the Records of a folder, by the name that `archbench figures` gives their files; all without `names`.

    `names` are figures (lineage) or pictures (lineage-3x32x32-b4).

    They are matplotlib's own, in inches of the style (paper, talk, web) at one or two columns: `figure.savefig("x.pdf")`. Unless
    `captioned`, condition and notes are left out of them; `figure.get_label()` has the caption either way. A UserWarning says what would
    make a figure of which there are no Records. Raises ArchbenchError for a name, model or style that is not known.
    """
    look = Look.of(style, checked_columns(columns), captioned)
    found = pictured(names, expanded(Path(results)), split_names(models) if isinstance(models, str) else tuple(models), dataset)
    for line in filter(None, [*found.missing, found.boxes, *found.problems]):
        warnings.warn(line, stacklevel=2)
    return {stem: figure for picture in found.pictures for stem, figure in gallery.drawn(picture, look)}


def pictured(names: Sequence[str], results: Path, models: Sequence[str], dataset: str | None) -> Pictured:
    """What the Records of a folder give of these figures. Raises ArchbenchError as `figures` does, and where there is no such folder."""
    asked = gallery.asked(names)
    stored, problems = index.load(Store.of(results), INDEX)
    records = of_tables.asked(stored, models, dataset) if stored else []
    found = {name: gallery.pictures(name, records) for name in asked}
    missing = [gallery.missing(name) for name, made in found.items() if not made]
    pictures = gallery.chosen([picture for made in found.values() for picture in made], names)
    return Pictured(pictures, missing, problems, _boxes(pictures))


def _boxes(pictures: Sequence[Picture]) -> str:
    letters = lacking(json.dumps(picture.data, ensure_ascii=False) for picture in pictures)
    if not letters:
        return ""
    said = letters if len(letters) <= MOST_LETTERS else f"{letters[:MOST_LETTERS]}…"
    return f"no font here has {said}: drawn as boxes, unless one of these that has is installed: {', '.join(FURTHER_LETTERS)}"


def checked_formats(text: str) -> tuple[str, ...]:
    """`"pdf,svg"` to `("pdf", "svg")`. Raises ArchbenchError, with the near name, for a format that is not known."""
    formats = tuple(dict.fromkeys(split_names(text)))
    for form in formats:
        if form not in FORMATS:
            raise unknown("format", form, FORMATS)
    if not formats:
        raise ArchbenchError(f"--format takes {', '.join(FORMATS)}, one or several with commas")
    return formats


def checked_columns(columns: int) -> int:
    """Raises ArchbenchError for what is not one or two."""
    if columns not in (1, 2):
        raise ArchbenchError(f"--columns takes 1 or 2 (got {columns})")
    return columns

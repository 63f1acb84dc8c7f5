"""The figures that there are, by name, and what a store's Records give of each."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import matplotlib
from matplotlib.figure import Figure

from archbench.errors import ArchbenchError, unknown
from archbench.publish.figures import against_macs, curves, data_scale, error, lineage, maps, minutes, pointwise, roofline, shares
from archbench.publish.figures.look import Look
from archbench.publish.figures.picture import Picture
from archbench.records.schema import Record

FIGURES: dict[str, ModuleType] = {
    "error": error,
    "lineage": lineage,
    "shares": shares,
    "roofline": roofline,
    "pointwise": pointwise,
    "time": against_macs,
    "curves": curves,
    "data_scale": data_scale,
    "minutes": minutes,
    "maps": maps,
}
NAMES = tuple(FIGURES)


def asked(names: Sequence[str]) -> list[str]:
    """The figures of these names, or of the pictures called so, each once; all where none is named.

    Raises ArchbenchError, with the near name, for an unknown one.
    """
    for name in names:
        if _figure(name) not in (*NAMES, "all"):
            raise unknown("figure", name, (*NAMES, "all"))
    return list(NAMES) if not names or "all" in names else list(dict.fromkeys(map(_figure, names)))


def is_asked(stem: str, names: Collection[str]) -> bool:
    """Whether a picture is among those that are named, by its figure or by the name of its files."""
    return not names or bool({"all", _figure(stem), stem} & set(names))


def chosen(made: Sequence[Picture], names: Sequence[str]) -> list[Picture]:
    """Those of the pictures that are named. Raises ArchbenchError, with the near name, for one that there is not."""
    stems = [picture.stem for picture in made]
    for name in names:
        if name not in (*NAMES, "all", *stems):
            raise unknown("picture", name, stems) if stems else ArchbenchError(missing(_figure(name)))
    return [picture for picture in made if is_asked(picture.stem, names)]


def _figure(name: str) -> str:
    return name.partition("-")[0]


def pictures(name: str, records: Sequence[Record]) -> list[Picture]:
    """What the Records give of a figure: a picture for each condition under which there is something to see."""
    found: list[Picture] = FIGURES[name].pictures(records)
    return found


def missing(name: str) -> str:
    """What would make a figure of which the Records give nothing."""
    return f"{name}: takes {FIGURES[name].MADE_BY}"


def drawn(picture: Picture, look: Look) -> list[tuple[str, Figure]]:
    """A picture in the sizes of a look, by the name of its file; several figures, `-1`, `-2` behind it, where one page does not hold it."""
    with settings(look):
        figures: list[Figure] = FIGURES[picture.name].draw(picture, look)
    return [(picture.stem + (f"-{place}" if len(figures) > 1 else ""), figure) for place, figure in enumerate(figures, 1)]


@contextmanager
def settings(look: Look) -> Iterator[None]:
    """matplotlib's settings while a figure is drawn or written; which letters become boxes is said once, before (`look.lacking`)."""
    with matplotlib.rc_context(cast(Any, look.rc())), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        yield

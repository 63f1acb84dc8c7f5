"""The figures that there are, by name, and what a store's Records give of each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

import matplotlib
from matplotlib.figure import Figure

from archbench.errors import unknown
from archbench.publish.figures import against_macs, curves, data_scale, error, lineage, pointwise, roofline, shares
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
}
NAMES = tuple(FIGURES)


def asked(names: Sequence[str]) -> list[str]:
    """The figures of these names, each once; all where none is named. Raises ArchbenchError, with the near name, for an unknown one."""
    for name in names:
        if name not in (*NAMES, "all"):
            raise unknown("figure", name, (*NAMES, "all"))
    return list(NAMES) if not names or "all" in names else list(dict.fromkeys(names))


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
    """matplotlib's settings while a figure is drawn or written; letters that no font has are drawn as boxes without a word about it."""
    with matplotlib.rc_context(cast(Any, look.rc())), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        yield

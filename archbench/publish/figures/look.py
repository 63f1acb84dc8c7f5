"""How figures look: sizes for paper, talk and web, colours and marks that grey print and the colour-blind can tell apart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib import font_manager

from archbench.errors import unknown

POINTS = 72  # of an inch
REFERENCE_PT = 8.0  # the text for which widths of lines and marks are written down
LINE = 1.3  # height of a line of text, in its size
LETTERS = "DejaVu Sans"  # comes with matplotlib, so that a label is as wide on any machine
# families that have letters which it lacks, where one is installed
FURTHER_LETTERS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans"),
    *("Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS", "Noto Sans Devanagari", "Noto Sans"),
)
# Okabe & Ito 2008
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    *("#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"),
)
INK, FAINT, MUTED, LINES, SHADE, BAND = "#1a1a1a", "#5c5c5c", "#7a7a7a", "#a6a6a6", "#ececec", "#f6f6f6"
# a colour, a mark and dashes each: any two differ in two of the three at least
SERIES = tuple(
    zip(
        (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, BLACK, SKY),
        ("o", "s", "^", "D", "v", "P", "X"),
        ("solid", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (8, 1.5)), (0, (2, 1)), (0, (4, 1, 1, 1, 1, 1))),
        strict=True,
    )
)
# fills of stacked bars: neighbours differ in lightness, in whatever order some are missing
FILLS: Mapping[str, tuple[str, str]] = {
    "channels": ("#0b3a67", ""),
    "space": ("#e07b39", ""),
    "both": ("#a9cfe8", ""),
    "head": ("#6b6b6b", "////"),
    "rest": ("#ececec", ""),
}


@dataclass(frozen=True)
class Style:
    """Sizes for one use: widths of one and of two columns and the greatest height, in inches; text, and small text, in points."""

    widths_in: tuple[float, float]
    most_height_in: float
    text_pt: float
    small_pt: float
    dpi: int
    titled: bool  # where no caption of the reader's own stands beside it


STYLES = {
    "paper": Style(widths_in=(3.3, 6.9), most_height_in=8.6, text_pt=8, small_pt=6.5, dpi=200, titled=False),
    "talk": Style(widths_in=(6.1, 12.4), most_height_in=6.8, text_pt=16, small_pt=12, dpi=120, titled=True),
    "web": Style(widths_in=(4.8, 9.6), most_height_in=12.0, text_pt=10, small_pt=8.5, dpi=110, titled=True),
}


@dataclass(frozen=True)
class Look:
    """A style at a number of columns; `captioned` where title, condition and notes are within the figure."""

    style: Style
    columns: int
    captioned: bool = True

    @classmethod
    def of(cls, style: str, columns: int, captioned: bool = True) -> Look:
        """Raises ArchbenchError, with the near name, for a style that is not known."""
        if style not in STYLES:
            raise unknown("style", style, STYLES)
        return cls(STYLES[style], columns, captioned)

    @property
    def width_in(self) -> float:
        """The whole figure's."""
        return self.style.widths_in[self.columns - 1]

    @property
    def scale(self) -> float:
        """By what the widths of lines and marks grow with the text."""
        return self.style.text_pt / REFERENCE_PT

    def line_in(self, size_pt: float) -> float:
        """Height of a line of text."""
        return LINE * size_pt / POINTS

    def rc(self) -> dict[str, Any]:
        """matplotlib's settings; a PDF holds the letters as a font, an SVG as shapes, as another font would change how wide names are."""
        text, small, scale = self.style.text_pt, self.style.small_pt, self.scale
        return {
            "font.family": families(),
            "font.size": text,
            "axes.labelsize": text,
            "axes.titlesize": text,
            "xtick.labelsize": small,
            "ytick.labelsize": small,
            "axes.linewidth": 0.6 * scale,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": FAINT,
            "ytick.color": FAINT,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            **{f"{axis}tick.major.{part}": size * scale for axis in "xy" for part, size in (("size", 2.5), ("width", 0.6), ("pad", 2))},
            **{f"{axis}tick.minor.{part}": size * scale for axis in "xy" for part, size in (("size", 1.5), ("width", 0.4))},
            "axes.labelpad": 2.5 * scale,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "lines.linewidth": 1.1 * scale,
            "hatch.linewidth": 0.6 * scale,
            "hatch.color": "white",
            "text.parse_math": False,  # a name with two dollar signs is no formula
            "text.hinting": "none",
            "pdf.fonttype": 42,
            "svg.fonttype": "path",
            "svg.hashsalt": "archbench",
            "savefig.dpi": self.style.dpi,
        }


def families() -> list[str]:
    """Those of the font families that are installed, in the order in which a letter is looked for."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    return [LETTERS, *(family for family in FURTHER_LETTERS if family in known)]


def lacking(texts: Iterable[str]) -> str:
    """The letters of these texts that no such font has, each once: they are drawn as boxes."""
    wanted = _without({sign for text in texts for sign in text if sign.isprintable()})
    if wanted:
        _meet_new_fonts()
    return "".join(sorted(_without(wanted)))


def _without(signs: set[str]) -> set[str]:
    """Those that none of the families has."""
    for family in families():
        font = font_manager.get_font(font_manager.findfont(family))
        signs = {sign for sign in signs if not font.get_char_index(ord(sign))}
    return signs


def _meet_new_fonts() -> None:
    """Fonts that were installed since matplotlib wrote down which there are; what it cannot read is no font for it."""
    manager = font_manager.fontManager
    for path in set(font_manager.findSystemFonts()) - {font.fname for font in manager.ttflist}:
        with contextlib.suppress(OSError, RuntimeError):
            manager.addfont(path)

"""How wide text is in a look, lines that fit, and names shortened to what there is room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from archbench.publish.figures.look import Look

LONGEST, TAIL = 40, 12  # characters of a name in a figure, and of its end where its middle is left out
TOGETHER, NO_BREAK = 20, "\u00a0"  # characters of what is not broken between its words; the space that does it
LONGEST_PART = {1: 0.4, 2: 0.24}  # of the width of a figure that a name may take, by columns


class Letters:
    """Measures text at the resolution of a look, under whose settings it must be used."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._renderer: Any = FigureCanvasAgg(Figure(dpi=look.style.dpi)).get_renderer()  # type: ignore[no-untyped-call]
        self._widths: dict[tuple[str, float, str], float] = {}

    def width_in(self, text: str, size_pt: float, weight: str = "normal") -> float:
        """How wide a line of text is."""
        known = (text, size_pt, weight)
        if known not in self._widths:
            font = FontProperties(size=size_pt, weight=weight)
            self._widths[known] = self._renderer.get_text_width_height_descent(text, font, ismath=False)[0] / self.look.style.dpi
        return self._widths[known]

    def fitted(self, text: str, size_pt: float, room_in: float) -> str:
        """The text, of which as little as must be is left out before its end where it is wider than there is room."""
        kept = min(len(text), LONGEST)
        while True:
            tail = min(TAIL, kept // 3)
            short = text if kept == len(text) else f"{text[: kept - tail]}…{text[len(text) - tail :]}"
            if kept < 3 or self.width_in(short, size_pt) <= room_in:
                return short
            kept -= 1

    def shortened(self, names: Sequence[str]) -> dict[str, str]:
        """Each name as it stands in this figure: a long one with some of its middle left out, those that would then be equal counted."""
        size, room_in = self.look.style.small_pt, LONGEST_PART[self.look.columns] * self.look.width_in
        found: dict[str, str] = {}
        counted: Counter[str] = Counter()
        for name in dict.fromkeys(names):
            short = self.fitted(printable(name), size, room_in)
            counted[short] += 1
            count = f"·{counted[short]}" * (counted[short] > 1)
            found[name] = short if not count else self.fitted(printable(name), size, room_in - self.width_in(count, size)) + count
        return found

    def wrapped(self, text: str, size_pt: float, room_in: float, weight: str = "normal", indent: str = "") -> list[str]:
        """The text in lines that fit; a word that does not is broken."""
        lines: list[str] = []
        space_in, used_in = self.width_in(" ", size_pt, weight), 0.0
        for word in printable(text).split(" "):
            word_in = self.width_in(word, size_pt, weight)
            if lines and used_in + space_in + word_in <= room_in:
                lines[-1] += f" {word}"
                used_in += space_in + word_in
                continue
            lines += self._broken(f"{indent if lines else ''}{word}", size_pt, room_in, weight)
            used_in = self.width_in(lines[-1], size_pt, weight)
        return lines if text else []

    def _broken(self, word: str, size_pt: float, room_in: float, weight: str) -> list[str]:
        parts = [word]
        while len(parts[-1]) > 1 and self.width_in(parts[-1], size_pt, weight) > room_in:
            last = parts.pop()
            fits = max(1, int(len(last) * room_in / self.width_in(last, size_pt, weight)) - 1)
            parts += [last[:fits], last[fits:]]
        return parts


def printable(text: str) -> str:
    """The text on one line, without what cannot be printed."""
    return "".join(sign if sign.isprintable() or sign == NO_BREAK else " " for sign in text)


def kept_together(text: str, between: str = " · ") -> str:
    """The parts of a line, the short ones with spaces at which it is not broken."""
    return between.join(part.replace(" ", NO_BREAK) if len(part) <= TOGETHER else part for part in text.split(between))

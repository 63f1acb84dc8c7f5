"""A sheet of known width: a title and the condition on top, a legend, room for axes, and notes below, all measured in inches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from archbench.publish.figures.letters import Letters, kept_together
from archbench.publish.figures.look import FAINT, POINTS, Look

EDGE_PT = 3.0  # free at the edge of a sheet, for text of 8 points

Legend = Sequence[tuple[Artist | None, str]]  # words alone where there is no mark


class Sheet:
    """Made in the order in which it is read; `axes` sets the height. To be used under the settings of its look.

    What stands above and below the axes is the figure's label too, a line each, and that alone where the look is not captioned.
    """

    def __init__(self, look: Look, title: str, condition: str, notes: Sequence[str], legend: Legend = ()) -> None:
        self.look = look
        self.figure = Figure(figsize=(look.width_in, 1), dpi=look.style.dpi, facecolor="white")
        FigureCanvasAgg(self.figure)
        self.letters = Letters(look)
        self.edge_in = EDGE_PT * look.scale / POINTS
        text, small = look.style.text_pt, look.style.small_pt
        room = look.width_in - 2 * self.edge_in
        self.figure.set_label("\n".join(filter(None, [title, condition, *notes])))
        if not look.captioned:
            title, condition, notes = "", "", ()
        titles = [(line, text, "bold") for line in self.letters.wrapped(title, text, room, "bold")] if look.style.titled else []
        self._head = [*titles, *((line, small, "normal") for line in self.letters.wrapped(kept_together(condition), small, room))]
        self._foot = [line for note in notes for line in self.letters.wrapped(f"· {note}", small, room, indent="  ")]
        self._legend = self._in_rows(legend, room)
        self._legend_in = len(self._legend) * self._legend_line_in + (0.5 * self._legend_line_in if legend else 0)

    @property
    def _legend_line_in(self) -> float:
        return 1.15 * self.look.line_in(self.look.style.small_pt)

    @property
    def fixed_in(self) -> float:
        """Height of all that is no axes."""
        head = sum(self.look.line_in(size) for _, size, _ in self._head) + 0.4 * self.look.line_in(self.look.style.small_pt)
        foot = (len(self._foot) + 0.3 * bool(self._foot)) * self.look.line_in(self.look.style.small_pt)
        return 2 * self.edge_in + head + self._legend_in + foot

    def axes(
        self, rows: int, columns: int, height_in: float, left_in: float, below_in: float, gap_in: tuple[float, float], above_in: float = 0.0
    ) -> list[Axes]:
        """Axes row by row, each `height_in` high, `gap_in` apart (across, down); left of each row `left_in`, below the last `below_in`."""
        right_in = 4 * self.edge_in
        width_in = (self.look.width_in - left_in - right_in - (columns - 1) * gap_in[0]) / columns
        body_in = above_in + rows * height_in + (rows - 1) * gap_in[1] + below_in
        whole_in = self.fixed_in + body_in
        self.figure.set_size_inches(self.look.width_in, whole_in)
        top_in = self._write_head(whole_in) - above_in
        self._write_foot(whole_in)
        made = []
        for row in range(rows):
            for column in range(columns):
                left = left_in + column * (width_in + gap_in[0])
                bottom = top_in - (row + 1) * height_in - row * gap_in[1]
                box = (left / self.look.width_in, bottom / whole_in, width_in / self.look.width_in, height_in / whole_in)
                made.append(self.figure.add_axes(box))
        return made

    def _write_head(self, whole_in: float) -> float:
        """Returns where the axes may begin, in inches from below."""
        at_in = whole_in - self.edge_in
        for line, size, weight in self._head:
            color = FAINT if weight == "normal" else None
            self._write(line, self.edge_in, at_in, whole_in, size=size, weight=weight, va="top", **({"color": color} if color else {}))
            at_in -= self.look.line_in(size)
        at_in -= 0.4 * self.look.line_in(self.look.style.small_pt)
        for row in self._legend:
            self._draw_legend(row, at_in, whole_in)
            at_in -= self._legend_line_in
        return at_in - (0.5 * self._legend_line_in if self._legend else 0)

    def _write_foot(self, whole_in: float) -> None:
        step = self.look.line_in(self.look.style.small_pt)
        for place, line in enumerate(reversed(self._foot)):
            size = self.look.style.small_pt
            self._write(line, self.edge_in, self.edge_in + place * step, whole_in, size=size, color=FAINT, va="bottom")

    def _write(self, line: str, x_in: float, y_in: float, whole_in: float, **how: Any) -> None:
        self.figure.text(x_in / self.look.width_in, y_in / whole_in, line, ha="left", **how)

    def _in_rows(self, legend: Legend, room_in: float) -> list[list[tuple[float, Artist | None, str]]]:
        """The entries with their places from the left, in as many rows as they need."""
        rows: list[list[tuple[float, Artist | None, str]]] = []
        at_in = room_in
        for handle, label in legend:
            takes = (1.25 * (handle is not None) + 0.75) * self._handle_in + self.letters.width_in(label, self.look.style.small_pt)
            if not rows or at_in + takes - 0.75 * self._handle_in > room_in:
                rows.append([])
                at_in = 0.0
            rows[-1].append((self.edge_in + at_in, handle, label))
            at_in += takes
        return rows

    @property
    def _handle_in(self) -> float:
        return 1.9 * self.look.style.small_pt / POINTS

    def _draw_legend(self, row: Sequence[tuple[float, Artist | None, str]], at_in: float, whole_in: float) -> None:
        middle = (at_in - 0.5 * self._legend_line_in) / whole_in
        for x_in, handle, label in row:
            if handle is not None:
                self._draw_handle(handle, x_in, middle, whole_in)
            x = x_in + 1.25 * self._handle_in * (handle is not None)
            self.figure.text(x / self.look.width_in, middle, label, size=self.look.style.small_pt, ha="left", va="center_baseline")

    def _draw_handle(self, handle: Artist, x_in: float, middle: float, whole_in: float) -> None:
        x0, x1 = x_in / self.look.width_in, (x_in + self._handle_in) / self.look.width_in
        if isinstance(handle, Line2D):
            xs = [(x0 + x1) / 2] if handle.get_linestyle() == "None" else [x0, (x0 + x1) / 2, x1]
            handle.set_data(xs, [middle] * len(xs))
            handle.set_markevery([len(xs) // 2])
        elif isinstance(handle, Rectangle):
            height = 0.55 * self._legend_line_in / whole_in
            handle.set(x=x0, y=middle - height / 2, width=x1 - x0, height=height)
        handle.set_transform(self.figure.transFigure)
        self.figure.add_artist(handle)

"""The columns of a table in LaTeX: figures aligned at the point with what belongs to them behind, counts under one prefix, text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from archbench.publish.formats import FIGURE, MISSING, three_digits
from archbench.publish.writing.grid import Cell, Grid
from archbench.publish.writing.latex_text import breakable, escaped, length

PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
GAP = 3  # digits between two columns
LEAST_ROOM, GIVEN_ROOM = 20, 32  # digits that the others must leave to a column that breaks, and that it has where they do not
DIGIT_EM = 0.5  # width of one
LONG = 34  # characters of a text from which on it may break
BROKEN = 4  # characters that stand behind the first comma of a header that is broken there, a unit being no line of its own
LEAST_SHARE = 10  # characters that every column that breaks counts for, beside those of its text


@dataclass(frozen=True)
class Column:
    """What stands in `\\begin{tabular}`, the header, each row's cell with its `&`, and how many digits wide it is.

    One with a `share` above zero breaks its text, and takes that share of the room that the others leave. Its `lengths` are how many digits
    wide the text of each row would be on one line.
    """

    spec: str
    header: str
    cells: Sequence[str]
    width: int
    share: float = 0.0
    lengths: Sequence[int] = ()


def columns(laid: Grid, page: int) -> list[Column]:
    """A column for each of the table's, the shares of those that break adding up to 1.

    Where the others leave less than `LEAST_ROOM` to each of these on a page of so many digits, they have `GIVEN_ROOM`, and the table is
    too wide.
    """
    made = [_column(header, [row[place] for row in laid.rows]) for place, header in enumerate(laid.headers)]
    whole, breaking = sum(each.share for each in made), sum(each.share > 0 for each in made)
    if breaking and page - sum(each.width + GAP for each in made if not each.share) < breaking * (LEAST_ROOM + GAP):
        return [_fixed(each) if each.share else each for each in made]
    return [_sharing(each, each.share / whole, breaking) if each.share else each for each in made]


def _fixed(column: Column) -> Column:
    spec = rf">{{\raggedright\arraybackslash}}p{{{GIVEN_ROOM * DIGIT_EM:.3g}em}}"
    return dataclasses.replace(column, spec=spec, width=GIVEN_ROOM, share=0.0)


def _sharing(column: Column, share: float, breaking: int) -> Column:
    """As tabularx has it: each of its columns is so many times as wide as if all were equal."""
    spec = rf">{{\hsize={share * breaking:.3f}\hsize\linewidth=\hsize\raggedright\arraybackslash}}X"
    return dataclasses.replace(column, spec=spec, share=share)


def _column(header: str, cells: Sequence[Cell]) -> Column:
    figures = [FIGURE.fullmatch(cell.text) for cell in cells]
    others = [cell.text for cell, figure in zip(cells, figures, strict=True) if figure is None]
    if header == "model" or not any(figures) or any(not _beside(text) for text in others):
        return _of_text(header, cells)
    return _of_figures(header, cells, figures)


def _beside(text: str) -> bool:
    """Whether a text may stand among figures: a dash, a word, less than so much."""
    return text == MISSING or text.isalpha() or re.fullmatch(r"<[\d.]+", text) is not None


def _of_text(header: str, cells: Sequence[Cell]) -> Column:
    written = [_marked(_bold(escaped(cell.text), cell.best), cell.marks) for cell in cells]
    lengths = [length(cell.text) + len(cell.marks) for cell in cells]
    longest = max(lengths)
    if longest <= LONG:
        return Column("l", _stacked(header, longest), written, max(longest, _wide(header, longest)))
    mean = sum(lengths) / len(cells)
    breaking = [_marked(_bold(breakable(cell.text), cell.best), cell.marks) for cell in cells]
    return Column("X", _stacked(header, LONG), breaking, LONG, LEAST_SHARE + (mean + longest) / 2, lengths)


def _of_figures(header: str, cells: Sequence[Cell], figures: Sequence[re.Match[str] | None]) -> Column:
    prefix = _common_prefix(figures)
    values = ["" if figure is None else _value(figure, prefix) for figure in figures]
    tails = [_tail(cell, figure) for cell, figure in zip(cells, figures, strict=True)]
    before, after = (max(len(part) for part in parts) for parts in zip(*(_parts(value) for value in values), strict=True))
    sign = "-" if any(value.startswith("-") for value in values) else "+" if any(value.startswith("+") for value in values) else ""
    spec = f"S[table-format={sign}{before}.{after}]"
    written = [_figure(cell, value) for cell, value in zip(cells, values, strict=True)]
    title = f"{header}, {prefix}" if prefix else header
    width = len(sign) + before + after + 1
    if not any(tails):
        return Column(spec, f"{{{_stacked(title, width)}}}", written, max(width, _wide(title, width)))
    both = [f"{value} & {tail}" for value, tail in zip(written, tails, strict=True)]
    width += max(len(re.sub(r"\\\w+|[${}]", "", tail)) for tail in tails)
    head = rf"\multicolumn{{2}}{{c}}{{{_stacked(title, width)}}}"
    return Column(spec + r"@{\,}l", head, both, max(width, _wide(title, width)))


def _common_prefix(figures: Sequence[re.Match[str] | None]) -> str:
    """The prefix of the middle count, for all; none where there are no counts."""
    counts = sorted(_number(figure["value"]) * PREFIXES[figure["prefix"] or ""] for figure in figures if figure)
    if not any(figure and figure["prefix"] for figure in figures):
        return ""
    middle = counts[len(counts) // 2]
    return max((prefix for prefix, factor in PREFIXES.items() if factor <= middle), key=lambda prefix: PREFIXES[prefix])


def _value(figure: re.Match[str], prefix: str) -> str:
    own = figure["prefix"] or ""
    if not prefix or own == prefix:
        return figure["value"].replace(",", "")
    return three_digits(_number(figure["value"]) * PREFIXES[own] / PREFIXES[prefix])


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _parts(value: str) -> tuple[str, str]:
    whole, _, decimals = value.lstrip("+-").partition(".")
    return whole, decimals


def _figure(cell: Cell, value: str) -> str:
    if value:
        return (r"\bfseries " if cell.best else "") + value + _raised(cell.marks)
    return "{" + _marked(_bold(escaped(cell.text), cell.best), cell.marks) + "}"


def _tail(cell: Cell, figure: re.Match[str] | None) -> str:
    """The interval behind a figure, over how many runs it is, and the star of a doubtful one."""
    if figure is None:
        return ""
    bounds = [] if figure["low"] is None else [f"[{_signed(figure['low'])}{_to(figure)}{_signed(figure['high'])}]"]
    said = _bold(bounds[0], cell.best) if bounds else ""
    runs = rf"\,$n={figure['n'].removeprefix(' n=')}$" if figure["n"] else ""
    return said + ("*" if figure["doubt"] else "") + runs


def _to(figure: re.Match[str]) -> str:
    return " to " if figure["low"].startswith("-") else "--"


def _signed(text: str) -> str:
    return rf"\num{{{text.replace(',', '')}}}"


def _bold(text: str, best: bool) -> str:
    return rf"\textbf{{{text}}}" if best else text


def _marked(text: str, marks: str) -> str:
    return text + _raised(marks)


def _raised(marks: str) -> str:
    return rf"\textsuperscript{{{marks}}}" if marks else ""


def _stacked(header: str, width: int) -> str:
    """A header over cells of so many characters; a long one in two lines."""
    lines = [escaped(line) for line in _lines(header, width)]
    stacked = "\\\\".join(lines)
    return rf"\begin{{tabular}}[b]{{@{{}}c@{{}}}}{stacked}\end{{tabular}}" if len(lines) > 1 else lines[0]


def _lines(header: str, width: int) -> list[str]:
    """Broken at its first comma, or before the last word that has the unit beside it where it is wider than its cells."""
    first, _, rest = header.partition(", ")
    if len(rest) >= BROKEN:
        return [f"{first},", rest]
    before, _, last = first.rpartition(" ")
    return [before, f"{last}, {rest}"] if before and rest and len(header) > width else [header]


def _wide(header: str, width: int) -> int:
    return max(len(part) for line in _lines(header, width) for part in line.split(", "))

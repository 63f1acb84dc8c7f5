"""How pages are written down: digits, footnotes, what is bold, and text of anybody's in every format."""

from __future__ import annotations

import csv as reader
import dataclasses
import io
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from conftest import make_record

from archbench.publish import formats
from archbench.publish.footnotes import OfRows
from archbench.publish.pages import Page
from archbench.publish.results import Table, frame, tables
from archbench.publish.writing import csv, files, html, latex, latex_text, markdown
from archbench.publish.writing.grid import grid
from archbench.publish.writing.stated import stated
from archbench.records.schema import Doubt, Record

HOSTILE = (
    "<script>alert(1)</script>",
    r"\input{/etc/passwd}",
    "a|b\nc",
    "**bold** [link](javascript:alert(1)) `code` _x_",
    "=HYPERLINK(1)",
    "100 % & $x$ #1 ~ ^ {",
    "中文 Ελλάδα Łódź ∞ 𝔸",
    "x" * 200,
    "\x1b[31mred\u202e",
    '-1"+cmd',
)


OTHER = {**make_record().config, "batch": 64}  # than that of the others
WEIGHTS = {"trained_on": {"name": "digits"}, "training": {"name": "modern", "epochs": 8}}  # what a test of kept weights says of them


def hostile() -> list[Record]:
    """A profile and a training of each, with a warning that says the same."""
    doubts = {name: (Doubt(code="odd", message=f"because {name}"),) for name in HOSTILE}
    return [
        make_record(name, kind, warnings=doubts[name], key=f"{kind}{place}", group=f"{kind}{place}")
        for place, name in enumerate(HOSTILE)
        for kind in ("train", "profile")
    ]


def page(records: list[Record]) -> Page:
    return Page("results", tables(records), frame(records), ())


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (29.9, 29.02, 30.82, "29.9 [29.0–30.8]"),  # half of 1.80 is 0.900: one digit of it, as its first three lie in 355 to 949
        (17.02, 16.71, 17.41, "17.02 [16.71–17.41]"),  # 0.350: in 100 to 354, two digits
        (3.362, 3.344, 3.404, "3.362 [3.344–3.404]"),  # 0.030: 300, so two digits, 0.030
        (2.0, 1.01, 2.95, "2.0 [1.0–3.0]"),  # 0.97: 970 goes up to 1000, two digits of which are 1.0
        (0.33, 0.1, 30.0, "0.3 [0.1–30.0]"),  # the interval allows no decimal, yet one digit of the figure is shown
        (7649.0, 3900.0, 15_100.0, "8,000 [4,000–15,000]"),  # 5600: thousands alone
        (0.4, -0.23, 1.31, "0.4 [-0.2 to 1.3]"),
        (5.0, math.nan, math.nan, "5.00"),
        (math.nan, math.nan, math.nan, "–"),
    ],
)
def test_a_figure_has_the_digits_that_its_interval_deserves(value: float, low: float, high: float, text: str) -> None:
    assert formats.figure(value, low, high) == text


def test_every_figure_is_one_that_formats_can_take_apart() -> None:
    found = formats.FIGURE.fullmatch("1,234.5 [-0.2 to 1.3] n=5*")
    assert found
    assert found.groupdict() == {"value": "1,234.5", "prefix": None, "low": "-0.2", "high": "1.3", "n": " n=5", "doubt": "*"}
    assert formats.FIGURE.fullmatch("1.76 M")["prefix"] == "M"  # type: ignore[index]
    assert not formats.FIGURE.fullmatch("<0.001")


def test_doubtful_rows_lead_to_footnotes_and_notes_on_nobody_here_stay_whole() -> None:
    made = tables([make_record("a", warnings=(Doubt(code="odd", message="it jumps"),)), make_record("b")])[0]
    strange = OfRows("c: is elsewhere", {"is elsewhere": ["no such Record"]})
    laid = grid(dataclasses.replace(made, notes=(*made.notes, strange)))
    assert [row[0].marks for row in laid.rows] == ["a", ""]
    assert laid.footnotes == {"a": "it jumps"}
    assert "c: is elsewhere" in laid.notes
    assert "a: it jumps" not in laid.notes
    assert "| a<sup>a</sup> |" in markdown.tables([made])
    assert "<sup>a</sup> it jumps" in markdown.tables([made])


def test_the_best_is_bold_in_every_format() -> None:
    made = dataclasses.replace(tables([make_record("a"), make_record("b", error_pct=20.0)])[0], best={"test error, %": frozenset({0})})
    assert "| **10.0 [7.3–13.5]** |" in markdown.tables([made])
    assert re.search(r"\\bfseries 10\.0 & \\textbf\{\[", latex.document({"t": [made]}))
    shown = html.document([Page("t", [made], made.frame, ())])
    assert "<strong>10.0 [7.3–13.5]</strong>" in shown
    assert shown.count("<strong>10.0") == 1


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_each_row_in_html_is_headed_by_its_model() -> None:
    """Which stands behind what the row is of; in a table without models the first cell heads it."""
    frame = pd.DataFrame({"of": ["MACs"], "name": ["nin"]})
    for header, heads in (("model", ["nin"]), ("class", ["MACs"])):
        columns = {"share of": lambda row: row["of"], header: lambda row: row["name"]}
        text = html.document([Page("t", [Table("c", frame, (), columns)], frame, ())])
        assert re.findall(r'<th scope="row">(.*?)</th>', text) == heads


def test_hostile_text_is_text_in_html() -> None:
    read = Tags(page(hostile()).html())
    assert not read.tags & {"script", "img", "a", "b", "iframe", "link"}
    assert "<script>alert(1)</script>" in read.text
    assert "\x1b" not in read.text


def test_hostile_text_is_text_in_markdown() -> None:
    text = page(hostile()).markdown()
    assert not re.search(r"<(?!/?sup>)[a-z/]", text)
    assert r"\*\*bold\*\* \[link\](javascript:alert(1)) \`code\` \_x\_" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows if "test" in rows[0]}) <= 2  # as many cells in each row of a table
    assert "resnet_bottleneck" in markdown.escaped("resnet_bottleneck")  # an underscore within a word is no markup


def test_text_that_a_spreadsheet_would_compute_has_an_apostrophe_and_numbers_have_none() -> None:
    rows = list(reader.reader(io.StringIO(csv.rows(pd.DataFrame({"model": ["=1", "+1", "-1", "@x", "a=1"], "change": [-1.5] * 5})))))
    assert rows[1:] == [["'=1", "-1.5"], ["'+1", "-1.5"], ["'-1", "-1.5"], ["'@x", "-1.5"], ["a=1", "-1.5"]]
    cells = {cell for row in reader.reader(io.StringIO(page(hostile()).csv())) for cell in row}
    assert not [cell for cell in cells if cell.startswith(("=", "@")) or re.match(r"[-+](?![\d.]+$)", cell)]


def test_what_weights_of_elsewhere_err_is_not_said_to_be_after_the_last_epoch() -> None:
    for kind, once in (("train", ", read once after the last epoch"), ("evaluated", "")):
        (table,) = tables([make_record(kind=kind, measurements=make_record().measurements, config={**make_record().config, **WEIGHTS})])
        assert f"test error: top-1{once}" in stated(table)


def test_csv_holds_twelve_digits_which_all_machines_agree_on() -> None:
    """1/3 has 16 digits in a double; those behind the twelfth depend on who computes."""
    assert csv.rows(pd.DataFrame({"a": [1 / 3], "n": [222_486_528.0]})) == "a,n\n0.333333333333,222486528\n"


def test_text_that_pdflatex_cannot_show_stands_as_its_number() -> None:
    assert latex_text.escaped("Łódź 中 α×2 a--b %_") == r"\L{}\'{o}d\'{z} {[}U+4E2D{]} $\alpha$$\times$2 a-{}-{}b \%\_"


def test_a_text_is_as_long_as_what_is_shown_and_breaks_in_signs_that_stand_as_numbers() -> None:
    assert latex_text.length("a中b") == 2 + len("[U+4E2D]")
    assert latex_text.breakable("中" * 3) == r"\allowbreak{}".join(["{[}U+4E2D{]}"] * 3)
    assert latex_text.breakable("short_name") == r"short\_name"


def test_counts_of_a_column_stand_under_one_prefix() -> None:
    """The middle one of 62 k, 1.76 M and 133 M: all in M, three digits each."""
    rows = pd.DataFrame({"model": ["a", "b", "c"], "params": [62_006, 1_760_000, 133_000_000]})
    columns = {"model": lambda row: row["model"], "params": lambda row: formats.scaled(row["params"])}
    text = latex.document({"t": [Table("t", rows, (), columns)]})
    assert "{params, M}" in text
    assert [line.split("& ")[1].split(" ")[0] for line in text.splitlines() if re.match(r"[abc] &", line)] == ["0.0620", "1.76", "133"]


def test_a_table_longer_than_a_page_goes_on_in_another_with_its_notes_below_the_last() -> None:
    rows = pd.DataFrame({"model": [f"m{place}" for place in range(60)]})
    text = latex.document({"t": [Table("t", rows, ("the note",), {"model": lambda row: row["model"]})]})
    assert text.count(r"\begin{table}") == 2
    assert re.search(r"Table~\\ref{tab:t-t-....}, continued\\par", text)
    assert text.count("the note") == 1
    assert text.index("the note") > text.index("m59")


def test_a_caption_states_convention_n_data_device_and_versions() -> None:
    seeds = [make_record(seed=seed) for seed in range(2)]
    table = dataclasses.replace(tables([*seeds, make_record("b")])[0], caption="t")
    assert stated(table) == [
        "one multiply-add is one MAC",
        "test error: top-1, read once after the last epoch",
        "n: 2 networks, 1 to 2 seeds each",
        "data: digits",
        "device: a processor",
        "archbench 0.1.0, PyTorch 2.9",
    ]


def test_a_table_is_referred_to_by_the_words_and_the_hash_of_its_caption() -> None:
    """So that tables before it may come and go, and no word that is left out makes two alike."""
    note = (
        "a note that is long enough to be said but once, of which there are many words that a reader has no need to read for a second time"
    )
    rows, columns = pd.DataFrame([{"model": "a"}]), {"model": lambda row: row["model"]}
    captions = ("digits (1×32×32; 360 test images) · recipe modern", "digits (3×32×32) · recipe modern", "\\evil{} 中", "x" * 99)
    made = [Table(caption, rows, (note, f"{note}, really"), columns) for caption in captions]
    labels = re.findall(r"\\label{(.*)}", text := latex.document({"t": made}))
    assert [label[:-5] for label in labels] == ["tab:t-digits-recipe-modern", "tab:t-digits-recipe-modern", "tab:t-evil", "tab:t"]
    assert re.findall(r"\\label{(.*)}", latex.document({"t": made[1:]})) == labels[1:]
    assert len(set(labels)) == len(labels)
    assert text.count(note) == 2
    assert text.count(rf"2 more notes as under Table~\ref{{{labels[0]}}}\par") == 3
    nothing = dataclasses.replace(made[0], frame=rows[:0])
    assert rf"\ref{{{labels[1]}}}" in latex.document({"t": [nothing, *made[1:]]})


def test_a_title_and_a_label_of_the_readers_own_are_taken() -> None:
    rows, columns = pd.DataFrame([{"model": "a"}]), {"model": lambda row: row["model"]}
    text = latex.document({"t": [Table("t · u", rows, (), columns, title="50 % less.", label="tab:mine")]})
    assert "\\caption{50 \\% less. t $\\cdot$ u.}\n\\label{tab:mine}" in text


def test_a_table_turns_that_is_wide_and_short() -> None:
    wide = tables([make_record(f"net_{place}", "profile", key=f"k{place}", group=f"k{place}") for place in range(3)])[0]
    columns = {f"{header} of a long header": (lambda row: "x" * 12) for header in "abcdefghijk"}
    made = [dataclasses.replace(wide, columns=columns, frame=pd.concat([wide.frame] * times)) for times in (1, 6, 7)]
    assert [r"\archbenchturn{%" in latex.document({"t": [each]}) for each in made] == [True, False, False]
    assert [r"\begin{table*}" in latex.document({"t": [each]}) for each in made] == [True, True, True]
    assert r"\archbenchturn{%" not in latex.document({"t": [dataclasses.replace(wide, columns={"model": lambda row: row["model"]})]})


def has_latex() -> bool:
    """Whether pdflatex is here with the packages that the tables need."""
    if not shutil.which("pdflatex") or not shutil.which("kpsewhich"):
        return False
    return all(
        subprocess.run(["kpsewhich", f"{name}.sty"], capture_output=True, check=False).returncode == 0 for name in ("siunitx", "booktabs")
    )


@pytest.mark.skipif(not has_latex(), reason="pdflatex with booktabs and siunitx is not installed: Debian's texlive-science has them")
def test_pdflatex_takes_the_tables_alone_and_in_an_article_of_one_column_and_of_two(tmp_path: Path) -> None:
    long = [make_record(f"net_{place}", "profile", key=f"k{place}", group=f"k{place}") for place in range(70)]
    long += [make_record(f"resnet_{n}+pointwise=off+equal=macs+width=0.25", key=f"e{n}", group=f"e{n}", config=OTHER) for n in range(30)]
    (tmp_path / "results.tex").write_text(page([*hostile(), *long]).latex())
    for name, columns in (("narrow", "onecolumn"), ("article", "twocolumn")):
        packages = rf"\documentclass[{columns}]{{article}}\usepackage{{booktabs,graphicx,siunitx,tabularx}}"
        (tmp_path / f"{name}.tex").write_text(packages + r"\begin{document}Text.\input{results}\input{results}\end{document}")
    for name in ("results", "narrow", "article"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", f"{name}.tex"]
        for _ in range(2):
            answer = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
        log = (tmp_path / f"{name}.log").read_text(errors="replace")
        assert answer.returncode == 0, log[-2000:]
        assert "Overfull" not in log
        assert "undefined" not in log
        assert "too large for page" not in log


def test_what_is_committed_is_compared_byte_by_byte(tmp_path: Path) -> None:
    made = page([make_record()])
    for name, text in files.texts([made], ("md", "csv", "html")).items():
        (tmp_path / name).write_text(text)
    wanted = files.expected([made], tmp_path)
    assert sorted(path.name for path in wanted) == ["results.csv", "results.html", "results.md"]
    assert files.differences(wanted) == {}
    (tmp_path / "results.md").write_text(made.markdown().replace("10.0", "9.0"))
    (diff,) = files.differences(wanted).values()
    assert [line[:8] for line in diff.splitlines() if re.match(r"[-+]\|", line)] == ["-| nin |", "+| nin |"]
    nothing = dataclasses.replace(made, tables=[])
    assert all(text is None for text in files.expected([nothing], tmp_path).values())
    assert len(files.differences(files.expected([nothing], tmp_path))) == 3


def test_a_table_of_nothing_is_no_table_in_latex() -> None:
    text = latex.document({"t": [Table("t", pd.DataFrame({"model": []}), (), {"model": lambda row: row["model"]})]})
    assert r"\begin{table}" not in text

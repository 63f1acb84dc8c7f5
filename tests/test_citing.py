"""Citations hold what a reader needs, can be read by the tools they are for, and whatever stands in a Record stays text in them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import Answer, make_record, make_tested
from markdown_it import MarkdownIt

import archbench
from archbench.cli.tables import PAGES_HELP
from archbench.errors import ArchbenchError
from archbench.publish import pages
from archbench.publish.citing import bibtex, citation, formats, latex, methods, references, software
from archbench.publish.citing.bibtex import Entry
from archbench.records.located import Located
from archbench.records.schema import Measurement, Record, seal
from archbench.records.store import Store

ROOT = Path(archbench.__file__).parent.parent
HOSTILE = (
    "<script>alert(1)</script> \\input{/etc/passwd} ![x](http://x) `a` | \x1b[31m\r\nER  - \nTY  - JOUR "
    "}{ @article{x, a={b}} %$&#_~^\u202e=cmd()"
)
NIN = """@inproceedings{lin2014nin,
  title = {Network In Network},
  author = {Lin, Min and Chen, Qiang},
  year = {2014},
  eprint = {1312.4400}
}"""


def saved(root: Path, *records: Record) -> list[Located]:
    return [Located.read(Store(root).save(record)) for record in records]


def with_paper(bib: str, model: str = "nin", title: str = "Network In Network") -> Record:
    record = make_record(model)
    spec = {**record.model.spec, "paper": {"title": title, "bibtex": bib, "arxiv": "1312.4400", "doi": ""}}
    return sealed(record, model={**record.model.model_dump(), "spec": spec})


def sealed(record: Record, **changes: object) -> Record:
    return seal(**{**record.model_dump(exclude={"id"}), **changes})


def hostile() -> Record:
    """A Record in which every text that a user can choose is hostile."""
    record = with_paper("@article{a b, title = {" + HOSTILE + "}", title=HOSTILE)
    config = {**record.config, "data": {**record.config["data"], "name": HOSTILE}, "recipe": {"name": HOSTILE, "lr": 0.1}}
    environment = {**record.environment, "device": {"kind": "cpu", "name": HOSTILE}, "git": {"commit": HOSTILE}}
    return sealed(record, model={**record.model.model_dump(), "label": HOSTILE}, config=config, environment=environment)


# reading the formats, by rules of their own


def read_bibtex(text: str) -> dict[str, dict[str, str]]:
    """Entries by key, as BibTeX finds them: what stands before an @ is skipped, braces are counted, backslash or not."""
    found: dict[str, dict[str, str]] = {}
    place = 0
    while (begin := text.find("@", place)) >= 0:
        head = re.compile(r"@[a-z]+\{([^\s,{}]+),\n").match(text, begin)
        assert head, text[begin : begin + 60]
        place, fields = head.end(), {}
        while text[place] != "}":
            name = re.compile(r"  ([A-Za-z]+) = \{").match(text, place)
            assert name, text[place : place + 60]
            depth, end = 1, name.end()
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            fields[name[1]] = text[name.end() : end - 1]
            place = re.compile(r",?\n").match(text, end).end()  # type: ignore[union-attr]
        assert head[1].casefold() not in {key.casefold() for key in found}, f"{head[1]} twice"
        found[head[1]] = fields
    return found


def read_ris(text: str) -> list[list[tuple[str, str]]]:
    """The entries, each from TY to ER, as lines of a tag and a value."""
    found: list[list[tuple[str, str]]] = []
    for line in filter(None, text.split("\r\n")):
        tag = re.fullmatch(r"([A-Z][A-Z0-9])  - (.*)", line)
        assert tag, line
        if tag[1] == "TY":
            found.append([])
        found[-1].append((tag[1], tag[2]))
    assert all(entry[0][0] == "TY" and entry[-1] == ("ER", "") and len(dict(entry)) > 2 for entry in found)
    assert sum(tag in ("TY", "ER") for entry in found for tag, _ in entry) == 2 * len(found)
    return found


class Shown(HTMLParser):
    """The tags of a page and the text that it shows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


# what a citation holds


def test_a_citation_leads_from_the_text_to_the_evidence(tmp_path: Path) -> None:
    """The whole hash begins with the id; the command is the one that makes the Record again."""
    (found,) = saved(tmp_path, with_paper(NIN))
    text = archbench.cite(found.path)
    assert found.sha256.startswith(found.record.id)
    assert len(found.sha256) == 64
    for part in (
        f"{found.record.id}  nin, trained on digits, seed 0\n  SHA-256 of what it holds beside the id: {found.sha256}",
        "The archbench authors. archbench: how the ideas of Network In Network live on in later CNNs.",
        "Lin, Min; Chen, Qiang. Network In Network. 2014. arXiv:1312.4400.",
        "OMP_NUM_THREADS=2 archbench train --models nin --dataset digits ",
    ):
        assert part in text
    assert archbench.cite(found.record.id[:6], results=tmp_path) == archbench.cite(tmp_path) == text


@pytest.mark.parametrize("form", ["bibtex", "ris"])
def test_an_entry_of_several_records_holds_methods_commands_and_each_hash(form: str, tmp_path: Path) -> None:
    found = saved(tmp_path, *(make_record("nin", seed=seed) for seed in range(3)))
    made = formats.FORMATS[form](citation.cite(found))
    if form == "bibtex":
        (note,) = [fields["annote"] for fields in read_bibtex(made).values() if "annote" in fields]
    else:
        (note,) = [value for entry in read_ris(made) for tag, value in entry if tag == "AB"]
    assert all(f"{each.record.id} {each.sha256}" in note for each in found)
    assert "Made again by: OMP" in note.replace("\\_", "_")
    assert "nin (seeds 0, 1, 2)" in note


def test_the_methods_tell_every_setting_of_a_training(tmp_path: Path) -> None:
    recipe = {
        **{"name": "modern", "optimizer": "sgd", "optimizer_options": {"momentum": 0.9}, "lr": 0.1, "weight_decay": 5e-4, "clip_norm": 5.0},
        **{"schedule": "cosine", "warmup_fraction": 0.15, "label_smoothing": 0.1, "init": "default"},
    }
    hints = {"lr": 0.06, "reason": "no batch norm"}
    row = Measurement(name="test_error_pct", value=10.0, low=7.3, high=13.5, n=360, method="top-1, Wilson interval")
    made = []
    for seed in (3, 4):
        record = make_record(seed=seed, measurements=(row,))
        data = {**record.config["data"], "train_fraction": 0.5, "val_fraction": 0.1, "fingerprint": "0123456789abcdef0123"}
        training = {**recipe, "epochs": 8, "translate": 4, "flip": False, "lr": 0.06, "hints": hints}
        training |= {"start_alive": ["features.class_maps"], "start_alive_bias": 1.0, "start_alive_weight_scale": 0.1}
        made.append(sealed(record, config={**record.config, "recipe": recipe, "training": training, "data": data}))
    (paragraph,) = methods.paragraphs(made)
    for part in (
        "nin (seeds 3, 4) was trained on digits (1,437 training and 360 test images, 50 % of the training set, 10 % of each class held "
        "out; 1×32×32 pixels, 10 classes; SHA-256 fingerprint 0123456789abcdef).",
        "By the recipe modern: SGD (momentum 0.9) at a peak learning rate of 0.1, weight decay 0.0005 on weights alone, gradient norm "
        "clipped at 5, schedule cosine, linear warm-up over 15 % of the steps, label smoothing 0.1, PyTorch's initial weights, inputs "
        "normalised by channel, translation by up to 4 pixels, no mirror images; 8 epochs in batches of 32.",
        "Computed in fp32, not compiled, without deterministic operations, on a processor (CPU), 2 threads",
        "Test error: top-1, Wilson interval (95 %), over 360 test images.",
        "Over several seeds: mean with Student's t interval (95 %).",
        "nin departed from the recipe by its own wish: learning rate 0.06, biases of features.class_maps started at 1 and its weights "
        "times 0.1 (no batch norm).",
        "Made by archbench 0.1.0 with torch 2.9.",
    ):
        assert part in paragraph


def test_the_methods_of_a_profile_tell_how_it_was_timed() -> None:
    row = Measurement(name="latency_s", value=0.1, method="geometric mean over launches; Student's t over launches", at={"batch": 1})
    record = make_record(kind="profile", measurements=(row,))
    config = {**record.config, "batches": [1, 32], "modes": ["eager"], "launches": 3, "interleaved_with": ["vgg · profile"], "data": None}
    (paragraph,) = methods.paragraphs([sealed(record, config=config)])
    assert "forward passes at batches of 1, 32, eager, 3 launches of a process each" in paragraph
    assert "MACs count one multiply-add as 1" in paragraph
    assert "Latency: geometric mean over launches; Student's t over launches; 95 % intervals." in paragraph
    assert "2 networks were timed in turn." in paragraph


def test_settings_that_differ_have_a_paragraph_each() -> None:
    longer = make_record(seed=1)
    longer = sealed(longer, config={**longer.config, "training": {"name": "modern", "epochs": 9}})
    assert len(methods.paragraphs([make_record("nin"), make_record("vgg"), longer])) == 2


@pytest.mark.parametrize(
    ("data", "training", "keys"),
    [
        ("cifar10-jpeg", {}, ["krizhevsky2009learning"]),
        ("cifar100", {}, ["krizhevsky2009learning"]),
        ("mnist", {}, ["lecun1998gradient"]),
        ("pets", {"schedule": "cosine"}, ["loshchilov2017sgdr"]),
        ("pets", {"optimizer": "timm:muon"}, ["jordan2024muon"]),
        ("pets", {"optimizer": "adamw", "init": "he"}, ["loshchilov2019decoupled", "he2015delving"]),
        ("pets", {"preprocessing": "gcn_zca", "label_smoothing": 0.1}, ["goodfellow2013maxout", "szegedy2016rethinking"]),
        ("pets", {"label_smoothing": 0.0, "warmup_fraction": 0.0}, []),
    ],
)
def test_data_sets_and_parts_of_recipes_have_their_papers(data: str, training: dict[str, object], keys: list[str]) -> None:
    record = make_record()
    config = {"data": {**record.config["data"], "name": data}, "training": {"name": "x", "epochs": 1, **training}}
    found = [entry.key for entry in references.papers([sealed(record, config={**record.config, **config})])]
    assert found == [*keys, "paszke2019pytorch"]


def test_batch_norm_is_cited_where_it_was_added_to_a_paper() -> None:
    assert "ioffe2015batch" in [entry.key for entry in references.papers([make_record("nin_bn")])]
    assert "ioffe2015batch" not in [entry.key for entry in references.papers([make_record("nin")])]


def test_a_library_whose_network_it_is_is_cited() -> None:
    found = [entry.key for entry in references.papers([make_record("timm:resnet18"), make_record("torchvision:vgg11")])]
    assert {"wightman2019timm", "torchvision2016"} <= set(found)


def test_a_table_is_cited_by_the_records_that_it_is_made_from(tmp_path: Path) -> None:
    """Of two Records of one run the table shows the newer one; --models leaves vgg out."""
    older, newer, other = make_record("nin"), make_record("nin", created="2026-01-02T00:00:00.000+00:00"), make_record("vgg")
    saved(tmp_path, older, newer, other)
    text = archbench.cite("results", results=tmp_path, models="nin*")
    assert [identity in text for identity in (older.id, newer.id, other.id)] == [False, True, False]


def test_archbenchs_entry_is_that_of_its_citation_file_and_in_step_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert software.entry().text("version") == archbench.__version__ == project["version"]
    assert software.FILE in project["license-files"]


def test_an_installed_package_reads_it_from_its_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel puts licence files where the standard wants them: dist-info/licenses."""
    folder = tmp_path / "archbench-0.1.0.dist-info"
    (folder / "licenses").mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: archbench\nVersion: 0.1.0\n")
    shutil.copy(ROOT / software.FILE, folder / "licenses")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(archbench, "__file__", str(tmp_path / "archbench" / "__init__.py"))
    software.text.cache_clear()
    try:
        assert software.entry().authors == ["The archbench authors"]
    finally:
        software.text.cache_clear()


# BibTeX


def test_bibtex_can_be_read_back_whatever_stands_in_a_record(tmp_path: Path) -> None:
    (found,) = saved(tmp_path, hostile())
    text = formats.bibtex(citation.cite([found]))
    entries = read_bibtex(text)
    assert list(entries)[:2] == ["archbench", f"archbench-{found.record.id}"]
    whole = "".join(value for fields in entries.values() for value in fields.values())
    assert "\\input" not in whole
    assert r"\textbackslash{}input\textbraceleft{}/etc/passwd\textbraceright{}" in entries[f"archbench-{found.record.id}"]["title"]
    assert "@" not in text.partition("\n\n")[0]


@pytest.mark.skipif(shutil.which("bibtex") is None, reason="BibTeX is not installed")
def test_bibtex_itself_has_nothing_to_complain_of(tmp_path: Path) -> None:
    """What a paper lacks it warns of; an entry that cannot be read, or that ends at the wrong brace, is an error."""
    saved(tmp_path / "store", hostile(), with_paper(NIN))
    (tmp_path / "x.bib").write_text(archbench.cite(tmp_path / "store", form="bibtex"), encoding="utf-8")
    (tmp_path / "x.aux").write_text("\\citation{*}\n\\bibstyle{plain}\n\\bibdata{x}\n")
    answer = subprocess.run(["bibtex", "x"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (answer.returncode, "error" in answer.stdout) == (0, False), answer.stdout
    assert (tmp_path / "x.bbl").read_text().count("\\bibitem") == len(read_bibtex((tmp_path / "x.bib").read_text()))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_pdflatex_prints_every_sign_of_ascii_in_its_usual_encoding(tmp_path: Path) -> None:
    signs = "".join(map(chr, range(33, 127)))
    text = f"\\documentclass{{article}}\\begin{{document}}{latex.escaped(signs)}\\end{{document}}"
    (tmp_path / "x.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "x"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert answer.returncode == 0, answer.stdout
    assert latex.text_of(latex.escaped(signs)) == signs


def test_one_work_has_one_entry_and_two_works_have_two_keys() -> None:
    """The same paper in two specs, in other letters; and another paper under its key."""
    again = Entry.of_text("misc", "other", title="network in network!", year="2014")
    different = Entry.of_text("misc", "LIN2014NIN", title="Another", year="2014")
    found = bibtex.numbered([bibtex.read(NIN), again, different, different.renamed("x")])
    assert [entry.key for entry in found] == ["lin2014nin", "LIN2014NINa"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no entry",
        "@article{x, title = {a}",
        "@article{x, title = {a}}@article{y, title = {b}}",
        "@article{x, title {a}}",
        "@article{x, title = }",
        '@article{x, title = "a} b"}',
        "@article{x, title = {a} year = 1}",
        "@string{x = {a}}",
        "@article{x, title = a # b}",
    ],
)
def test_what_is_no_single_entry_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match="entr"):
        bibtex.read(text)
    (entry,) = [
        each for each in references.papers([with_paper(text)]) if each.key != "paszke2019pytorch" and "Digits" not in each.text("title")
    ]
    assert (entry.text("title"), entry.fields["eprint"]) == ("Network In Network", "1312.4400")


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        ("doi = {https://doi.org/10.1109/5.726791}", {"doi": "10.1109/5.726791"}),
        ("doi = {doi:10.1109/5.726791}", {"doi": "10.1109/5.726791"}),
        ("eprint = {arXiv:1312.4400v3}", {"eprint": "1312.4400v3"}),
        ("eprint = {https://arxiv.org/abs/1312.4400}, month = jan", {"eprint": "1312.4400", "month": "January"}),
        ("doi = {https://example.org/10.1109/5.726791}", {}),
    ],
)
def test_numbers_lose_the_address_before_them(written: str, fields: dict[str, str]) -> None:
    assert bibtex.read(f"@misc{{x, {written}}}").fields == fields


def test_fields_that_are_more_than_a_title_are_printed_as_text() -> None:
    entry = bibtex.read("@article{x, title = {\\write18{rm} 50% {A}}, crossref = {y}, doi = {10.1/x}, url = {javascript:x}, year = 2014}")
    assert entry.fields["title"] == r"\textbackslash{}write18\textbraceleft{}rm\textbraceright{} 50\% \textbraceleft{}A\textbraceright{}"
    assert set(entry.fields) == {"title", "year"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (r"K{\"o}pf", "Köpf"),
        (r"Fran{\c{c}}ois Doll{\'a}r", "François Dollár"),
        (r"$<$0.5{MB} \& 94\%", "<0.5MB & 94%"),
        ("2278--2324", "2278–2324"),
        (r"\o{} {\ss} \TeX{} x", "ø ß TeX x"),
    ],
)
def test_latex_of_bibliographies_is_read_as_text(value: str, text: str) -> None:
    assert latex.is_plain(value)
    assert latex.text_of(value) == text


def test_text_that_is_escaped_prints_what_it_was() -> None:
    escaped = latex.escaped(HOSTILE)
    assert latex.is_plain(escaped)
    assert latex.text_of(escaped) == latex.one_line(HOSTILE).replace("\ufffd", "[U+FFFD]")
    assert latex.escaped("Köpf – ž 网 ơ --") == r"Köpf -- ž {[}U+7F51{]} {[}U+01A1{]} -{}-"  # no sign that pdflatex stops at
    entry = Entry.of_text("misc", "x", title="α 网 …")
    assert entry.text("title") == "α 网 …"
    assert entry.renamed("y").text("title") == "α 网 …"
    assert latex.escaped("a --models") == "a -{}-models"


# RIS, Markdown, text


def test_ris_keeps_its_lines_whatever_stands_in_a_record(tmp_path: Path) -> None:
    found = saved(tmp_path, hostile(), with_paper(NIN))
    entries = read_ris(formats.ris(citation.cite(found)))
    assert [entry[0][1] for entry in entries][:2] == ["COMP", "DATA"]
    nin = next(dict(entry) for entry in entries if ("ID", "lin2014nin") in entry)
    assert (nin["TY"], nin["TI"], nin["PY"], nin["UR"]) == ("CPAPER", "Network In Network", "2014", "https://arxiv.org/abs/1312.4400")


def test_markdown_shows_hostile_text_as_text(tmp_path: Path) -> None:
    (found,) = saved(tmp_path, hostile())
    shown = Shown(MarkdownIt("gfm-like", {"linkify": False}).render(formats.markdown(citation.cite([found]))))
    assert shown.tags <= {"h2", "p", "ul", "li", "code", "pre"}
    assert f"{found.record.id}: {latex.one_line(HOSTILE)}, trained on {latex.one_line(HOSTILE)}, seed 0" in shown.text


def test_text_holds_no_sign_that_steers_a_terminal(tmp_path: Path) -> None:
    (found,) = saved(tmp_path, hostile())
    text = formats.text(citation.cite([found]))
    assert all(sign.isprintable() or sign == "\n" for sign in text)


def test_a_record_that_no_run_left_is_cited_all_the_same(tmp_path: Path) -> None:
    """pytest-benchmark's, a failed run's, and one whose recipe is no recipe."""
    benchmark = make_record("call", "imported")
    benchmark = sealed(benchmark, config={**benchmark.config, "data": None, "tool": {"name": "pytest-benchmark", "version": "5"}})
    failed = make_record("vgg", status="failed", failure={"reason": "x", "message": "no memory"}, measurements=())
    odd = make_record("odd")
    odd = sealed(odd, config={**odd.config, "recipe": {**odd.config["recipe"], "lr": "x"}})
    old = make_record("old")
    old = sealed(old, config={**old.config, "recipe": {"decay": 3}, "seed": {}})
    text = formats.text(citation.cite(saved(tmp_path, benchmark, failed, odd, old)))
    assert "it was taken from a file of pytest-benchmark" in text
    assert "vgg (train) failed: no memory." in text
    assert f"Record {odd.id} does not hold what a run of archbench leaves" in text


# the command


def test_the_command_writes_a_file(in_process: Callable[..., Answer], tmp_path: Path) -> None:
    (found,) = saved(tmp_path / "archbench-runs", make_record())
    answer = in_process("cite", found.record.id, "--format", "bibtex", "--out", "x.bib")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "written: x.bib\n")
    assert list(read_bibtex((tmp_path / "x.bib").read_text()))[1] == f"archbench-{found.record.id}"


@pytest.mark.parametrize(
    ("named", "more", "message"),
    [
        ([], {}, "no Record is named"),
        ([""], {}, "an empty name is no file"),
        (["abcdef"], {}, "no Record in store with an id that begins with abcdef"),
        (["resluts"], {}, "'resluts' is no file, results folder or Record id"),
        (["classes"], {}, "the table classes holds nothing"),
        (["results"], {"models": "vgh"}, "unknown model among the Records: 'vgh'; did you mean 'vgg'"),
        (["store"], {"models": "vgg"}, "--models, --dataset and --condition restrict a table"),
        (["store"], {"form": "bibtec"}, "unknown format 'bibtec'; did you mean 'bibtex'"),
        (["empty"], {}, "empty holds no Records"),
        (["~nobody-here/x"], {}, "there is no such home directory"),
    ],
)
def test_mistakes_are_one_line(
    named: list[str], more: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "store", make_record("vgg"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchbenchError, match=re.escape(message)):
        archbench.cite(*named, results="store", **more)  # type: ignore[arg-type]


def test_a_record_that_was_changed_is_not_cited(tmp_path: Path) -> None:
    (found,) = saved(tmp_path, make_record())
    found.path.write_text(found.path.read_text().replace("1437", "1438"))
    with pytest.raises(ArchbenchError, match="was changed after it was written"):
        archbench.cite(found.record.id, results=tmp_path)


def test_the_classes_page_is_made_from_trainings_with_predictions(tmp_path: Path) -> None:
    (tested,) = make_tested(tmp_path, "nin", np.zeros((1, 20), bool), np.arange(20) % 10)
    saved(tmp_path, tested, make_record("vgg"))
    text = archbench.cite("classes", results=tmp_path)
    assert [tested.id in text, "vgg" in text] == [True, False]


def test_a_table_that_is_also_a_folder_here_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cite results` where a folder `results` lies: the folder, the table made from it, or the table made from another."""
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "results", make_record(seed=0))
    with pytest.raises(ArchbenchError, match=r"^results is a table and a folder here: results/ is the folder, --results results the table"):
        archbench.cite("results")
    assert archbench.cite("results", results="results") == archbench.cite("results/")


def test_the_commands_name_the_tables_that_there_are() -> None:
    assert tuple(PAGES_HELP.split(", ")) == pages.NAMES


def test_a_file_that_holds_something_else_is_left(tmp_path: Path, in_process: Callable[..., Answer]) -> None:
    Store(tmp_path / "r").save(make_record())
    (tmp_path / "own.bib").write_text("@book{mine}\n")
    for command in ("cite", "bundle"):
        answer = in_process(command, "r", "--out", "own.bib")
        what = {"cite": "citation", "bundle": "bundle"}[command]
        assert answer == Answer(2, "", f"archbench: own.bib is there and is no {what} of archbench; --out names another file\n")
    assert (tmp_path / "own.bib").read_text() == "@book{mine}\n"
    for _ in range(2):
        assert in_process("cite", "r", "--format", "bibtex", "--out", "new.bib").returncode == 0

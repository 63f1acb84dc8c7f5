"""Tables that are kept beside the Records: the same bytes everywhere, without torch, and held against the Records by `--check`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_member, make_record

from archbench import claiming
from archbench.cli import app
from archbench.errors import ArchbenchError
from archbench.publish.pages import NAMES, page
from archbench.publish.predictions import Kept
from archbench.publish.writing import files
from archbench.records.schema import Record
from archbench.records.store import Store

Capture = pytest.CaptureFixture[str]
README = "before\n<!-- results -->\nold\n<!-- end of results -->\nbehind\n"
PAGES = {
    name: page(name, [make_record(), make_member("nin", counts={"macs": {"pointwise": 1}})], Kept()) for name in ("results", "lineage")
}


def records() -> list[Record]:
    seeds = [make_record(name, seed=seed, error_pct=error + seed) for name, error in (("nin", 10.0), ("vgg", 30.0)) for seed in range(2)]
    counts = {"params": {"pointwise": 9}, "macs": {"pointwise": 7, "head": 3}}
    return [*seeds, *(make_member(name, counts=counts, created="2026-01-03T00:00:00.000+00:00") for name in ("nin", "mixer"))]


def save(folder: Path) -> Path:
    for record in records():
        Store(folder).save(record)
    return folder


def test_the_same_bytes_from_the_same_records_on_any_machine_and_without_torch(tmp_path: Path) -> None:
    """In another process: another folder, order of files, time zone, language and seed of hashes."""
    here, there = save(tmp_path / "here"), tmp_path / "elsewhere" / "there"
    for record in reversed(records()):
        Store(there).save(record)
    code = (
        "import sys\nfrom archbench.cli import app, tables_out\n"
        "tables_out.SUFFIXES['md'] = tuple(tables_out.files.WRITERS)\n"  # all formats of the same pages
        "app.build(['tables'])(['tables', 'all', '--results', 'there', '--out', 'out', '--format', 'md'], standalone_mode=False)\n"
        "print('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONUTF8": "0"}
    answer = subprocess.run([sys.executable, "-c", code], cwd=there.parent, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"
    stored, _ = Store(here).load()
    wanted = files.texts([page(name, stored, Kept(here), specs=claiming.claiming()) for name in NAMES], tuple(files.WRITERS))
    assert {path.name: path.read_bytes() for path in (there.parent / "out").iterdir()} == {
        name: text.encode() for name, text in wanted.items()
    }
    assert not [text for text in wanted.values() if str(tmp_path) in text or "2026-01-0" in text]


def command(*arguments: str) -> int:
    """The exit status of `archbench tables ...`, in this process."""
    return int(app.build(["tables"])(["tables", *arguments], standalone_mode=False) or 0)


def test_check_says_what_lags_behind_and_writing_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("r"))
    Path("README.md").write_text(README)
    write = ("results", "--results", "r", "--out", "r/tables", "--readme", "README.md", "--records-only")
    assert command(*write) == 0
    whole = Path("README.md").read_text()
    assert whole.startswith("before\n<!-- results -->\n### digits (")
    assert whole.endswith("\n<!-- end of results -->\nbehind\n")
    assert "profile" not in whole
    assert command(*write, "--check") == 0
    Store(Path("r")).save(make_record("alexnet"))
    capsys.readouterr()
    assert command(*write, "--check") == 1
    said = capsys.readouterr()
    assert "--- README.md\n+++ README.md (from the Records)\n" in said.out
    assert "+| alexnet | 2013 | 10.0 [7.3–13.5] |" in said.out
    assert Path("README.md").read_text() == whole
    assert said.err.startswith("not as the Records have it: r/tables/results.md, r/tables/results.csv, README.md;")


@pytest.mark.parametrize("form", ["md", "csv", "latex", "html", "json"])
def test_what_was_written_in_one_format_is_checked_in_that_alone(form: str, tmp_path: Path) -> None:
    save(tmp_path)
    folder = tmp_path / "tables"
    written = ("results", "--results", str(tmp_path), "--out", str(folder), "--records-only")
    assert command(*written, "--format", form) == 0
    assert command(*written, "--format", form, "--check") == 0
    assert command(*written, "--check") == 0
    (path,) = folder.iterdir()
    path.write_text(path.read_text().replace("alexnet", "alexnot").replace("nin", "non"))
    assert command(*written, "--format", form, "--check") == command(*written, "--check") == 1
    other = "md" if form != "md" else "csv"
    assert command(*written, "--format", other, "--check") == 1


def test_a_chosen_table_is_checked_by_the_options_that_wrote_it(tmp_path: Path) -> None:
    save(tmp_path)
    options = ("results", "--results", str(tmp_path), "--out", str(tmp_path / "t"), "--format", "latex", "--condition", "digits")
    options = (*options, "--columns", "params", "--caption", "Mine.", "--label", "tab:mine", "--records-only")
    assert command(*options) == 0
    assert command(*options, "--check") == 0
    assert command(*options, "--columns", "MACs", "--check") == 1


def test_each_experiment_has_a_page_of_its_own(tmp_path: Path, capsys: Capture) -> None:
    for label, error in (("nin", 10.0), ("nin+head=fc", 12.0), ("nin+mlp_depth=0", 15.0)):
        for seed in range(2):
            Store(tmp_path).save(make_record(label, seed=seed, error_pct=error + seed))
    asked = ("experiment", "--experiment", "head,mlp_depth", "--results", str(tmp_path), "--records-only")
    folder = tmp_path / "tables"
    assert command(*asked, "--out", str(folder)) == 0
    held = {path.name: path.read_text() for path in folder.glob("*.md")}
    assert sorted(held) == ["experiment-head.md", "experiment-mlp_depth.md"]
    assert "head=fc errs 2.0 points more than head=gap" in held["experiment-head.md"]
    assert "mlp_depth=0 errs 5.0 points more than mlp_depth=2" not in held["experiment-head.md"]
    assert command(*asked, "--check") == 0
    (folder / "experiment-mlp_depth.md").write_text("old\n")
    capsys.readouterr()
    assert command(*asked, "--check") == 1
    assert f"archbench tables experiment --experiment mlp_depth --out {folder} writes" in capsys.readouterr().err
    assert command(*asked, "--json") == 0
    assert json.loads(capsys.readouterr().out).keys() == {"experiment-head", "experiment-mlp_depth"}


def trained(name: str, recipe: str, epochs: int) -> Record:
    config = make_record().config
    asked = f"{name}-{recipe}-{epochs}"
    return make_record(
        name, key=asked, group=asked, config={**config, "training": {**config["training"], "name": recipe, "epochs": epochs}}
    )


def test_a_readme_shows_of_each_recipe_the_table_with_most_networks(tmp_path: Path) -> None:
    lengths = {("modern", 4): ("nin", "vgg"), ("modern", 2): ("nin", "vgg"), ("modern", 8): ("nin",), ("fast", 2): ("nin",)}
    records = [trained(name, *asked) for asked, names in lengths.items() for name in names]
    path = tmp_path / "README.md"
    path.write_text(README)
    text = files.readme(path, {"results": page("results", records, Kept())})
    headings = [line.split(" · ")[1] for line in text.splitlines() if line.startswith("### ")]
    assert sorted(headings) == ["recipe fast, 2 epochs, batch 32, fp32", "recipe modern, 4 epochs, batch 32, fp32"]
    assert text.count("- 2 more tables are of these images by this recipe, at other lengths or precisions\n") == 1


@pytest.mark.parametrize("text", ["", "<!-- results -->\n", "<!-- end of results -->\n<!-- results -->\n", README * 2])
def test_a_readme_without_its_two_marks_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(ArchbenchError, match=r"README\.md has no block for (results: a line|tables: lines <!-- NAME -->)"):
        files.readme(path, PAGES)


def test_the_lineage_of_a_readme_has_a_row_for_what_was_taken(tmp_path: Path) -> None:
    """Of the most members together: two of three, of which one takes what the other does; 7 of 10 MACs mix channels only."""
    counts = {"macs": {"pointwise": 7, "dense_conv": 3}}
    takes = {"nin": "All.", "nin_deeper": "All.", "mixer": "A | part."}
    members = [make_member(name, counts=counts, parents=("elsewhere",) * (name == "nin_deeper")) for name in takes]
    for member in members:
        member.model.spec["takes"] = takes[member.model.name]
    alone = make_member("nin_imagenet", counts=counts)
    pages = {name: page(name, [alone, *members], Kept()) for name in ("results", "lineage")}
    path = tmp_path / "README.md"
    path.write_text("<!-- lineage -->\n<!-- end of lineage -->\n" + README)
    lineage, _, rest = files.readme(path, pages).partition("<!-- end of lineage -->\n")
    rows = [line for line in lineage.splitlines() if line.startswith("| ")]
    assert rows[0] == "| model | year | channels only, % | head | takes from NIN |"
    assert rows[2:] == ["| mixer | 2014 | 70 | gap | A \\| part. |", "| nin | 2014 | 70 | gap | All. |"]
    assert "a network that took the same as one above it has no row, from whichever parents" in lineage
    assert rest.startswith("before\n<!-- results -->\n<!-- end of results -->")


def test_line_ends_of_a_readme_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(README.replace("\n", "\r\n").encode())
    text = files.readme(path, PAGES)
    assert text.count("\n") == text.count("\r\n") > 10


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--check",), "there is no folder r/tables to check; --out names the one that holds the tables"),
        (("--check", "--format", "html"), "there is no folder r/tables to check; --out names the one that holds the tables"),
        (("--json", "--format", "md"), "--json and --format md ask for two formats: give one"),
        (("--readme", "none.md"), "there is no file none.md"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], complaint: str) -> None:
    monkeypatch.chdir(tmp_path)
    Store(Path("r")).save(make_record())
    with pytest.raises(ArchbenchError, match=f"^{re.escape(complaint)}"):
        command(*arguments, "--results", "r")


def test_the_claims_that_are_read_without_torch_are_those_of_the_specs() -> None:
    """`archbench list --out zoo/claims.json` makes the file again."""
    assert claiming.FILE.read_text() == claiming.text()


def test_claims_of_another_zoo_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "FILE", tmp_path / "claims.json")
    for text in ("", "[]", '{"zoo_sha256": "other", "specs": [{"name": "wrong"}]}'):
        claiming.FILE.write_text(text)
        assert "nin" in {spec["name"] for spec in claiming.claiming()}

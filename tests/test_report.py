"""What the report is made of: sentences, tables and Records as plain values, and a file that holds all of them safely."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from conftest import Answer, make_member, make_record
from test_writing import HOSTILE, hostile

import archbench
from archbench import layering, reporting
from archbench.errors import ArchbenchError
from archbench.publish.figures.look import FILLS
from archbench.publish.predictions import Kept
from archbench.publish.report import content as report
from archbench.publish.report import laid, networks, stored
from archbench.publish.report.content import Source, content
from archbench.publish.report.document import MARK, document, embedded, static
from archbench.records.schema import Doubt, Failure, Record, seal
from archbench.records.store import Store

RESULTS = Path(__file__).parent.parent / "results"


def of(*records: Record) -> dict[str, object]:
    return content(Source(records, Kept(None)))


def sentences(*records: Record) -> list[str]:
    return [line for part in of(*records)["summary"] for line in part["sentences"]]  # type: ignore[attr-defined]


def test_the_summary_counts_records_and_names_who_errs_least() -> None:
    """Seeds 10 and 11 against 30 and 31: means of 10.5 and 30.5; two seeds a network are too few to tell more."""
    records = [make_record(name, seed=seed, error_pct=error + seed) for name, error in (("nin", 10.0), ("vgg", 30.0)) for seed in (0, 1)]
    said = sentences(*records, make_member("nin"))
    assert said[0] == "5 Records of 2 networks: 4 trainings and 1 profile."
    assert said[1] == "Measured on a processor with archbench 0.1.0, PyTorch 2.9."
    # Student's t of two values 1 apart: 12.706 × 0.5, so 10.5 ± 6.35 and 30.5 ± 6.35, halves to the even
    assert said[2] == "Of 2 networks nin errs least, 10 [4–17] % (2 seeds), and vgg most, 30 [24–37] % (2 seeds)."
    assert said[3] == "Whether that is more than chance is not told: it takes 5 seeds of the first, and of another."


def test_the_summary_says_what_can_be_told_from_the_least_error() -> None:
    """Over five seeds that scatter by 0.1: 10 and 30 are apart, 10 and 10.02 are not."""
    by_name = {"nin": 10.0, "near": 10.02, "vgg": 30.0}
    records = [make_record(name, seed=seed, error_pct=error + 0.1 * seed) for name, error in by_name.items() for seed in range(5)]
    assert "Not told from it at the 5 % level: near." in sentences(*records)
    assert "Of 3 pairs of networks with at least 5 seeds each: 2 better on these images and 1 not told apart." in sentences(*records)


def test_the_summary_says_of_whom_the_least_error_is_less() -> None:
    """Of those with five seeds or more, though the first has six; of a network with two nothing can be told."""
    by_name = {"nin": (10.0, 6), "vgg": (30.0, 5), "alexnet": (40.0, 2)}
    records = [
        make_record(name, seed=seed, error_pct=error + 0.1 * seed) for name, (error, seeds) in by_name.items() for seed in range(seeds)
    ]
    assert "The only other with at least 5 seeds errs more at the 5 % level (Welch's t, Holm)." in sentences(*records)
    more = [make_record("lenet", seed=seed, error_pct=50 + 0.1 * seed) for seed in range(5)]
    assert "All others with at least 5 seeds err more at the 5 % level (Welch's t, Holm)." in sentences(*records, *more)


@pytest.mark.parametrize(("training", "said"), [({"name": "modern", "epochs": 1}, "digits · modern, 1 epoch"), ({"name": "x"}, "digits")])
def test_a_record_is_told_apart_by_its_data_and_how_long_it_learned(training: dict[str, object], said: str) -> None:
    record = make_record()
    found = stored.stored([record.model_copy(update={"config": {**record.config, "training": training}})])
    assert found["pool"][found["records"][0]["setting"]] == said


def test_without_records_there_is_a_page_that_says_so() -> None:
    assert sentences() == ["There are no Records yet: archbench run makes some."]
    assert of()["pages"] == of()["plots"] == of()["models"] == of()["records"] == []
    assert MARK in document(of())


def test_runs_that_failed_and_records_without_a_measurement_are_named() -> None:
    failed = make_record("vgg", status="failed", failure=Failure(reason="error", message="no luck"), measurements=(), key="k")
    found = of(failed, make_record("nin", "profile", measurements=()))
    assert "Without a result: 1 failed." in sentences(failed)
    assert [(each["model"], each["failure"]) for each in found["records"]] == [("nin", ""), ("vgg", "no luck")]  # type: ignore[attr-defined]
    assert found["plots"] == []


@pytest.mark.parametrize("odd", [None, "text", 5, [1], [{}], {"a": 1}])
def test_a_record_whose_spec_holds_something_else_is_shown_all_the_same(odd: object) -> None:
    names = ("takes", "parents", "paper", "deviations", "published", "claims")
    record = make_record()
    spec = {**record.model.spec, **dict.fromkeys(names, odd)}
    found = of(seal(**{**record.model_dump(exclude={"id"}), "model": {**record.model.model_dump(), "spec": spec}}))
    (model,) = found["models"]  # type: ignore[misc]
    assert (model["label"], model["title"]) == ("nin", "NIN")
    assert len(model["published"]) == len(model["claims"]) == (odd == [{}])
    assert document(found)


@pytest.mark.parametrize("curves", [5, {"loss": "x"}, {"loss": [1.0, "x"]}, {"loss": []}])
def test_curves_that_are_none_are_left_out(curves: object) -> None:
    assert of(make_record(samples={"curves": curves}))["records"][0]["curves"] == {}  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("967 k", 967e3),
        ("29.9 [29.0–30.8] n=5", 29.9),
        ("3.362 [3.344–3.404]*", 3.362),
        ("1,230", 1230.0),
        ("<1", 0.5),
        ("5.3 ms", 5.3),
        ("-4.2", -4.2),
        ("–", None),
        ("diverged", None),
        ("<script>", None),
    ],
)
def test_a_cell_sorts_by_its_figure(text: str, value: float | None) -> None:
    assert laid.number(text) == value


@pytest.mark.parametrize(("text", "value"), [(",", None), ("<,", None), ("<1,000", 500.0)])
def test_what_looks_a_little_like_a_figure_is_no_error(text: str, value: float | None) -> None:
    """Half of what it is less than, as of every such."""
    assert laid.number(text) == value


def test_each_row_leads_to_its_records() -> None:
    runs = [make_record("nin", seed=seed) for seed in (0, 1)]
    page = next(page for page in of(*runs)["pages"] if page["name"] == "results")  # type: ignore[attr-defined]
    (table,) = page["tables"]
    assert [row["records"] for row in table["rows"]] == [[run.id for run in runs]]
    column = table["headers"].index("test error, %")
    assert (table["numbers"][column], table["numbers"][0]) == ([10.0], None)


def test_shares_of_a_network_are_of_its_newest_profile() -> None:
    """30 of 40 MACs mix channels only, 10 both at once."""
    old = make_member("nin", counts={"macs": {"pointwise": 1, "head": 1}}, key="old", created="2025-01-01T00:00:00.000+00:00")
    new = make_member("nin", counts={"macs": {"pointwise": 30, "dense_conv": 10}})
    (model,) = networks.models([old, new], {})
    assert model["shares"]["channels"] == 75.0
    assert model["shares"]["record"] == new.id
    assert model["shares"]["rows"] == [{"of": "MACs", "classes": [["pointwise", "channels", 75.0], ["dense_conv", "both", 25.0]]}]
    assert model["records"] == [new.id, old.id]


def test_layers_are_those_of_the_zoo_and_say_whether_the_code_is_the_same() -> None:
    layers = {"nin": {"source_sha256": "s", "input": "3x32x32", "layers": [["a", "pool", [1, 2, 2], 0, 0]]}}
    (model,) = networks.models([make_record("nin")], layers)  # whose source is `s`
    assert model["layers"] == {"input": "3x32x32", "rows": [["a", "pool", [1, 2, 2], 0, 0]], "same_code": True}
    (model,) = networks.models([make_record("nin")], {"nin": {**layers["nin"], "source_sha256": "t"}})
    assert not model["layers"]["same_code"]
    assert networks.models([make_record("vgg")], layers)[0]["layers"] is None


def test_what_many_records_share_is_kept_once() -> None:
    found = stored.stored([make_record("nin", seed=seed) for seed in range(9)])
    assert len({tuple(record["environment"].values()) for record in found["records"]}) == 1
    assert found["pool"].count("a processor") == 0
    assert found["pool"].count({"kind": "cpu", "name": "a processor"}) == 1


def test_many_networks_under_one_condition_are_not_set_against_each_other() -> None:
    """Of eleven networks there are 55 pairs; a store of sixty has 1,770, each with a test over seeds that takes a while."""
    records = [make_record(f"m{number}") for number in range(report.MOST_RANKED + 1)]
    found = of(*records)
    assert "errors" not in {page["name"] for page in found["pages"]}  # type: ignore[attr-defined]
    (line,) = found["problems"]  # type: ignore[misc]
    assert line.startswith("errors: 11 networks under one condition are not compared two by two here (digits (")
    assert "errors" in {page["name"] for page in of(*records[:-1])["pages"]}  # type: ignore[attr-defined]


def test_hostile_text_cannot_end_the_data_and_comes_out_as_it_was() -> None:
    nasty = ["</script><script>alert(1)</script>", "<!--", "]]>", "&lt;", "\u2028\u2029", "中文 𝔸", '"\\']
    text = embedded(nasty)
    assert json.loads(text) == nasty
    assert text.isascii()
    assert not set("<>&") & set(text)
    page = document(of(*hostile()))
    assert page.count("<script") == page.count("</script") == 2  # the data, and the page's own
    assert "alert(1)<" not in page
    assert all(
        json.dumps(name)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") in page for name in HOSTILE[:8]
    )
    assert "\\u202e" not in page  # turns the direction of what follows
    assert "\u202e" not in page


def test_nothing_may_run_or_load_but_what_the_page_brings() -> None:
    page = document(of(make_record()))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    script, style = page.rpartition("<script>")[2].partition("</script>")[0], page.partition("<style>")[2].partition("</style>")[0]
    rules = dict(rule.split(" ", 1) for rule in policy[1].replace("&#39;", "'").split("; "))
    for name, text in (("script-src", script), ("style-src", style)):
        assert rules[name] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules
    assert "connect-src &#39;self&#39;" in document(of(make_record()), state="s")
    assert not re.search(r"""\b(?:src|href)=["'](?!#|data:,)""", page)  # nothing is fetched


def test_bars_of_operators_have_the_colours_of_the_figures() -> None:
    found = dict(re.findall(r"--(\w+): light-dark\((#\w+),", static("report.css")))
    assert {kind: found[kind] for kind in FILLS} == {kind: fill for kind, (fill, _) in FILLS.items()}


def test_the_report_of_the_zoo_is_small_and_holds_every_network_with_its_layers() -> None:
    source = reporting.source(RESULTS)
    found = content(source)
    assert len(document(found).encode()) < 4e6
    models = {model["label"]: model for model in found["models"]}
    assert set(models) == {record.model.label for record in source.records}
    assert all(models[name]["layers"]["rows"] == each["layers"] for name, each in layering.layers().items() if name in models)


def test_the_same_records_give_the_same_page() -> None:
    assert document(of(*hostile())) == document(of(*hostile()))


def test_a_notebook_is_told_of_what_cannot_be_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(make_record("lenet"))
    (store.runs / "damaged.json").write_text("{")
    with pytest.warns(UserWarning, match="damaged"):
        path = archbench.report(tmp_path, tmp_path / "r.html")
    assert "1 Record of 1 network" in path.read_text()


def test_a_file_that_is_no_report_is_left_alone(tmp_path: Path, in_process: object) -> None:
    run = in_process
    path = Store(tmp_path / "r").save(make_record(warnings=(Doubt(code="odd", message="because"),)))
    before = path.read_bytes()
    answer: Answer = run("report", "--results", "r", "--out", str(path))  # type: ignore[operator]
    assert answer.returncode == 2
    assert answer.stderr == f"archbench: {path} is there and is no report of archbench; --out names another file\n"
    assert path.read_bytes() == before
    for _ in range(2):  # a report may be written over
        assert run("report", "--results", "r", "--out", "deep/x.html").returncode == 0  # type: ignore[operator]
    assert (tmp_path / "deep/x.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--results", "nowhere"), "there is no results folder nowhere"),
        (("--results", "."), ""),  # no Records: a page that says so
        (("--results", ".", "--out", "."), "cannot write"),
        (("--results", ".", "--ou", "x"), "there is no option --ou; did you mean --out?"),
    ],
)
def test_what_cannot_be_is_one_line(in_process: object, arguments: tuple[str, ...], complaint: str) -> None:
    answer: Answer = in_process("report", *arguments)  # type: ignore[operator]
    assert answer.returncode == (2 if complaint else 0)
    assert answer.stderr.startswith(f"archbench: {complaint}" if complaint else "archbench-report.html: 0 Records")
    assert answer.stderr.count("\n") == 1


def test_a_damaged_file_is_named_on_the_page(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(make_record())
    (store.runs / "x.json").write_text("{")
    found = content(reporting.source(tmp_path))
    assert found["problems"] == ["x.json is not JSON: damaged or not a Record"]


def test_an_unwritable_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchbenchError, match="cannot write"):
        reporting.write("text", tmp_path / "file" / "x.html")

"""The command line as a user meets it: exit status, one line a mistake, results on stdout and all else on stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import Answer, CommandLine, make_member, make_record
from rich.console import Console

from archbench.cli import view
from archbench.publish.results import Table
from archbench.publish.shares import OPERATOR_CLASSES
from archbench.records.store import Store

QUICK = ("--models", "lenet", "--limit-train", "64", "--epochs", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--models", "nim"], "unknown model 'nim'; did you mean 'nin'?"),
        (["run", "--models", "nin+hed=fc"], "nin has no knob 'hed'"),
        (["run", "--dataset", "cifar"], "unknown dataset 'cifar'; did you mean 'cifar10'?"),
        (["run", "--recipe", "modren"], "unknown recipe 'modren'; did you mean 'modern'?"),
        (["run", "--experiment", "haed"], "unknown experiment 'haed'; did you mean 'head'?"),
        (["tables", "experiment"], "the table experiment and --experiment NAME belong together"),
        (["tables", "experiment", "--experiment", ","], "--experiment names nothing"),
        (["tables", "experiment", "--experiment", "head,haed"], "unknown experiment 'haed'; did you mean 'head'?"),
        (["tables", "experiment", "--experiment", "head,head"], "--experiment names head twice, whose pages are files of one name"),
        (["tables", "experiment", "--experiment", "head,mlp_depth", "--format", "csv"], "--format csv shows one table at a time"),
        (["run", "--device", "gpu"], "unknown device 'gpu'"),
        (["run", "--device", "cuda:9"], "--device cuda:9: this machine has"),
        (["run", "--precision", "bf61"], "unknown precision 'bf61'; did you mean 'bf16'?"),
        (["run", "--track", "tensorbord,wandb"], "unknown tracker 'tensorbord'; did you mean 'tensorboard'?"),
        (["run", "--epoch", "3"], "there is no option --epoch; did you mean --epochs?"),
        (["run", "--epochs", "0"], "--epochs: input should be greater than or equal to 1 (got 0)"),
        (["tune", "--trials", "0"], "--trials: input should be greater than or equal to 1 (got 0)"),
        (["run", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["run", "--train-fraction", "0"], "--train-fraction"),
        (["run", "--limit-train", "64", "--batch-size", "100"], "a batch of 100 is larger than the 64 training images"),
        (["run", "--models", "nin", "--image-size", "3"], "nin needs images of at least 4x4 (got 3x3)"),
        (["run", "--dataset", "imagefolder:nowhere"], "there is no folder nowhere"),
        (["tables", "--results", "nowhere"], "there is no results folder nowhere"),
        (["tables", "operator"], "unknown table 'operator'; did you mean 'operators'?"),
        (["tables", "all", "--format", "csv"], "--format csv shows one table at a time"),
        (["tables", "--mix"], "--mix is for the table that ranks: archbench tables errors --mix"),
        (["tables", "--columns", "MACs", "--json"], "json holds every number: leave one of them out"),
        (
            ["tables", "--columns", "MACs", "--out", "x"],
            "--condition and --columns take --format md, latex or html beside --out and --check",
        ),
        (
            ["tables", "--condition", "fast", "--check"],
            "--condition and --columns take --format md, latex or html beside --out and --check",
        ),
        (["tables", "--columns", ","], "--columns names nothing"),
        (["tables", "--caption", "x"], "--caption and --label are of a table in LaTeX: --format latex"),
        (["tables", "--label", "a b", "--format", "latex"], "--label takes letters, digits and :._- (got 'a b')"),
        (["bundle", "--where", "model=nin", "--condition", "x", "--out", "x.zip"], "with --where they are part of the expression"),
        (["cite", "0123", "--condition", "x"], "--models, --dataset and --condition restrict a table"),
        (["show", "nim"], "unknown model 'nim'; did you mean 'nin'?"),
        (["show", "nin", "--image-size", "3"], "nin needs images of at least 4x4 (got 3x3)"),
        (["export", "nin", "--format", "onx", "--out", "x"], "unknown format 'onx'; did you mean 'onnx'?"),
        (["export", "nin", "--out", "nowhere/x"], "there is no folder nowhere to write x in"),
        (["export", "nin", "--out", "x", "--record", "0123"], "archbench-runs holds no Record 0123"),
        (["train", "--models", "decaf"], "decaf trains on the frozen features of a trained alexnet: decaf+source=RECORD_ID"),
        (["run", "--pretrained", "--models", "nin"], "there are no published weights for nin"),
        (["run", "--pretrained", "--models", "resnet50"], "the weights know the classes of imagenet, not those of digits"),
        (["rum"], "No such command 'rum'"),
        (["run", "--results", "/proc/nothing"], "cannot write /proc/nothing"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(arguments: list[str], message: str, in_process: Callable[..., Answer]) -> None:
    answer = in_process(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("archbench: ")
    assert message in line


def test_a_run_trains_profiles_and_prints_a_table(archbench: CommandLine, tmp_path: Path) -> None:
    answer = archbench("run", *QUICK)
    assert answer.returncode == 0, answer.stderr
    assert "to do: 1 training and 1 profile, about" in answer.stderr
    assert "lenet" in answer.stdout
    assert "latency" in answer.stdout
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert sorted(record.kind for record in Store(tmp_path / "archbench-runs").load()[0]) == ["profile", "train"]
    again = archbench("run", *QUICK)
    assert "already there and skipped" in again.stderr
    assert again.stdout == answer.stdout
    rows = json.loads(archbench("run", *QUICK, "--json").stdout)  # of what is there; its filters of 5 x 5 x 6 see one channel, not three
    counts = (62_006 - 2 * 25 * 6, 651_720 - 2 * 25 * 6 * 28 * 28)
    assert [(row["name"], row["params"], row["macs"]) for row in rows] == [("lenet", *counts)]


def test_the_list_as_json(archbench: CommandLine) -> None:
    listed = {row["name"]: row for row in json.loads(archbench("list", "--json").stdout)}
    assert (listed["nin"]["params"], listed["nin"]["macs"]) == (966_986, 222_486_528)


def test_the_lineage_as_a_tree_and_a_model_in_full_fit_eighty_columns(archbench: CommandLine) -> None:
    tree, shown = archbench("list", "--tree").stdout, archbench("show", "nin").stdout
    assert "── nin  2014 NIN (also from hog_linear, maxout)" in tree
    assert "features.mlpconv1.1.0" in shown
    assert "@inproceedings{lin2014nin," in shown
    assert max(map(len, [*tree.splitlines(), *shown.splitlines()])) <= 80


def test_a_table_is_no_wider_than_the_terminal_where_its_texts_can_be_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns of 5, 4, 24, 6, 5, 6, 18, 23 and 4 with eight gaps are 103 wide; errors and images/s can give 17 and 8: 78 is the least."""
    monkeypatch.setattr(view, "out", Console(width=80, highlight=False))
    columns = {"model": "lenet", "year": "1998", "test error, %": "85 [81–89] of 360 images", "params": "61.7 k", "MACs": "417 k"}
    columns |= {"in 1×1, %": "0", "latency, ms": "12.0 [11.97–22.79]", "images/s": "15,000* [10,840–36,646]", "head": "fc"}
    view.print_table(view.columns_table({header: [cell] for header, cell in columns.items()}))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "[10,840–36,646]" in " ".join(lines)


def test_headers_have_a_line_for_each_word_where_the_terminal_is_too_narrow_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns of 5, 11 and 6 with two gaps are 24 wide, and by words those of 5, 6 and 3 are 16."""
    columns = {"model": ["lenet"], "left chance": ["3 of 5"], "in 1×1, %": ["–"]}
    shown = {}
    for width in (24, 23, 16):
        monkeypatch.setattr(view, "out", Console(width=width, highlight=False))
        view.print_table(view.columns_table(columns))
        shown[width] = capsys.readouterr().out.splitlines()
    assert [line.split() for line in shown[24][:2]] == [["in", "1×1"], ["model", "left", "chance", "%"]]
    assert [line.split() for line in shown[23][:3]] == [["in"], ["left", "1×1"], ["model", "chance", "%"]]
    assert shown[23] == shown[16]
    assert max(map(len, shown[16])) == 16


def test_quiet_says_nothing_but_the_table(archbench: CommandLine) -> None:
    assert archbench("train", *QUICK, "--quiet").stderr == ""


def test_tables_of_a_condition_with_columns(in_process: Callable[..., Answer], tmp_path: Path) -> None:
    for model in ("nin", "vgg"):
        Store(tmp_path / "r").save(make_record(model))
    Store(tmp_path / "r").save(
        make_record("nin", config={**make_record().config, "training": {"name": "fast", "epochs": 2}}, key="f", group="f")
    )
    shown = in_process("tables", "--results", "r", "--condition", "recipe modern", "--columns", "test error", "--format", "md").stdout
    assert [line for line in shown.splitlines() if line.startswith(("#", "| n", "| v"))] == [
        "### digits (1×32×32, 10 classes; 1,437 training and 360 test images) · recipe modern, 8 epochs, batch 32, fp32 · a processor",
        "| nin | 10.0 [7.3–13.5] |",
        "| vgg | 10.0 [7.3–13.5] |",
    ]
    latex = ("tables", "--results", "r", "--format", "latex", "--caption", "Mine.")
    assert in_process(*latex).stderr.startswith(
        "archbench: --caption and --label are of one table, and these are 2: --condition takes words"
    )
    assert r"\caption{Mine. digits" in in_process(*latex, "--condition", "fast").stdout
    none = in_process("tables", "errors", "--mix", "--results", "r", "--columns", "tuned")
    assert (none.returncode, none.stderr) == (2, "archbench: nothing stands under tuned in any table\n")
    cited = in_process("cite", "results", "--results", "r", "--condition", "recipe fast").stdout
    assert cited.count("trained on digits") == 2  # the Record, and what is said of it


def test_tables_in_every_form(archbench: CommandLine, tmp_path: Path) -> None:
    Store(tmp_path / "r").save(make_record())
    assert "NIN" not in archbench("tables", "--results", "r").stdout
    assert "| nin | 2013 | 10.0 [7.3–13.5] |" in archbench("tables", "--results", "r", "--format", "md").stdout
    assert archbench("tables", "--results", "r", "--format", "csv").stdout.startswith("model,title,year,")
    assert json.loads(archbench("tables", "--results", "r", "--json").stdout)[0]["name"] == "nin"
    archbench("tables", "--results", "r", "--out", "t")
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["results.csv", "results.md"]


def test_no_column_is_hidden_where_there_is_no_room_for_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(view, "out", Console(width=60, highlight=False))
    columns = {"test error, %": ["90.3 [86.8–92.9]"], **{f"column {place}": ["1,234,567"] for place in range(6)}}
    view.print_table(view.columns_table(columns))
    assert "90.3" in capsys.readouterr().out


def test_a_wide_table_loses_its_intervals_and_one_that_is_wider_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six cells of 16 letters with their intervals, of 4 without; of the second table's captions only what tells them apart is said."""

    def table(caption: str, count: int) -> Table:
        columns = {f"x{place}": lambda row: "12.3 [11.8–12.9]" for place in range(count)}
        return Table(caption, pd.DataFrame({"x": [1]}), (), columns, wide=True)

    monkeypatch.setattr(view, "out", Console(width=60, highlight=False))
    view.print_tables([table("all · one", 6), table("all · two", 20), table("all · three", 20)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "all · one x0" in shown
    assert "12.3 12.3 12.3" in shown
    assert "[" not in shown
    assert "a wider terminal or --format md shows the intervals too · two; three: " in shown


def save_lineage(root: Path) -> None:
    """Two members, as a profile with --time leaves them."""
    for name, year, kind in (("lenet", 1998, "dense_conv"), ("nin", 2014, "pointwise")):
        counts = {"params": {kind: 9, "head": 1}, "macs": {kind: 95, "head": 5}}
        Store(root).save(make_member(name, year, counts=counts, forward_s=dict.fromkeys(OPERATOR_CLASSES, 0.001)))


def test_operators_and_lineage_fit_eighty_columns_and_end_with_the_reading(archbench: CommandLine, tmp_path: Path) -> None:
    save_lineage(tmp_path / "r")
    shown = archbench("tables", "operators", "lineage", "--results", "r").stdout
    assert ["MACs", "nin", "2014", "95", "0", "0", "5", "0", "100"] in [line.split() for line in shown.splitlines()]
    assert "What nin took." in shown
    assert shown.count("lenet, nin: fewer than 5 members, too few for a reading.") == 1
    assert max(map(len, shown.splitlines())) <= 80
    assert "a wider terminal or --format md shows it" in " ".join(shown.split())
    assert "pointwise" in archbench("tables", "operators", "--results", "r", width=140).stdout


def test_every_table_in_every_form(archbench: CommandLine, tmp_path: Path) -> None:
    save_lineage(tmp_path / "r")
    said = archbench("tables", "all", "--results", "r", "--out", "t").stderr
    names = [f"{name}.{suffix}" for name in ("claims", "environment", "lineage", "operators", "results") for suffix in ("csv", "md")]
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == names
    assert said.splitlines()[1:] == [
        "not written, since the Records hold nothing for them: errors, classes, ablations, latency, memory, roofline, maps"
    ]
    for name in ("lineage", "operators"):
        assert "\n### reading · profile · " in (tmp_path / "t" / f"{name}.md").read_text()
    assert "| MACs | nin | 2014 | 95 | 0 | 0 | 5 | 0 | 100 |" in (tmp_path / "t" / "operators.md").read_text()
    assert archbench("tables", "operators", "--results", "r", "--format", "csv").stdout.startswith(
        "model,title,year,quantity,operator_class,"
    )
    found = json.loads(archbench("tables", "lineage", "operators", "--results", "r", "--json").stdout)
    assert [row["channels_macs_pct"] for row in found["lineage"]] == [0, 95]
    expected = {"name": "nin", "quantity": "params", "operator_class": "pointwise", "share_pct": 90}
    assert any(expected.items() <= row.items() for row in found["operators"])


def test_a_table_that_nothing_fills_says_so(archbench: CommandLine, tmp_path: Path) -> None:
    Store(tmp_path / "r").save(make_record())
    answer = archbench("tables", "operators", "lineage", "--results", "r")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr.splitlines() == [
        "no finished profile (operators), lineage profile (lineage) of these in r yet",
    ]


def test_a_model_that_no_record_is_of_is_named(archbench: CommandLine, tmp_path: Path) -> None:
    Store(tmp_path / "r").save(make_record("mobilenet"))
    answer = archbench("tables", "--results", "r", "--models", "mobilent")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "archbench: unknown model in r: 'mobilent'; did you mean 'mobilenet'?\n"


def test_a_damaged_record_is_named_and_the_rest_is_shown(archbench: CommandLine, tmp_path: Path) -> None:
    Store(tmp_path / "r").save(make_record())
    (tmp_path / "r" / "runs" / "bad.json").write_text("{")
    answer = archbench("tables", "--results", "r", "--format", "md")
    assert answer.returncode == 2
    assert "| nin |" in answer.stdout
    assert answer.stderr == "archbench: bad.json is not JSON: damaged or not a Record\n"


def test_a_terminal_without_the_signs_shows_others(tmp_path: Path) -> None:
    Store(tmp_path / "r").save(make_record())
    command = [sys.executable, "-m", "archbench", "tables", "--results", "r"]
    answer = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True)
    assert b"nin" in answer.stdout


def test_folders_of_its_names_where_it_runs_hide_nothing(tmp_path: Path) -> None:
    (tmp_path / "archbench").mkdir()
    (tmp_path / "zoo").mkdir()
    command = [sys.executable, "-m", "archbench", "list", "--json"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "nin" in {model["name"] for model in json.loads(answer.stdout)}
    code = "import archbench, zoo; print(archbench.__version__, zoo.__file__)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True)


def test_an_empty_store_is_no_error(archbench: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    answer = archbench("tables", "--results", "r")
    assert (answer.returncode, answer.stderr) == (0, "no finished run in r yet\n")


@pytest.mark.parametrize(("signal_number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_the_same_command_goes_on(tmp_path: Path, signal_number: signal.Signals, status: int) -> None:
    """Interrupted after the first epochs of ten short ones, so that it cannot have ended before: no half-written file, and the
    Record says where it was resumed.
    """
    # a shell's background job, as these tests may be, hands down that SIGINT is ignored
    heeding = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    heeding += "runpy.run_module('archbench', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", heeding, "train", "--models", "alexnet", "--limit-train", "96", "--epochs", "10", "--json"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr is not None
        assert any("epoch 2/10" in line for line in running.stderr)  # the checkpoint of the first epoch is written
        running.send_signal(signal_number)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == status
    assert "Traceback" not in said
    assert not list(tmp_path.rglob(".writing-*"))
    resumed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(resumed.stdout)[0]["name"] == "alexnet"
    (record,) = Store(tmp_path / "archbench-runs").load()[0]
    assert record.config["resumed_from_step"] > 0


def test_a_failed_run_exits_1_after_the_rest(archbench: CommandLine, tmp_path: Path) -> None:
    """A checkpoint that is damaged makes its run fail; the other model is still trained."""
    from archbench import plan as planning
    from archbench.config import Settings
    from archbench.events import ignore

    store = Store(tmp_path / "archbench-runs")
    settings = Settings.of(models="nin_tiny", limit_train=64, epochs=1, results=store.root)
    job = planning.make(settings, ("train",), store, ignore).jobs[0]
    store.checkpoint_path(job.key).parent.mkdir(parents=True)
    store.checkpoint_path(job.key).write_bytes(b"damaged")
    answer = archbench("train", "--models", "nin_tiny,alexnet", "--limit-train", "64", "--epochs", "1")
    assert answer.returncode == 1
    assert "nin_tiny (train) failed: the checkpoint" in answer.stderr
    assert {record.model.label: record.status for record in store.load()[0]} == {"nin_tiny": "failed", "alexnet": "ok"}

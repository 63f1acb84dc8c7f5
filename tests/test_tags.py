"""Tags lie beside the Records, which are never edited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import make_record
from rich.console import Console

import archbench
from archbench.cli import app, view
from archbench.errors import ArchbenchError, StorageError
from archbench.records import tags
from archbench.records.lease import Lease
from archbench.records.schema import Record, seal
from archbench.records.store import Store


def test_tags_are_added_and_taken_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tags.change(store, ["a", "b"], add=["y", "x"])
    tags.change(store, ["b"], remove=["x", "y"])
    assert tags.load(store) == {"a": ("x", "y")}
    assert list(store.leases.iterdir()) == []


def test_who_changes_tags_waits_for_whoever_does_so_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    monkeypatch.setattr(tags, "WAIT_S", 0.0)
    held = Lease.take(store.leases / tags.LOCK)
    assert held is not None
    with pytest.raises(StorageError, match="another process has held it"):
        tags.change(store, ["a"], add=["x"])
    held.end()
    assert tags.change(store, ["a"], add=["x"]) == {"a": ("x",)}


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 61, "x,y", "a\n"])
def test_what_is_no_tag_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match="a tag is up to 60 letters"):
        tags.change(Store(tmp_path), ["a"], add=[name])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged or no file of tags"),
        ('{"format":1,"tags":{"a":"x"}}', "is damaged or no file of tags"),
        ('{"format":1,"tags":{"a":["no tag"]}}', "is damaged or no file of tags"),
        ('{"format":9,"tags":{}}', "has format 9, this archbench reads up to 1"),
    ],
)
def test_a_damaged_file_is_named_before_the_work_and_stays(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tags.json").write_text(content)
    with pytest.raises(ArchbenchError, match=message):
        archbench.train(models="lenet", tag="x", results=tmp_path)
    assert (tmp_path / "tags.json").read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == ["tags.json"]


def test_a_run_tags_its_records_and_those_that_were_there_and_is_the_same_run(tmp_path: Path) -> None:
    settings = {"models": "lenet", "epochs": 1, "limit_train": 64, "results": tmp_path}
    (first,) = archbench.train(**settings)
    assert archbench.train(**settings, tag="a,b") == [first]
    assert archbench.load(tmp_path, where="tag=a and tag=b") == [first]
    assert archbench.load(tmp_path, where="tag=c") == []


def seal_with_recipe(record: Record, name: str) -> Record:
    config = {**record.config, "training": {**record.config["training"], "name": name}}
    return seal(**{**record.model_dump(exclude={"id"}), "config": config})


def test_runs_finds_marks_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def runs(*arguments: str) -> str:
        command = ["runs", "--results", str(tmp_path), *arguments]
        app.build(command)(command, standalone_mode=False)
        return capsys.readouterr().out

    monkeypatch.setattr(view, "out", Console(width=80, highlight=False))
    for record in (make_record("resnet_bottleneck+pointwise=off"), make_record("vgg", error_pct=20.0), make_record("nin", "profile")):
        Store(tmp_path).save(record)
    runs("--where", "model=res* and error<15", "--tag", "best,paper")
    runs("--where", "tag=best", "--untag", "best")
    (row,) = json.loads(runs("--where", "tag=paper", "--json"))
    expected = {"model": "resnet_bottleneck+pointwise=off", "kind": "train", "dataset": "digits", "error": 10.0, "tag": ["paper"]}
    assert expected.items() <= row.items()
    shown = runs().splitlines()
    assert max(map(len, shown)) <= 80
    ids = {record.id for record in Store(tmp_path).load()[0]}
    assert ids <= {line.split()[0] for line in shown if line.split()}
    odd = make_record("vgg")
    Store(tmp_path).save(seal_with_recipe(odd, "\x1b[31mred\n"))
    assert "\x1b" not in runs()
    assert "?[31mred?" in runs()
    with pytest.raises(ArchbenchError, match="--tag and --untag mark what --where finds"):
        runs("--tag", "x")

"""Which checkpoints nobody needs."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import make_record

from archbench.cli import app
from archbench.errors import ArchbenchError
from archbench.records import checkpoints
from archbench.records.schema import StoredFile
from archbench.records.store import Store

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def put(path: Path, days: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")
    at = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (at, at))


def test_finished_and_old_ones_go_and_none_that_is_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finished, failed = make_record("a"), make_record("b", status="failed")
    for key, days in ((finished.key, 0), (failed.key, 29), ("old", 31), ("held", 40)):
        put(store.checkpoint_path(key), days)
    put(tmp_path / "files" / "x" / ".writing-weights.pt-1", 2)
    put(tmp_path / "files" / "x" / ".writing-weights.pt-2", 0.5)
    put(tmp_path / "files" / "x" / "weights.pt", 400)
    records = [finished, failed]
    with store.lease("held"):
        states = {each.key: each.state for each in checkpoints.kept(store, records, NOW)}
        assert states == {finished.key: "finished", failed.key: "waiting", "old": "old", "held": "in use"}
        assert {each.key for each in checkpoints.prune(store, records, NOW)} == {finished.key, "old"}
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {f"{failed.key}.pt", "held.pt", ".writing-weights.pt-2", "weights.pt"}


def test_files_that_no_record_names_go_after_a_day(tmp_path: Path) -> None:
    """Not one that a Record names, nor a younger one, one of a run in progress, or one that is not named as a run's."""
    store, files = Store(tmp_path), tmp_path / "files"
    names = {name: f"nin-{digit * 16}-01234567" for name, digit in (("lost", "a"), ("named", "b"), ("young", "c"), ("at", "d"))}
    for name, folder in {**names, "mine": "mine"}.items():
        put(files / folder / "weights.pt", 0.5 if name == "young" else 2)
        os.utime(files / folder, ((NOW - timedelta(days=2)).timestamp(),) * 2)
    whitening = {name: f"whitening-{name}.pt" for name in ("lost", "named", "young")}
    for name, file in whitening.items():
        put(files / file, 0.5 if name == "young" else 2)
    paths = (f"files/{names['named']}/weights.pt", f"files/{whitening['named']}")
    stored = tuple(StoredFile(path=path, bytes=5, sha256="") for path in paths)
    with store.lease("d" * 16):
        gone = checkpoints.prune(store, [make_record(files=stored)], NOW)
    assert [(each.key, each.bytes, each.state) for each in gone] == [("a" * 16, 5, "without a Record"), ("", 5, "without a Record")]
    left = {*names.values(), *whitening.values(), "mine"} - {names["lost"], whitening["lost"]}
    assert {path.name for path in files.iterdir()} == left


def test_a_listing_takes_no_lease_and_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a checkpoint is left, as is the file of a lease whose holder was killed; a lease can be taken beside the one who looks."""
    store = Store(tmp_path)
    put(store.checkpoint_path("waiting"), 1)
    put(store.checkpoints / ".writing-waiting.pt-x", 1)
    put(store.leases / "waiting", 1)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(Store, "lease", lambda *arguments: pytest.fail("a lease is taken"))
    assert [each.state for each in checkpoints.kept(store, [], NOW)] == ["waiting"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_half_written_file_that_becomes_whole_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    monkeypatch.setattr(Path, "rglob", lambda *arguments: iter([tmp_path / ".writing-weights.pt-1"]))
    assert checkpoints.prune(store, [], NOW) == []


def test_nothing_is_removed_while_a_record_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def runs(option: str) -> str:
        command = ["runs", "--results", str(tmp_path), option]
        app.build(command)(command, standalone_mode=False)
        return capsys.readouterr().out

    store, record = Store(tmp_path), make_record("a")
    store.save(record)
    put(store.checkpoint_path(record.key), 0)
    assert "finished" in runs("--checkpoints")
    (store.runs / "odd.json").write_text("{")
    with pytest.raises(ArchbenchError, match=r"nothing is removed while a Record cannot be read: odd\.json is not JSON"):
        runs("--prune")
    (store.runs / "odd.json").unlink()
    runs("--prune")
    assert list(store.checkpoints.iterdir()) == []

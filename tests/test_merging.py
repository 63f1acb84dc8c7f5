"""Stores are joined whole, again without effect, and never over what differs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine, make_record, make_tested

from archbench.errors import ArchbenchError, StorageError
from archbench.records import merging, tags
from archbench.records.merging import merge
from archbench.records.store import Store

LABELS = np.arange(20) % 10


def kept(root: Path, model: str, seeds: int = 1) -> Store:
    """A store with a Record a seed, its predictions beside it."""
    for record in make_tested(root, model, np.zeros((seeds, 20), bool), LABELS):
        Store(root).save(record)
    return Store(root)


def content(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a folder: what it holds and when it was written."""
    return {str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def ids(root: Path) -> set[str]:
    return {record.id for record in Store(root).load()[0]}


def test_records_and_the_files_beside_them_come_along_byte_for_byte(tmp_path: Path) -> None:
    """Two Records in one store, one in the other, a file each."""
    first, second = kept(tmp_path / "a", "nin", 2), kept(tmp_path / "b", "lenet")
    merged = merge([first.root, second.root], tmp_path / "all")
    assert (merged.added, merged.there, merged.files, merged.left, merged.problems) == (3, 0, 3, (), ())
    found = {name: held for name, (held, _) in content(tmp_path / "all").items()}
    assert found == {name: held for root in (first.root, second.root) for name, (held, _) in content(root).items()}


def test_merging_again_changes_nothing(tmp_path: Path) -> None:
    first, second = kept(tmp_path / "a", "nin"), kept(tmp_path / "b", "lenet")
    tags.change(first, ids(first.root), add=["paper"])
    merge([first.root, second.root], tmp_path / "all")
    before = content(tmp_path / "all")
    merged = merge([second.root, first.root, first.root], tmp_path / "all")
    assert (merged.added, merged.there, merged.files) == (0, 2, 0)
    assert content(tmp_path / "all") == before


def test_one_record_in_two_stores_is_taken_once_and_two_runs_of_a_key_are_both_kept(tmp_path: Path) -> None:
    same, other = make_record("nin", error_pct=10.0), make_record("nin", error_pct=11.0)
    assert same.key == other.key
    for root, record in (("a", same), ("b", same), ("b", other)):
        Store(tmp_path / root).save(record)
    merged = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert (merged.added, merged.there) == (2, 0)
    assert ids(tmp_path / "all") == {same.id, other.id}


def test_one_id_with_other_content_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    first, second = kept(tmp_path / "a", "nin"), kept(tmp_path / "b", "nin")
    Store(second.root).save(make_record("lenet"))
    (path,) = second.runs.glob("nin-*.json")
    path.write_text(path.read_text().replace('"value":0.0', '"value":9.0'))
    (identity,) = ids(first.root)
    with pytest.raises(ArchbenchError, match=f"nothing is joined: .* both say they are Record {identity}, and differ"):
        merge([first.root, second.root], tmp_path / "all")
    assert not (tmp_path / "all").exists()
    with pytest.raises(ArchbenchError, match="both say they are Record"):
        merge([second.root], first.root)


def test_two_records_that_name_different_files_of_one_name_are_refused(tmp_path: Path) -> None:
    first = kept(tmp_path / "a", "nin")
    (stored,) = Store(first.root).load()[0][0].files
    Store(tmp_path / "b").save(make_record("lenet", files=(stored.model_copy(update={"sha256": "0" * 64}),)))
    with pytest.raises(ArchbenchError, match=f"name different files of one name, {stored.path}"):
        merge([first.root, tmp_path / "b"], tmp_path / "all")


def test_a_damaged_record_is_named_and_the_rest_is_joined(tmp_path: Path) -> None:
    first = kept(tmp_path / "a", "nin")
    Store(first.root).save(make_record("lenet"))
    (damaged,) = first.runs.glob("lenet-*.json")
    damaged.write_text(damaged.read_text()[:-9])
    merged = merge([first.root], tmp_path / "all")
    assert merged.problems == (f"{first.root}: {damaged.name} is not JSON: damaged or not a Record",)
    assert (merged.added, [record.model.label for record in Store(tmp_path / "all").load()[0]]) == (1, ["nin"])


def test_a_damaged_file_is_taken_from_the_store_where_it_is_whole_or_else_named(tmp_path: Path) -> None:
    first, second = kept(tmp_path / "a", "nin"), kept(tmp_path / "b", "nin")
    (stored,) = Store(first.root).load()[0][0].files
    whole = (second.root / stored.path).read_bytes()
    (first.root / stored.path).write_bytes(whole[:-1] + b"x")
    merged = merge([first.root], tmp_path / "all")
    assert merged.problems == (f"{first.root / stored.path} was changed after it was written: its hash is not its Record's",)
    assert (merged.added, merged.files, (tmp_path / "all" / "files").exists()) == (1, 0, False)
    again = merge([first.root, second.root], tmp_path / "all")
    assert (again.added, again.there, again.files, again.problems) == (0, 1, 1, ())
    assert (tmp_path / "all" / stored.path).read_bytes() == whole


def test_a_file_that_lies_in_no_store_is_not_missed(tmp_path: Path) -> None:
    first = kept(tmp_path / "a", "nin")
    for path in (first.root / "files").rglob("*.npz"):
        path.unlink()
    merged = merge([first.root], tmp_path / "all")
    assert (merged.added, merged.files, merged.problems) == (1, 0, ())


@pytest.mark.parametrize("place", ["../outside.npz", "files/../../outside.npz", "/etc/hostname", "runs/x.json"])
def test_a_record_that_names_files_elsewhere_is_left(place: str, tmp_path: Path) -> None:
    stored = Store(tmp_path / "a").write_file(Path("files/x.npz"), lambda file: file.write(b"x"))
    Store(tmp_path / "a").save(make_record("nin", files=(stored.model_copy(update={"path": place}),)))
    merged = merge([tmp_path / "a"], tmp_path / "all")
    assert merged.added == 0
    assert merged.problems[0].endswith(f"names a file outside the folder files: {place}")


def test_a_merge_that_was_cut_short_leaves_no_record_without_its_files_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the second of two files: one file is there and no Record; afterwards the rest is added."""
    first = kept(tmp_path / "a", "nin", 2)
    write, written = merging.write_atomically, []

    def full(path: Path, *arguments: object) -> None:
        if written:
            raise StorageError("no space left on the disk")
        written.append(path)
        write(path, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(merging, "write_atomically", full)
        with pytest.raises(StorageError):
            merge([first.root], tmp_path / "all")
    assert ids(tmp_path / "all") == set()
    merged = merge([first.root], tmp_path / "all")
    assert (merged.added, merged.files, ids(tmp_path / "all")) == (2, 1, ids(first.root))


def test_a_record_is_not_written_over_what_is_no_record(tmp_path: Path) -> None:
    first = kept(tmp_path / "a", "nin")
    place = tmp_path / "all" / "runs" / next(first.runs.iterdir()).name
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    merged = merge([first.root], tmp_path / "all")
    assert (merged.added, place.read_text()) == (0, "mine")
    assert merged.problems[-1].endswith(f"is left: {place} is in its place and no Record")


def test_a_record_that_another_process_was_quicker_with_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes between the look at the store and the copy."""
    source, target = kept(tmp_path / "a", "nin"), kept(tmp_path / "b", "nin")
    entries = merging._entries
    monkeypatch.setattr(merging, "_entries", lambda store: [] if store.root == target.root else entries(store))
    merged = merge([source.root], target.root)
    assert (merged.added, merged.there, merged.problems) == (0, 1, ())


def test_a_record_has_the_tags_of_all_stores(tmp_path: Path) -> None:
    """One Record in both stores with a tag each, one without any; a tag of a Record that is not there stays behind."""
    both, alone = make_record("nin"), make_record("lenet")
    for name in ("a", "b"):
        Store(tmp_path / name).save(both)
    Store(tmp_path / "b").save(alone)
    tags.change(Store(tmp_path / "a"), [both.id, "0123456789ab"], add=["x"])
    tags.change(Store(tmp_path / "b"), [both.id], add=["y"])
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert tags.load(Store(tmp_path / "all")) == {both.id: ("x", "y")}


def test_damaged_tags_are_named_in_a_source_and_refused_in_the_destination(tmp_path: Path) -> None:
    first = kept(tmp_path / "a", "nin")
    (first.root / "tags.json").write_text("{")
    merged = merge([first.root], tmp_path / "all")
    assert (merged.added, len(merged.problems)) == (1, 1)
    assert "tags.json is damaged" in merged.problems[0]
    other = kept(tmp_path / "b", "lenet")
    (tmp_path / "all" / "tags.json").write_text("{")
    with pytest.raises(ArchbenchError, match=r"tags\.json is damaged"):
        merge([other.root], tmp_path / "all")
    assert ids(tmp_path / "all") == ids(first.root)


def test_what_stays_in_a_store_is_said(tmp_path: Path) -> None:
    first = kept(tmp_path / "a", "nin")
    for place in ("checkpoints/k.pt", "tuning/studies.db"):
        first.write_file(Path(place), lambda file: file.write(b"x"))
    (first.root / "tracking").mkdir()
    assert merge([first.root], tmp_path / "all").left == (f"{first.root}: checkpoints, studies of searches stay there",)


def test_a_part_without_jobs_is_a_store_too(tmp_path: Path) -> None:
    Store(tmp_path / "a").runs.mkdir(parents=True)
    assert merge([tmp_path / "a"], tmp_path / "all").added == 0
    assert Store(tmp_path / "all").runs.is_dir()


@pytest.mark.parametrize(
    ("named", "into", "message"),
    [
        ("none", "all", "there is no results folder none"),
        ("empty", "all", "empty is no results folder: Records would lie in its folder runs"),
        ("a", "a/../a", "a/../a cannot be joined into itself: name only the other stores, or another folder with --into"),
        ("a", "file", "--into file is not a folder"),
        ("a", "/proc/all", "cannot write /proc/all: No such file or directory; --into names another folder"),
    ],
)
def test_mistakes_are_one_line(named: str, into: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept(tmp_path / "a", "nin")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    before = content(tmp_path)
    with pytest.raises(ArchbenchError, match=f"^{re.escape(message)}$"):
        merge([Path("a"), Path(named)], Path(into))
    assert content(tmp_path) == before


def test_the_command_says_what_it_did_and_exits_1_for_what_is_damaged(archbench: CommandLine, tmp_path: Path) -> None:
    store = kept(tmp_path / "a", "nin")
    (store.runs / "bad.json").write_text("{")
    answer = archbench("merge", "a", "--into", "all", "--json")
    problem = "a: bad.json is not JSON: damaged or not a Record"
    assert (answer.returncode, answer.stderr) == (1, f"archbench: {problem}\n")
    assert json.loads(answer.stdout) == {"added": 1, "there": 0, "files": 1, "left": [], "problems": [problem]}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_among_the_records_is_named_and_not_waited_for(tmp_path: Path) -> None:
    Store(tmp_path / "a").save(make_record())
    os.mkfifo(tmp_path / "a" / "runs" / "x.json")
    merged = merge([tmp_path / "a"], tmp_path / "b")
    assert (merged.added, merged.problems) == (1, (f"{tmp_path / 'a'}: x.json is not a file",))

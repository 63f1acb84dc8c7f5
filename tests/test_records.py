from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

import pytest
from conftest import make_record
from pydantic import ValidationError

from archbench.errors import ArchbenchError
from archbench.records.schema import Measurement, canonical, content_id
from archbench.records.store import Store, read_record, settled, write_atomically


def test_canonical_json_is_sorted_tight_and_finite() -> None:
    assert canonical({"b": float("nan"), "a": [1, float("inf")]}) == '{"a":[1,null],"b":null}'


def test_a_record_survives_the_disk_to_the_last_bit(tmp_path: Path) -> None:
    record = make_record(samples={"curves": {"loss": [0.1 + 0.2, 1e-300]}})
    Store(tmp_path).save(record)
    assert Store(tmp_path).load() == ([record], [])


def test_a_figure_that_is_not_finite_is_kept_as_missing(tmp_path: Path) -> None:
    """Non-finite is null in the file, and the id that was computed with it still fits."""
    rows = (Measurement(name="loss", value=float("nan"), method="m"),)
    Store(tmp_path).save(make_record(measurements=rows))
    records, problems = Store(tmp_path).load()
    assert problems == []
    assert records[0].measurements[0].value is None


def test_the_id_covers_everything_else(tmp_path: Path) -> None:
    path = Store(tmp_path).save(make_record())
    stored = json.loads(path.read_text())
    assert stored["id"] == content_id(stored)
    path.write_text(path.read_text().replace('"value":10.0', '"value":1.0'))
    records, problems = Store(tmp_path).load()
    assert records == []
    assert problems[0].startswith(f"{path.name} was changed after it was written")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not JSON"),
        ("[" * 200_000, "is not JSON"),
        ('{"schema_version": 1, "id": "x", "a": "\\ud800"}', "holds what no Record holds"),
        ("[]", "not a Record"),
        ('{"schema_version": 99}', "has schema 99, this archbench reads up to 1"),
    ],
)
def test_a_file_that_is_no_record_is_named_and_the_rest_is_read(tmp_path: Path, content: str, complaint: str) -> None:
    store = Store(tmp_path)
    store.save(make_record())
    (store.runs / "odd.json").write_text(content)
    records, problems = store.load()
    assert len(records) == 1
    assert problems[0].startswith("odd.json")
    assert complaint in problems[0]


def test_a_record_with_a_field_missing_is_named(tmp_path: Path) -> None:
    path = Store(tmp_path).save(make_record())
    stored = {name: value for name, value in json.loads(path.read_text()).items() if name not in ("id", "key")}
    path.write_text(json.dumps({**stored, "id": content_id(stored)}))
    assert "key: Field required" in Store(tmp_path).load()[1][0]


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("train", ("config", "batch"), []),
        ("train", ("config", "batch"), True),
        ("train", ("config", "training", "epochs"), "8"),
        ("train", ("config", "data", "name"), None),
        ("train", ("environment", "device", "name"), {}),
        ("train", ("model", "spec", "year"), 10**30),
        ("train", ("config", "recipe", "lr"), 10**400),
        ("train", ("model", "spec", "year"), "2014"),
        ("train", ("model", "spec", "title"), None),
        ("train", ("environment", "memory_bytes"), "=1+1"),
        ("train", ("config", "data", "skipped"), []),
        ("train", ("config", "tuned"), []),
        ("profile", ("config", "data", "name"), 5),
        ("profile", ("config", "training"), [1]),
        ("explain", ("config", "batch"), None),
        ("explain", ("config", "seed"), "0"),
        ("explain", ("config", "trained_on", "name"), None),
        ("explain", ("config", "explain", "method"), ["gradcam"]),
        ("explain", ("config", "explain", "training", "device", "name"), 5),
        ("explain", ("config", "explain", "boxes", "sha256"), 5),
    ],
)
def test_a_record_whose_settings_are_of_another_kind_is_named(tmp_path: Path, kind: str, place: tuple[str, ...], value: object) -> None:
    path = Store(tmp_path).save(make_record(kind=kind))
    stored = json.loads(path.read_text())
    if "boxes" in place:
        stored["config"]["explain"]["boxes"] = {"name": "photos.csv", "sha256": "1f2e"}
    holder = stored
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    path.write_text(json.dumps({**stored, "id": content_id(stored)}))
    assert f"{'.'.join(place)} is nothing that it can be" in Store(tmp_path).load()[1][0]


@pytest.mark.parametrize("figure", [{"value": -1e-9}, {"value": 1e300}, {"value": 5e-324}, {"low": -1e300}, {"high": 1e300}])
def test_a_record_with_a_figure_that_nobody_measures_is_named(tmp_path: Path, figure: dict[str, float]) -> None:
    path = Store(tmp_path).save(make_record())
    stored = json.loads(path.read_text())
    stored["measurements"][0] |= figure
    path.write_text(json.dumps({**stored, "id": content_id(stored)}))
    assert "measured" in Store(tmp_path).load()[1][0]


@pytest.mark.parametrize("lacking", ["data", "training", "execution", "batch"])
def test_a_record_that_no_table_could_show_is_named(tmp_path: Path, lacking: str) -> None:
    path = Store(tmp_path).save(make_record())
    stored = json.loads(path.read_text())
    del stored["config"][lacking]
    path.write_text(json.dumps({**stored, "id": content_id(stored)}))
    assert f"config.{lacking}" in Store(tmp_path).load()[1][0]


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    Store(tmp_path).save(make_record())
    os.mkfifo(tmp_path / "runs" / "pipe.json")
    records, problems = Store(tmp_path).load()
    assert (len(records), problems) == (1, ["pipe.json is not a file"])


def test_a_folder_of_records_that_cannot_be_read_is_no_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or a broken link in its place, or one that nobody may look into: what it holds is not known, and nothing may be removed."""
    store = Store(tmp_path)
    assert store.paths() == []
    store.runs.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ArchbenchError, match="runs is not a folder"):
        store.load()
    store.runs.unlink()
    store.runs.write_text("")
    with pytest.raises(ArchbenchError, match="runs is not a folder"):
        store.load()
    store.runs.unlink()
    Store(tmp_path).save(make_record())

    def refused(_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(ArchbenchError, match="runs cannot be read: Permission denied"):
        store.load()


def test_a_long_name_in_letters_of_many_bytes_can_be_written(tmp_path: Path) -> None:
    """80 signs of three bytes each are 240, which a file's name may have; its temporary one has 100 of them."""
    path = tmp_path / ("配" * 80 + ".html")
    write_atomically(path, lambda file: file.write(b"x"))
    assert path.read_bytes() == b"x"


def test_only_runs_with_a_result_count_as_done() -> None:
    ok, failed, diverged = make_record("a"), make_record("b", status="failed"), make_record("c", status="diverged")
    assert set(settled([ok, failed, diverged])) == {ok.key, diverged.key}


def test_a_run_is_found_without_reading_again_what_belongs_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seeds lie there, and one comes from another process after the first look: that one alone is read, beside the one found."""
    store, records = Store(tmp_path), [make_record(seed=seed) for seed in range(4)]
    for record in records[:3]:
        store.save(record)
    assert store.find("nin", "train", "nin-train-3") is None
    Store(tmp_path).save(records[3])
    read: list[Path] = []
    monkeypatch.setattr("archbench.records.store.read_record", lambda path: (read.append(path), read_record(path))[1])
    assert store.find("nin", "train", "nin-train-3") == records[3]
    assert store.find("nin", "train", "nin-train-1") == records[1]
    assert [path.name for path in read] == [store.path_of(record).name for record in (records[3], records[1])]


def test_a_write_that_fails_leaves_no_file_and_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("before")

    def full_disk(file: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ArchbenchError, match="no space left on the disk"):
        write_atomically(target, full_disk)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert target.read_text() == "before"


def test_an_interrupted_write_leaves_no_file(tmp_path: Path) -> None:
    def interrupted(file: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.json", interrupted)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchbenchError, match="--results names another folder"):
        Store(tmp_path / "file").check_writable()


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file" / "x", tmp_path / "file" / "deep" / "x"):
        with pytest.raises(ArchbenchError, match=f"cannot write {path}: {tmp_path / 'file'} is no folder"):
            write_atomically(path, lambda file: file.write(b"x"))


def test_odd_labels_make_plain_file_names(tmp_path: Path) -> None:
    path = Store(tmp_path).save(make_record("../../evil/" + "x" * 300))
    assert path.parent == tmp_path / "runs"
    assert len(path.name) < 120


@pytest.mark.parametrize("folder", ["checkpoints", "files", "runs", ".leases"])
def test_a_file_where_a_folder_should_be_is_found_before_the_work(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).write_text("")
    with pytest.raises(
        ArchbenchError, match=rf"cannot write .*: {re.escape(str(tmp_path / folder))} is no folder; --results names another"
    ):
        Store(tmp_path).check_writable()


def test_a_file_in_place_of_a_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("")
    with pytest.raises(ArchbenchError, match=rf": {re.escape(str(tmp_path / 'a.toml'))} is no folder"):
        Store(tmp_path / "a.toml").check_writable()


def test_a_full_disk_is_found_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *details: object) -> None: ...

        def write(self, content: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("archbench.records.store.tempfile.TemporaryFile", lambda dir: Full())
    with pytest.raises(ArchbenchError, match=r"no space left on the disk .*; --results names another folder"):
        Store(tmp_path).check_writable()


def test_a_figure_of_maps_may_be_negative_and_no_other() -> None:
    """ROAD is a difference of two shares of images."""
    road = (Measurement(name="road", value=-0.5, method="m"),)
    assert make_record(kind="explain", measurements=road).figure("road", {}) == -0.5
    with pytest.raises(ValidationError, match=r"road of -0\.5 is nothing that can be measured"):
        make_record(measurements=road)

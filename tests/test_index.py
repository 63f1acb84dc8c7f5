from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import make_record

from archbench.publish import grouping, guard, results
from archbench.publish.pages import NAMES, page
from archbench.publish.predictions import Kept
from archbench.records import batches, index
from archbench.records.columns import Many
from archbench.records.schema import Doubt, Measurement, Record, Uncounted
from archbench.records.segment import CODES, checked
from archbench.records.store import Store, read_record

EVIDENCE = Store(Path(__file__).parents[1] / "results")
LONG_AGO = 1_700_000_000  # seconds: a time at which no file of a test is written


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LEAST", 1)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read in full."""
    names: list[str] = []

    def listening(path: Path) -> Record:
        names.append(path.name)
        return read_record(path)

    monkeypatch.setattr(batches, "read_record", listening)
    return names


def filled(folder: Path, seeds: int = 3) -> Store:
    """A store of trainings whose files are old."""
    store = Store(folder / "results")
    for seed in range(seeds):
        keep(store, make_record(key=f"key-{seed}", created=f"2026-01-0{seed + 1}T00:00:00+00:00"))
    return store


def keep(store: Store, record: Record) -> Path:
    path = store.save(record)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def whole(records: list[Record]) -> list[dict[str, object]]:
    """All fields of all Records."""
    return [{name: getattr(record, name) for name in Record.model_fields} for record in records]


def test_records_from_the_index_are_those_of_the_files_and_give_the_same_tables(tmp_path: Path, read: list[str]) -> None:
    expected, problems = EVIDENCE.load()
    index.load(EVIDENCE, tmp_path)
    assert len(read) == len(expected)
    found, again = index.load(EVIDENCE, tmp_path)
    assert len(read) == len(expected)  # none was read again
    for name in NAMES:
        pages = [page(name, records, Kept()) for records in (found, expected)]
        assert pages[0].markdown() == pages[1].markdown()
        assert pages[0].csv() == pages[1].csv()
    assert whole(found) == whole(expected)
    assert again == problems
    for one, other in zip(found, expected, strict=True):
        assert list(one.config) == list(other.config)
        for row in other.measurements:
            assert one.measurement(row.name, **row.at) == other.measurement(row.name, **row.at)


def test_what_is_alike_stands_under_one_condition(tmp_path: Path) -> None:
    found, _ = index.load(EVIDENCE, tmp_path)
    first: dict[object, Record] = {}
    for record, alike in zip(found, grouping.alike(found).tolist(), strict=True):
        assert results.condition(first.setdefault(alike, record)) == results.condition(record)
    trainings = grouping.by_column(found, "kind")["train"]
    assert len(set(grouping.alike(trainings).tolist())) < len(trainings)
    assert all(
        guard.condition(first[alike]) == guard.condition(record)
        for record, alike in zip(trainings, grouping.alike(trainings).tolist(), strict=True)
    )


def test_doubts_failures_and_values_that_are_not_finite_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    keep(
        store, make_record(warnings=(Doubt(code="noisy", message="a\nb", at={"batch": 1}),), uncounted=(Uncounted(operator="x", calls=2),))
    )
    path = keep(store, make_record(key="other", measurements=(Measurement(name="macs", value=0.5, n=2**70, method="m"),)))
    path.write_text(path.read_text().replace('"duration_s":', '"duration_s": '))
    os.utime(path, (LONG_AGO, LONG_AGO))
    for _ in range(2):
        assert whole(index.load(store, tmp_path)[0]) == whole(store.load()[0])


def test_what_was_added_changed_and_removed_is_seen_and_nothing_else_is_read(tmp_path: Path, read: list[str]) -> None:
    store = filled(tmp_path)
    paths = [store.path_of(record) for record in index.load(store, tmp_path)[0]]
    del read[:]
    added = keep(store, make_record(key="added"))
    paths[0].unlink()
    paths[1].write_text(paths[1].read_text().replace('"status":"ok"', '"status":"failed"'))
    os.utime(paths[1], (LONG_AGO, LONG_AGO))
    records, problems = index.load(store, tmp_path)
    assert sorted(read) == sorted([added.name, paths[1].name])
    assert {record.key for record in records} == {"key-2", "added"}
    assert [line.partition(" ")[0] for line in problems] == [paths[1].name]


def test_a_folder_as_it_was_is_not_gone_through_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of it holds until a Record is added, and after that one was kept."""
    store, gone_through = filled(tmp_path), list[int]()
    counting = index._counting
    monkeypatch.setattr(index, "_counting", lambda *of: (gone_through.append(1), counting(*of))[1])
    for _ in range(2):
        assert whole(list(index.load(store, tmp_path)[0])) == whole(store.load()[0])
    assert gone_through == []  # by the first, since there was no segment
    keep(store, make_record(key="added", created="2025-01-01T00:00:00+00:00"))
    for _ in range(2):
        assert [record.key for record in index.load(store, tmp_path)[0]] == ["added", "key-0", "key-1", "key-2"]
    assert gone_through == [1]
    (tmp_path / "results/runs/no.json").write_text("{}")
    for _ in range(2):
        assert len(index.load(store, tmp_path)[1]) == 1
    assert len(gone_through) == 1 + 2 * 2  # a problem is told again


def test_a_file_of_just_now_is_read_again(tmp_path: Path, read: list[str]) -> None:
    store = Store(tmp_path / "results")
    path = store.save(make_record())
    for _ in range(2):
        assert len(index.load(store, tmp_path)[0]) == 1
    assert read == [path.name] * 2


def test_a_record_whose_fields_have_several_lines_is_read_again(tmp_path: Path, read: list[str]) -> None:
    store = Store(tmp_path / "results")
    keep(store, make_record(created="2026\n01"))
    for _ in range(2):
        assert [record.created for record in index.load(store, tmp_path)[0]] == ["2026\n01"]
    assert len(read) == 2


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE entries (file TEXT PRIMARY KEY, something INTEGER)")


def _other_figures(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE segments SET figures = zeroblob(length(figures))")


def _other_order(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE whole SET ages = zeroblob(length(ages))")


def _no_parts(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM parts")


@pytest.mark.parametrize("damage", [_garbage, _cut, _foreign, _other_figures, _other_order, _no_parts])
def test_a_damaged_or_foreign_index_is_made_anew(tmp_path: Path, damage: object, read: list[str]) -> None:
    store = filled(tmp_path)
    index.load(store, tmp_path)
    (path,) = tmp_path.glob("*.sqlite")
    assert callable(damage)
    damage(path)
    del read[:]
    assert whole(index.load(store, tmp_path)[0]) == whole(store.load()[0])
    index.load(store, tmp_path)
    assert len(read) == 3


def test_an_order_that_is_not_of_all_records_is_not_believed(tmp_path: Path) -> None:
    """As a process could leave it that read the index before another changed it."""
    store = filled(tmp_path)
    index.load(store, tmp_path)
    (path,) = tmp_path.glob(f"*{index.SUFFIX}")
    ages = np.arange(2, dtype=CODES).tobytes()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("UPDATE whole SET checksum = ?, ages = ?", (checked([ages]), ages)).rowcount == 1
    assert whole(index.load(store, tmp_path)[0]) == whole(store.load()[0])


def test_without_a_place_for_an_index_the_records_are_read(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "index", Path("~nobody-of-this-name/index")):
        assert whole(index.load(store, folder)[0]) == whole(store.load()[0])


def test_several_at_once_make_one_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH", 1)
    store, found = filled(tmp_path, seeds=8), []
    threads = [threading.Thread(target=lambda: found.append(index.load(store, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [[record.key for record in records] for records, _ in found] == [[f"key-{seed}" for seed in range(8)]] * 3


def test_few_records_need_no_index_and_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, old = filled(tmp_path), tmp_path / f"old{index.SUFFIX}"
    old.write_bytes(b"")
    os.utime(old, (LONG_AGO, LONG_AGO))
    monkeypatch.setattr(index, "LEAST", 4)
    assert len(index.load(store, tmp_path)[0]) == 3
    assert list(tmp_path.glob("*.sqlite")) == [old]
    monkeypatch.setattr(index, "LEAST", 3)
    index.load(store, tmp_path)
    (made,) = tmp_path.glob("*.sqlite")
    assert made != old


def test_small_additions_become_one_and_none_is_lost(tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 6 additions of a Record each the fourth makes one of those before, as more than 3 are small; what went is in none."""
    monkeypatch.setattr(index, "MOST_SMALL", 3)
    store = Store(tmp_path / "results")
    for seed in range(6):
        kept = keep(
            store,
            make_record(key=f"key-{seed}", created=f"2026-01-0{seed + 1}T00:00:00+00:00", warnings=(Doubt(code="noisy", message="m"),)),
        )
        index.load(store, tmp_path)
    kept.unlink()
    del read[:]
    found = index.load(store, tmp_path)[0]
    assert whole(list(found)) == whole(store.load()[0])
    assert [record.key for record in found] == [f"key-{seed}" for seed in range(5)]
    assert read == []
    (path,) = tmp_path.glob("*.sqlite")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM segments").fetchone() == (2,)


def test_groups_of_records_from_columns_are_those_of_the_records_themselves(tmp_path: Path) -> None:
    index.load(EVIDENCE, tmp_path)
    found, plain = index.load(EVIDENCE, tmp_path)[0], EVIDENCE.load()[0]
    assert isinstance(found, Many)

    def ids(records: Sequence[Record]) -> list[str]:
        return [record.id for record in records]

    for name in ("group", "key", "kind", "status"):
        groups = grouping.by_column(found, name)
        assert {value: ids(members) for value, members in groups.items()} == {
            value: ids(members) for value, members in grouping.by(plain, lambda record, name=name: getattr(record, name)).items()
        }
    trainings = grouping.by_column(found, "kind")["train"]
    errors = [record.figure("test_error_pct", {}) for record in plain if record.kind == "train"]
    assert grouping.figures(trainings, "test_error_pct") == [error for error in errors if not math.isnan(error)]
    assert ids(grouping.doubted(found)) == [record.id for record in plain if record.warnings or record.uncounted]
    assert ids(grouping.joined(found[3:5], [found[0]])) == ids([plain[3], plain[4], plain[0]])
    renamed = found[0].model_copy(update={"key": "another"})
    assert [record.key for record in grouping.joined(found[1:2], [renamed])] == [plain[1].key, "another"]

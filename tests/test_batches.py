from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_record

from archbench.records import batches
from archbench.records.store import Store

SCRIPT = """
import os
import sys
from pathlib import Path

from archbench.records import batches

with open("begun", "a") as file:
    file.write("once ")
batches.cores, batches.read = lambda: 2, None
batches.SPREAD_FROM, batches.BATCH = 1, 1
runs = Path(sys.argv[1])
print(sum(len(batch.rows) for batch in batches.batches(sorted(os.listdir(runs)), runs)))
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four files of Records and one of something else, which two processes read by two."""
    monkeypatch.setattr(batches, "SPREAD_FROM", 5)
    monkeypatch.setattr(batches, "BATCH", 2)
    monkeypatch.setattr(batches, "cores", lambda: 2)
    store = Store(tmp_path / "results")
    for seed in range(4):
        store.save(make_record(key=f"key-{seed}"))
    (store.runs / "other.json").write_text("other")
    return store.runs


def names(runs: Path) -> list[str]:
    return sorted(path.name for path in runs.iterdir())


def read_here(runs: Path) -> list[batches.Batch]:
    files = names(runs)
    return [batches.read(runs, part) for part in (files[:2], files[2:4], files[4:])]


def test_other_processes_read_the_same(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_here(runs)
    monkeypatch.setattr(batches, "read", None)  # in this one
    assert list(batches.batches(names(runs), runs)) == expected


@pytest.mark.parametrize(
    "serve",
    [
        "raise SystemExit(1)",
        "import sys; sys.stdin.buffer.read(1)",
        "print('a warning', flush=True); " + batches.SERVE,
        "import pickle, sys; pickle.dump('other', sys.stdout.buffer); sys.stdout.flush(); " + batches.SERVE,
    ],
)
def test_where_other_processes_end_or_answer_something_else_this_one_reads(runs: Path, serve: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SERVE", serve)
    assert list(batches.batches(names(runs), runs)) == read_here(runs)


def test_the_others_go_on_where_one_process_ends(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to find the file ends; of five parts of one file each this process reads the one that was asked of that."""
    flag, here = tmp_path / "flag", list[object]()
    flag.touch()
    monkeypatch.setattr(batches, "BATCH", 1)
    monkeypatch.setattr(
        batches, "SERVE", f"import os; os.path.exists({str(flag)!r}) and (os.unlink({str(flag)!r}), os._exit(1)); " + batches.SERVE
    )
    read = batches.read
    monkeypatch.setattr(batches, "read", lambda runs, files: here.append(files) or read(runs, files))
    assert sum(len(batch.rows) for batch in batches.batches(names(runs), runs)) == 4
    assert len(here) == 1


def test_where_no_process_can_be_begun_this_one_reads(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no such file")
    found = list(batches.batches(names(runs), runs))
    assert [len(batch.rows) for batch in found] == [2, 2, 0]
    assert found[2].problems == {"other.json": "other.json is not JSON: damaged or not a Record"}


def test_processes_end_with_a_reading_that_is_broken_off(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[batches.Reader] = []

    class Kept(batches.Reader):
        def __init__(self, *command: object, **pipes: object) -> None:
            super().__init__(*command, **pipes)  # type: ignore[call-overload]
            begun.append(self)

    monkeypatch.setattr(batches, "Reader", Kept)
    reading = batches.batches(names(runs), runs)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert [process.returncode is not None for process in begun] == [True, True]


def test_a_script_of_the_user_runs_once(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py", str(runs)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr, (tmp_path / "begun").read_text()) == ("4\n", "", "once ")

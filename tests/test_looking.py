from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archbench.records import looking
from archbench.records.looking import Look, Looking, seen

LONG_AGO = 1_700_000_000  # seconds: a time at which no file of a test is written


def filled(folder: Path, names: tuple[str, ...] = ("a.json", "b.json", "ä b.json")) -> Path:
    for name in names:
        (folder / name).write_text(name)
        os.utime(folder / name, (LONG_AGO, LONG_AGO))
    return folder


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "AHEAD_FROM", 1)
    monkeypatch.setattr(looking, "cores", lambda: 2)


@pytest.mark.usefixtures("ahead")
def test_a_process_of_its_own_sees_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, here = Looking(filled(tmp_path)), Look(seen(str(tmp_path)))
    assert begun.is_apart
    monkeypatch.setattr(looking, "seen", None)
    look = begun.done
    assert look.stamps == here.stamps
    assert look.stamps.keys() == {"a.json", "b.json", "ä b.json"}
    assert (look.state, look.count, look.is_settled) == (here.state, 3, True)


def test_another_file_content_or_name_is_another_state(tmp_path: Path) -> None:
    states = {Look(seen(str(filled(tmp_path)))).state}
    filled(tmp_path, ("c.json",))
    states.add(Look(seen(str(tmp_path))).state)
    (tmp_path / "c.json").rename(tmp_path / "d.json")
    states.add(Look(seen(str(tmp_path))).state)
    (tmp_path / "d.json").write_text("other")
    os.utime(tmp_path / "d.json", (LONG_AGO, LONG_AGO))
    states.add(Look(seen(str(tmp_path))).state)
    (tmp_path / "d.json").unlink()
    (tmp_path / "no record.txt").write_text("")
    states.add(Look(seen(str(tmp_path))).state)
    assert len(states) == 4  # the last is the first


def test_what_was_written_just_now_or_cannot_be_named_is_not_settled(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "new.json").write_text("")
    look = Look(seen(str(tmp_path)))
    assert (look.stamps["new.json"], look.is_settled) == (0, False)
    assert look.stamps["a.json"] != 0
    (tmp_path / "new.json").unlink()
    os.close(os.open(os.fsencode(tmp_path) + b"/\xff.json", os.O_CREAT))
    look = Look(seen(str(tmp_path)))
    assert (look.stamps["\udcff.json"], look.is_settled) == (0, False)


@pytest.mark.usefixtures("ahead")
def test_where_the_process_fails_this_one_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert Looking(filled(tmp_path)).done.count == 3
    monkeypatch.setattr(sys, "executable", "/no such file")
    assert Looking(tmp_path).done.count == 3


@pytest.mark.usefixtures("ahead")
def test_a_look_that_nobody_asks_for_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = tmp_path / "waiting.py"
    waiting.write_text("import signal; signal.pause()")
    monkeypatch.setattr(looking, "__file__", str(waiting))
    begun = Looking(filled(tmp_path))
    process = begun._process
    assert process is not None
    del begun
    assert process.returncode == -signal.SIGKILL


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    look = Looking(tmp_path / "none").done
    assert (look.stamps, look.count) == ({}, 0)


def test_the_file_runs_without_the_rest_of_archbench(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-I", "-S", looking.__file__, str(filled(tmp_path))], capture_output=True, check=True).stdout
    assert told == seen(str(tmp_path))

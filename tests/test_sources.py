"""What a user names as Records: a file, an id, a folder, and a folder as it was at a commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import make_record

from archbench.errors import ArchbenchError
from archbench.records.sources import records_of
from archbench.records.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    Store(tmp_path / "before").save(make_record())
    return tmp_path / "before"


def commit() -> None:
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e@e", "commit", "-qm", "one"]):
        subprocess.run(["git", *command], check=True)


def test_todays_files_are_never_taken_for_those_of_a_commit(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store.parent)
    (store.parent / "out").symlink_to(store)
    commit()
    for folder in (store, "before/../before", "out"):
        with pytest.raises(ArchbenchError) as caught:
            records_of(f"HEAD:{folder}", Path("before"))
        assert "\n" not in str(caught.value)
        assert "cannot be read" in str(caught.value) or "names no folder of a commit" in str(caught.value)


def test_records_are_found_by_file_id_folder_and_commit(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store.parent)
    path = next(store.joinpath("runs").iterdir())
    record = records_of("before", Path("before"))[0]
    assert records_of(str(path), Path("before")) == records_of(record.id[:6], Path("before")) == [record]
    commit()
    path.unlink()
    assert records_of("HEAD:before", Path("before")) == [record]
    with pytest.raises(ArchbenchError, match="HEAD:nothing cannot be read"):
        records_of("HEAD:nothing", Path("before"))

"""How much memory can be had, from files as Linux writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from archbench.memory import available_bytes

MIB = 2**20


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("archbench.memory.MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr("archbench.memory.CONTAINER", tmp_path)
    return tmp_path


def test_free_memory_is_what_linux_calls_available(machine: Path) -> None:
    assert (available_bytes() or 1) > 0
    (machine / "meminfo").write_text("MemTotal:       24000000 kB\nMemFree:             100 kB\nMemAvailable:       2048 kB\n")
    assert available_bytes() == 2 * MIB


def test_a_containers_limit_leaves_less(machine: Path) -> None:
    """Of 10 MiB nine are used, four of them by files that would be given up: five are left."""
    (machine / "meminfo").write_text("MemAvailable:      20480 kB\n")
    for name, text in (("max", f"{10 * MIB}"), ("current", f"{9 * MIB}"), ("stat", f"anon {MIB}\ninactive_file {4 * MIB}\n")):
        (machine / f"memory.{name}").write_text(f"{text}\n")
    assert available_bytes() == 5 * MIB
    (machine / "memory.max").write_text("max\n")
    assert available_bytes() == 20 * MIB

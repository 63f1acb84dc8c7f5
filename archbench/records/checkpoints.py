"""Checkpoints of a store, and which of them nobody needs.

A run's checkpoint goes when its Record is saved. One is left where a run was interrupted: the same command goes on from it. `prune`
removes those of runs that have their Record, and those that nobody has touched for 30 days; never one that a process is at.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from archbench.records.schema import Record
from archbench.records.store import WRITING, Store, settled

KEPT_FOR = timedelta(days=30)
HALF_WRITTEN_FOR = timedelta(days=1)  # no write takes so long; its process was killed


@dataclass(frozen=True)
class Kept:
    """One checkpoint: the key of its run, when it was written, and whether its run is `in use`, `finished`, `waiting` or `old`."""

    key: str
    path: Path
    bytes: int
    written: datetime
    state: str


def kept(store: Store, records: Iterable[Record], now: datetime) -> list[Kept]:
    """The checkpoints of a store, oldest first; `records` are all that it holds. Only looks: no lease is taken, no file removed."""
    done = settled(records)
    found = (_kept(path, store, done, now) for path in store.checkpoints.glob("*.pt"))
    return sorted((each for each in found if each is not None), key=lambda each: (each.written, each.key))


def _kept(path: Path, store: Store, done: Iterable[str], now: datetime) -> Kept | None:
    """None where it went meanwhile."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    written = datetime.fromtimestamp(facts.st_mtime, UTC)
    state = "finished" if path.stem in done else "old" if now - written > KEPT_FOR else "waiting"
    return Kept(path.stem, path, facts.st_size, written, "in use" if store.is_at_work(path.stem) else state)


def prune(store: Store, records: Iterable[Record], now: datetime) -> list[Kept]:
    """Remove the finished and the old ones, and files that a killed process left half-written a day ago; the checkpoints that went."""
    gone = []
    for each in kept(store, records, now):
        if each.state in ("finished", "old"):
            with store.lease(each.key) as mine:
                if mine:
                    each.path.unlink(missing_ok=True)
                    gone.append(each)
    for half in store.root.rglob(f"{WRITING}*"):
        with contextlib.suppress(FileNotFoundError):  # it is whole now, under its own name
            if now - datetime.fromtimestamp(half.stat().st_mtime, UTC) > HALF_WRITTEN_FOR:
                half.unlink()
    return gone

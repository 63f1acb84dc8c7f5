"""Two processes with one key: one runs it, and a dead one cannot hold it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_record

from archbench import api, running
from archbench import plan as planning
from archbench.config import Settings
from archbench.events import Event, Finished, Notice, ignore
from archbench.job import Job
from archbench.records.lease import Lease
from archbench.records.store import Store

QUICK = {"models": "lenet", "limit_train": 64, "epochs": 1, "precision": "fp32", "deterministic": True}


def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "leases" / "k"
    code = f"from pathlib import Path; from archbench.records.lease import Lease; held = Lease.take(Path({str(path)!r}))"
    code += "; print('held'); input()"
    holder = subprocess.Popen([sys.executable, "-u", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert Lease.take(path) is None
    finally:
        holder.kill()
        holder.communicate()
    assert path.exists()  # its file is left, and means nothing
    lease = Lease.take(path)
    assert lease is not None
    assert Lease.take(path) is None
    lease.end()
    assert list(path.parent.iterdir()) == []


def first_of_two(results: Path) -> Job:
    return planning.make(Settings.of(**QUICK, seeds="0,1", results=results), ("train",), Store(results), ignore).jobs[0]


@pytest.mark.parametrize("other", ["works on", "finishes", "dies"])
def test_what_another_process_is_at_is_left_to_it(other: str, tmp_path: Path) -> None:
    """Seed 0 is another's. It is not run; or its Record is taken; or it is run here after seed 1."""
    store, job, events = Store(tmp_path), first_of_two(tmp_path), []
    theirs, record = Lease.take(store.leases / job.key), make_record("lenet", key=job.key)
    assert theirs is not None

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, Finished) and other != "works on" and event.job != job.label:
            if other == "finishes":
                store.save(record)
            theirs.end()

    done = running.execute(running.Asked([Settings.of(**QUICK, seeds="0,1", results=tmp_path)]), ("train",), listen)
    seeds = [each.config["seed"] for each in done.records]
    assert Notice("lenet · seed 0: another process is at it; the other jobs go on") in events
    if other == "works on":
        theirs.end()
        assert seeds == [1]
        assert done.refused == ("lenet · seed 0 was not run: another process is at it still; the same command finds its Record later",)
    else:
        assert seeds == [1, 0]
        assert (record in done.records) == (other == "finishes")
        assert done.refused == ()
    assert len(store.load()[0]) == len(seeds)
    assert list(store.leases.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(tmp_path: Path) -> None:
    """The checkpoint of a run that has its Record, and half of one; not those of others."""
    store, job = Store(tmp_path), first_of_two(tmp_path)
    store.save(make_record("lenet", key=job.key))
    store.checkpoints.mkdir()
    left, half, others = (store.checkpoints / name for name in (f"{job.key}.pt", f".writing-{job.key}.pt-x", ".writing-other.pt-x"))
    for file in (left, half, others):
        file.write_bytes(b"")
    with store.lease(job.key) as mine:
        assert mine
        assert not half.exists()
        api.train(**QUICK, results=tmp_path)
        assert left.exists()
    api.train(**QUICK, results=tmp_path)
    assert list(store.checkpoints.iterdir()) == [others]

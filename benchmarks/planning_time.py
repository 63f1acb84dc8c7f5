"""Seconds that a plan of 10,000 Jobs takes, with their keys, and with a part of their Records there already.

python benchmarks/planning_time.py [--records 2000] [--dataset cifar10-jpeg=imagefolder:DIR]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from archbench import plan as planning
from archbench import running
from archbench.config import Settings
from archbench.events import Event, Notice
from archbench.job.outcome import Outcome, record
from archbench.records.store import Store

GRID = """
models = ["lenet", "squeezenet"]
train_fractions = [0.1, 0.25, 0.5, 1.0]
recipes = ["modern", "fast"]
seeds = "0-624"
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=2000, help="how many of the 10,000 runs have their Record already")
    parser.add_argument("--dataset", default="digits")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "grid.toml"
        file.write_text(GRID)
        values = {"experiment": str(file), "dataset": options.dataset, "results": folder}
        asked = running.asked(values, values)
        seconds = timed(asked.parts, Store(Path(folder)), "nothing there")
        fill(asked.parts, Store(Path(folder)), options.records)
        seconds = timed(asked.parts, Store(Path(folder)), f"{options.records:,} Records there")
        begun = time.perf_counter()
        command = [sys.executable, "-m", "archbench", "train", "--experiment", str(file), "--dataset", options.dataset, "--dry-run"]
        subprocess.run([*command, "--results", folder], check=True, capture_output=True)
        print(
            f"  the command with --dry-run, Python's start and all: {time.perf_counter() - begun:.1f} s, of these in the plan {seconds:.1f}"
        )


def timed(parts: list[Settings], store: Store, what: str) -> float:
    """Plan, and print how long it took: all of it, and the part in which steps of the two networks were timed."""
    probes: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Notice) and event.message.startswith("timing"):
            probes.append(time.perf_counter())

    begun, worked = time.perf_counter(), time.process_time()
    plan = planning.make(parts, ("train",), store, listen)
    seconds, cpu_s = time.perf_counter() - begun, time.process_time() - worked
    jobs = len(plan.jobs) + len(plan.done)
    print(f"  {jobs:,} Jobs, {what}: {seconds:.2f} s, {cpu_s:.2f} s of a core; steps of {len(probes)} networks timed in it")
    return seconds


def fill(parts: list[Settings], store: Store, count: int) -> None:
    """Leave Records of the first runs, each with a loss curve of thirty epochs."""
    plan = planning.make(parts, ("train",), store, lambda event: None)
    for each in plan.jobs[:count]:
        made = Outcome(samples={"curves": {name: [0.123456789] * 30 for name in ("loss", "epoch_s", "images_per_s", "lr")}})
        store.save(record(each, made, 1.0))


if __name__ == "__main__":
    main()

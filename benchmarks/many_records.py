"""Seconds, and the peak of memory, that tables from many Records take: when the index is made, once it is there, and after one more Record.

python benchmarks/many_records.py [--records 100000] [--settings 20] [--folder DIR] [--before FOLDER] [--rounds 1]

The Records are those of results/runs under other settings, seeds and times, with figures that scatter; their folder is deleted afterwards.
`--before` is another working copy, which takes turns with this one; each has an index of its own.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from archbench.records.looking import SETTLED_S
from archbench.records.schema import ID_LENGTH
from archbench.records.store import Store, plain_name

HERE = Path(__file__).parents[1]
EVIDENCE = HERE / "results"
NETWORKS, PROFILES, BATCHES, LOST = 40, 0.05, (1, 8, 32, 64, 128), 0.015  # of the Records, and of the trainings that came to nothing
AFTERWARDS = ("results", "operators", "lineage", "ablations", "claims", "environment")
Stored = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--settings", type=int, default=20, help="under which the networks are trained; the seeds follow from the number")
    parser.add_argument("--pages", default=",".join(AFTERWARDS), help="made once the index is there, with commas")
    parser.add_argument("--folder", type=Path, help="made, and deleted afterwards; about 1 GB for 100,000 Records")
    parser.add_argument("--before", type=Path, help="a working copy to compare with")
    parser.add_argument("--rounds", type=int, default=1, help="of pages once the index is there; medians are printed")
    options = parser.parse_args()
    copies = {"before": options.before.resolve(), "now": HERE} if options.before else {"now": HERE}
    if options.folder:
        options.folder.mkdir(parents=True)  # so that nothing of anybody's is deleted
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        results = Path(folder).resolve() / "results"
        (results / "runs").mkdir(parents=True)
        begun = time.perf_counter()
        made = stored(options.records, options.settings)
        sizes = [write(record, results) for record in made]
        print(f"{len(sizes):,} Records, {sum(sizes) / 1e6:,.0f} MB, written in {time.perf_counter() - begun:.0f} s")
        time.sleep(SETTLED_S)  # what was written within it is read twice
        pages = options.pages.split(",")
        measured(copies, ["results"], results, "first index")
        measured(copies, pages, results, "once indexed", options.rounds)
        write(next(stored(1, 1, seed=1)), results)
        measured(copies, pages[:1], results, "after one more Record")
    if options.folder:
        options.folder.rmdir()


def measured(copies: Mapping[str, Path], pages: Sequence[str], results: Path, what: str, rounds: int = 1) -> None:
    """Make pages with each working copy in turn, and print medians."""
    taken: dict[tuple[str, str], list[tuple[float, float, float]]] = {(page, name): [] for page in pages for name in copies}
    for _ in range(rounds):
        for (page, name), figures in taken.items():
            figures.append(timed(page, results, results.parent / name, copies[name]))
    for (page, name), figures in taken.items():
        wall_s, core_s, peak_mib = map(statistics.median, zip(*figures, strict=True))
        print(f"  {name:<8}{page:<13}{what:<24}{wall_s:6.1f} s, {core_s:5.1f} s of a core, peak {peak_mib:,.0f} MiB", flush=True)


def timed(page: str, results: Path, home: Path, copy: Path) -> tuple[float, float, float]:
    """Make a page in a process of its own: its seconds, those of a core, and its peak of memory in MiB."""
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "archbench", "tables", page, "--records-only", "--format", "md", "--results", str(results)]
    begun = time.perf_counter()
    own = {"HOME": str(home), "PYTHONPATH": str(copy)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=copy, env={**os.environ, **own}, **quiet)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def write(record: Stored, results: Path) -> int:
    """Write a Record, without the flush that a run's own has, and return its bytes."""
    lines = {name: f"{json.dumps(name)}:{tight(value)}" for name, value in record.items() if name != "id"}
    identity = hashlib.sha256(f"{{{','.join(lines[name] for name in sorted(lines))}}}".encode()).hexdigest()[:ID_LENGTH]
    content = ("{\n" + ",\n".join([f'"id":"{identity}"', *lines.values()]) + "\n}\n").encode()
    results.joinpath("runs", f"{plain_name(record['model']['label'])}-{record['kind']}-{identity}.json").write_bytes(content)
    return len(content)


def tight(value: Any) -> str:
    """The JSON that a hash is taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def stored(count: int, settings: int, seed: int = 0) -> Iterator[Stored]:
    """As many Records, oldest first: trainings of each network under each setting over seeds, and profiles of it from time to time."""
    draw, began = random.Random(seed), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=200 * seed)
    evidence = [record.model_dump(mode="json") for record in Store(EVIDENCE).load()[0]]
    training = next(each for each in evidence if each["kind"] == "train" and each["config"]["data"]["train_fraction"] < 1)
    profiles = [each for each in evidence if each["kind"] == "profile" and each["model"]["image_size"] == 32]
    profiles = list({each["model"]["label"]: each for each in profiles if not each["model"]["knobs"]}.values())[:NETWORKS]
    each_s = timedelta(days=150) / max(count, 1)
    for place in range(count):
        network = profiles[place % len(profiles)]
        run = place // len(profiles)
        if draw.random() < PROFILES:
            made = profiled(network, BATCHES[run % len(BATCHES)], draw)
        else:
            made = trained(training, network, run % settings, run // settings, draw)
        made["created"] = (began + place * each_s).isoformat(timespec="microseconds")
        yield made


def profiled(network: Stored, batch: int, draw: random.Random) -> Stored:
    """A profile whose times are a little others."""
    made = copy.copy(network)
    made["config"] = {**network["config"], "batch": batch}
    times = {"latency_s", "infer_images_per_s", "train_images_per_s", "time_s"}
    rows = ((row, draw.gauss(1, 0.02) if row["name"] in times else 1.0) for row in network["measurements"])
    made["measurements"] = [scaled(row, factor) for row, factor in rows]
    if conditions := network["environment"].get("conditions"):
        made["environment"] = {**network["environment"], "conditions": {**conditions, "seconds": draw.random()}}
    made["key"] = made["group"] = digest("profile", network["key"], batch)
    return made


def trained(training: Stored, network: Stored, setting: int, seed: int, draw: random.Random) -> Stored:
    """A training of a network: its length is the setting; one in a hundred or so came to nothing."""
    made, epochs = copy.copy(training), 5 + setting
    config = training["config"]
    execution = {**config["execution"], "step_s": {"channels_last": draw.random(), "contiguous": draw.random()}}
    made["config"] = {**config, "seed": seed, "execution": execution, "training": {**config["training"], "epochs": epochs}}
    made["model"], label = network["model"], network["model"]["label"]
    error_pct = 20 + 30 * random.Random(label).random() + 20 / epochs
    factor = draw.gauss(error_pct, 0.5) / training["measurements"][0]["value"]
    made["measurements"] = [scaled(row, factor) for row in training["measurements"]]
    made["samples"] = {"curves": {name: [draw.random() for _ in curve] for name, curve in training["samples"]["curves"].items()}}
    made["group"] = digest("train", label, epochs)
    made["key"] = digest("train", label, epochs, seed)
    made["files"] = [{**file, "path": f"files/{label}-{made['key']}/{Path(file['path']).name}"} for file in training["files"]]
    if draw.random() < LOST:
        made |= {"status": "failed", "failure": {"reason": "killed", "message": "the machine was switched off"}, "measurements": []}
    return made


def scaled(row: Stored, factor: float) -> Stored:
    """A measurement times a factor, with its bounds."""
    return {**row, **{name: row[name] * factor for name in ("value", "low", "high") if row[name] is not None}}


def digest(*parts: object) -> str:
    """16 hex digits, as a key has them."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()

"""Kills at random moments: does the same command go on to the result of the undisturbed run, and is no Record lost or damaged?

    python benchmarks/kills.py [--kills 50] [--minutes 10] [--folder FOLDER] [--model alexnet] [--seed 0]

A deterministic training of a small network on digits, on the CPU, runs once undisturbed. Then, again and again, in a store with Records
of others: it starts, is killed with SIGKILL at a moment drawn evenly from the first checkpoint to the end, and the same command is given
again and runs to the end. Each time the predictions (classes, likelihoods, logits) must be bit-identical to the undisturbed run's and the
Record's doubts the same, the Records and tags that were there must be what they were to the last bit, all Records must be readable, and
no checkpoint, lease or half-written checkpoint may be left. Checkpoints are written after each step that can have one, far more often
than in earnest, so that some kills meet one half written. A kill that came too late, after the end, is drawn again and not counted.

Each run is a process of its own, forked from this one, which has imported torch: else most of the time would go into imports.

What was found lies in FOLDER/kills.jsonl, a line a kill, so that an interrupted measurement goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.process
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from archbench.cli import main as archbench_main
from archbench.records import tags
from archbench.records.store import Store
from archbench.training import loop

ROOT = Path(__file__).parents[1]
OTHERS = sorted((ROOT / "results" / "runs").glob("nin*.json"))[:5]
LOOK_EVERY_S, LIMIT_S = 0.002, 600
SETTINGS = ("--limit-train", "96", "--epochs", "8", "--precision", "fp32", "--deterministic", "--device", "cpu", "--quiet")
Run = multiprocessing.process.BaseProcess


def start(model: str, store: Path) -> Run:
    """The command, in a process of its own; torch is imported already in this one, from which it is forked."""
    running = multiprocessing.get_context("fork").Process(target=_command, args=(model, store))
    running.start()
    return running


def _command(model: str, store: Path) -> None:
    sys.argv = ["archbench", "train", "--models", model, *SETTINGS, "--results", str(store)]
    loop.REPORT_EVERY_S = loop.KEEP_EVERY_S = 0.0
    loop.KEEPING_SHARE = 1.0
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        archbench_main()


def ended(running: Run) -> int | None:
    """Its exit status, negative for a signal."""
    running.join(LIMIT_S)
    return running.exitcode


def first_checkpoint(running: Run, store: Path) -> bool:
    """Wait for it; False where the run ended first."""
    while running.is_alive():
        if list(store.glob("checkpoints/*.pt")):
            return True
        time.sleep(LOOK_EVERY_S)
    return False


def prepared(store: Path) -> dict[str, bytes]:
    """A store with Records and tags of others; the bytes of all its files."""
    shutil.rmtree(store, ignore_errors=True)
    (store / "runs").mkdir(parents=True)
    for other in OTHERS:
        shutil.copy(other, store / "runs")
    tags.change(Store(store), [record.id for record in Store(store).load()[0]], add=["before"])
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def outcome(model: str, store: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one new Record's config, and what must be as in the undisturbed run: the bytes of the arrays of its predictions, its doubts,
    how many images went through the network at once.
    """
    (record,) = [record for record in Store(store).load()[0] if record.model.label == model]
    with np.load(store / record.files[0].path) as stored:
        arrays = {name: stored[name].tobytes() for name in stored.files}
    return record.config, {"predictions": arrays, "warnings": record.warnings, "micro_batch": record.config["micro_batch"]}


def undisturbed(model: str, store: Path) -> tuple[dict[str, Any], float]:
    """What to reach, and the seconds from the first checkpoint to the end."""
    prepared(store)
    running = start(model, store)
    assert first_checkpoint(running, store)
    begun = time.perf_counter()
    assert ended(running) == 0
    return outcome(model, store)[1], time.perf_counter() - begun


def killed(model: str, store: Path, wanted: dict[str, Any], delay_s: float) -> dict[str, Any] | None:
    """One kill and the run after it; None where the run had ended before."""
    before = prepared(store)
    running = start(model, store)
    try:
        assert first_checkpoint(running, store)
        time.sleep(delay_s)
    finally:
        running.kill()
    if ended(running) != -signal.SIGKILL:
        return None
    half = len(list(store.rglob(".writing-*")))
    runs = len(list(store.glob("runs/*.json")))
    status = ended(start(model, store))
    found: dict[str, Any] = {"delay_s": round(delay_s, 3), "half_written": half, "had_record": runs > len(OTHERS), "exit": status}
    if status != 0:
        return {**found, "wrong": "the run after it failed"}
    config, reached = outcome(model, store)
    after = {name: (store / name).read_bytes() if (store / name).is_file() else b"" for name in before}
    wrong = [
        *[f"its {what} differ" for what in wanted if reached[what] != wanted[what]],
        *[f"{name} was changed or lost" for name in before if before[name] != after[name]],
        *Store(store).load()[1],
        *[f"{path.relative_to(store)} is left" for pattern in ("checkpoints/*", ".leases/*") for path in store.glob(pattern)],
    ]
    return {**found, "resumed_from_step": config["resumed_from_step"], "wrong": "; ".join(wrong)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "archbench-kills")
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments")
    asked = parser.parse_args()
    end = time.monotonic() + 60 * asked.minutes
    asked.folder.mkdir(parents=True, exist_ok=True)
    kept = asked.folder / "kills.jsonl"
    found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    wanted, rest_s = undisturbed(asked.model, asked.folder / "undisturbed")
    print(f"undisturbed: {rest_s:.1f} s from the first checkpoint to the end", file=sys.stderr)
    draws, late = random.Random(f"{asked.seed} {len(found)}"), 0
    while len(found) < asked.kills and time.monotonic() < end:
        result = killed(asked.model, asked.folder / "killed", wanted, draws.uniform(0, rest_s))
        if result is None:
            late += 1
            continue
        found.append(result)
        with kept.open("a") as file:
            file.write(json.dumps(result) + "\n")
        print(f"kill {len(found)} of {asked.kills}: {json.dumps(result)}", file=sys.stderr, flush=True)
    steps = [each["resumed_from_step"] for each in found if each.get("resumed_from_step")]
    summary = {
        "kills": len(found),
        "as_undisturbed": sum(not each["wrong"] for each in found),
        "resumed": len(steps),
        "from_steps": [min(steps, default=0), max(steps, default=0)],
        "met_a_half_written_file": sum(each["half_written"] > 0 for each in found),
        "killed_after_the_record": sum(each["had_record"] for each in found),
        "too_late": late,
        "wrong": dict(Counter(each["wrong"] for each in found if each["wrong"])),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()

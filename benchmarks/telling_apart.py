"""How often `archbench compare` calls a difference: between a model and itself, and when one side is 5 % slower.

    python benchmarks/telling_apart.py [--launches 3] [--rounds 10] [--threads 1]

For each of eight quick models, three processes at a time are timed in interleaved rounds: the model twice, and the model with a busy
wait of 5 % of its own time. Each such launch is repeated; groups of `--launches` make a pair. Blocks of disjoint launches give the pairs
with the slow-down. Pairs of the model with itself are drawn from all its launches, A and B of one moment together, A and B swapped at
random: pairs that share launches are not independent, so the share is closer to the truth than 200 independent pairs would put it, and
less sure than that. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from pathlib import Path
from typing import Any

import torch

from archbench import stats
from archbench.device import Device
from archbench.execution import ExecutionPlan
from archbench.measure.process import Subject, Worker
from archbench.models import Input, Model

MODELS = ("lenet", "alexnet", "nin", "squeezenet", "mobilenet", "mobilenet_v2", "resnet_basic", "resnet_bottleneck")
SLOW = Path(__file__).with_name("slowed.py")
PAIRS_A_MODEL, BLOCKS = 25, 5
LEVEL = 0.05


def launched(models: list[Model], rounds: int) -> list[float]:
    """Seconds of a launch of each, the median of its rounds, which go over all in an order drawn anew."""
    workers = [Worker(Subject.of(model, Input(10, 3, 32), Device("cpu"), ExecutionPlan())) for model in models]
    taken: list[list[float]] = [[] for _ in models]
    try:
        for worker in workers:
            worker.ask("warm_up", batch=1, mode="eager")
        for _ in range(rounds):
            for place in random.sample(range(len(models)), len(models)):
                taken[place].append(statistics.median(workers[place].ask("round", batch=1, mode="eager")))
    finally:
        for worker in workers:
            worker.close()
    return [statistics.median(each) for each in taken]


def called(before: list[float], after: list[float]) -> dict[str, bool]:
    """Whether a difference is called, paired as within a run and by Welch's test as between runs."""
    return {way: stats.ratio_t(before, after, paired=way == "paired").p < LEVEL for way in ("paired", "between_runs")}


def measured(name: str, launches: int, rounds: int) -> dict[str, Any]:
    """The shares for one model, and how much its launches scatter."""
    models = [Model(f"{SLOW}:{each}") for each in (name, name, f"slower_{name}")]
    taken = [launched(models, rounds) for _ in range(BLOCKS * launches)]
    alike, slowed = [], []
    for _ in range(PAIRS_A_MODEL):
        chosen = [random.sample(taken[place][:2], 2) for place in random.sample(range(len(taken)), launches)]
        alike.append(called([pair[0] for pair in chosen], [pair[1] for pair in chosen]))
    for start in range(0, len(taken), launches):
        block = taken[start : start + launches]
        slowed.append(called([each[0] for each in block], [each[2] for each in block]))
    first = [each[0] for each in taken]
    return {
        "model": name,
        "latency_ms": 1e3 * statistics.median(first),
        "scatter_of_launches_pct": 100 * statistics.stdev(first) / statistics.fmean(first),
        "slower_pct": 100 * (statistics.median(each[2] / each[0] for each in taken) - 1),
        "alike": alike,
        "slowed": slowed,
        "launches": taken,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    random.seed(0)
    found = []
    for name in MODELS:
        found.append(measured(name, arguments.launches, arguments.rounds))
        print(json.dumps(found[-1]), flush=True)
    for way in ("paired", "between_runs"):
        for kind in ("alike", "slowed"):
            calls = [pair[way] for each in found for pair in each[kind]]
            print(json.dumps({"pairs": kind, "way": way, "called": sum(calls), "of": len(calls)}))


if __name__ == "__main__":
    main()

"""How often `archbench compare` calls a difference: between a network and itself, and where one side is 5 % slower.

    python benchmarks/telling_apart.py [--launches 5] [--repeats 2] [--threads 1] > FILE

For each of eight quick networks, `archbench profile` times nine at once, interleaved: the network six times under different names
and three times with a busy wait of 5 % of its own time (slowed.py). `archbench compare` then says of each pair of Records whether the
latency differs: all fifteen pairs of the six, and three of one of the six with a slowed one. Of the fifteen only five are independent.
The same pairs are also compared as if they came from two runs (Welch's test instead of pairs). Prints a line of JSON a run, then the
shares.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from pathlib import Path

import torch

from archbench import api
from archbench.job.profile import Bench
from archbench.publish.compare import compare
from archbench.records.schema import Record

MODELS = ("lenet", "alexnet", "nin", "squeezenet", "mobilenet", "mobilenet_v2", "resnet_basic", "resnet_bottleneck")
FILE = Path(__file__).with_name("slowed.py")
ALIKE, SLOWED = ("a", "b", "c", "d", "e", "f"), ("slower_a", "slower_b", "slower_c")
PAIRS = {
    "alike": list(itertools.combinations(ALIKE, 2)),
    "slowed": [(slow.removeprefix("slower_"), slow) for slow in SLOWED],
}


def called(before: Record, after: Record) -> dict[str, bool]:
    """Whether a difference of the latency is called, as of one run and as of two."""
    apart = after.model_copy(update={"environment": {**after.environment, "conditions": None}})
    verdicts = {}
    for way, other in (("one_run", after), ("two_runs", apart)):
        (latency,) = (each for each in compare([before], [other]) if each.name == "latency_s")
        verdicts[way] = bool(latency.real)
    return verdicts


def _no_memory(bench: Bench) -> None:
    """Latency alone is compared here."""


def measured(name: str, launches: int) -> dict[str, object]:
    """One run of one network: what was called, and the launches' seconds."""
    Bench.measure_memory = _no_memory  # type: ignore[method-assign]
    models = [f"{FILE}:{copy}_{name}" for copy in (*ALIKE, *SLOWED)]
    with tempfile.TemporaryDirectory() as folder:
        records = api.profile(models=models, batch_sizes="1", batch_size=1, image_size=32, launches=launches, results=folder)
    by_copy = {record.model.label.rpartition(":")[2].removesuffix(f"_{name}"): record for record in records}
    verdicts = {kind: [called(by_copy[one], by_copy[other]) for one, other in pairs] for kind, pairs in PAIRS.items()}
    latencies = {copy: record.measurement("latency_s") for copy, record in by_copy.items()}
    return {"model": name, **verdicts, "latency_ms": {copy: 1e3 * row.value for copy, row in latencies.items() if row and row.value}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = []
    for repeat, name in itertools.product(range(arguments.repeats), MODELS):
        print(f"run {repeat + 1} of {arguments.repeats}: {name}", file=sys.stderr)
        found.append(measured(name, arguments.launches))
        print(json.dumps(found[-1]), flush=True)
    for kind, way in itertools.product(PAIRS, ("one_run", "two_runs")):
        calls = [pair[way] for run in found for pair in run[kind]]  # type: ignore[attr-defined]
        print(
            json.dumps({"pairs": kind, "as": way, "called": sum(calls), "of": len(calls), "pct": round(100 * sum(calls) / len(calls), 1)})
        )


if __name__ == "__main__":
    main()

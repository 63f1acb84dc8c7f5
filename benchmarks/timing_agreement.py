"""archbench's latency beside torch's own timer on the same models, interleaved: `python benchmarks/timing_agreement.py [--threads 1]`.

Each model's process is asked for rounds; between them this process runs `torch.utils.benchmark.Timer.adaptive_autorange` on a network
of its own. Prints a line of JSON a model: medians in ms, and ours beside the timer's in percent.
"""

from __future__ import annotations

import argparse
import json
import statistics

import torch
from torch.utils.benchmark import Timer

from archbench.device import Device
from archbench.execution import ExecutionPlan
from archbench.measure.process import Subject, Worker
from archbench.models import Input, Model

MODELS = ("lenet", "nin", "squeezenet", "mobilenet", "resnet_bottleneck")
SHAPE = Input(10, 3, 32)


def compared(name: str, rounds: int) -> dict[str, object]:
    model, device, plan = Model(name), Device("cpu"), ExecutionPlan()
    network, images = model.build(SHAPE).eval(), SHAPE.example(1)
    timer = Timer("network(images)", globals={"network": network, "images": images}, num_threads=torch.get_num_threads())
    ours, theirs = [], []
    with Worker(Subject.of(model, SHAPE, device, plan)) as worker, torch.inference_mode():
        worker.ask("warm_up", batch=1, mode="eager")
        for _ in range(rounds):
            ours.append(statistics.median(statistics.median(worker.ask("round", batch=1, mode="eager")) for _ in range(5)))
            theirs.append(timer.adaptive_autorange(min_run_time=0.25, max_run_time=1.0).median)
    ratio = statistics.median(ours) / statistics.median(theirs)
    return {
        "model": name,
        "ours_ms": 1e3 * statistics.median(ours),
        "timer_ms": 1e3 * statistics.median(theirs),
        "ours_of_timer_pct": 100 * ratio,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in MODELS:
        print(json.dumps(compared(name, arguments.rounds)), flush=True)


if __name__ == "__main__":
    main()

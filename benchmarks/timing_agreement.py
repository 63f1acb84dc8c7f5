"""archbench's latency beside torch's own timer on the same networks, interleaved: `python benchmarks/timing_agreement.py [--threads 1]`.

Both have a process of their own for each launch: ours answers rounds, the other runs `torch.utils.benchmark.Timer.adaptive_autorange`;
they take turns, five rounds of ours to one of the timer's. Since two processes of one network differ, the medians over launches are
compared. Prints a line of JSON a network: milliseconds, and ours in percent of the timer's.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
from multiprocessing.connection import Connection

import torch
from torch.utils.benchmark import Timer

from archbench.device import Device
from archbench.execution import ExecutionPlan
from archbench.measure.process import Subject, Worker
from archbench.models import Input, Model

MODELS = ("lenet", "nin", "squeezenet", "mobilenet", "resnet_bottleneck")
SHAPE = Input(10, 3, 32)
TURNS = 4


def timer_process(name: str, threads: int, turns: Connection) -> None:
    """Answers each message with the median of torch's timer, until the other end closes."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network, images = Model(name).build(SHAPE).eval(), SHAPE.example(1)
    timer = Timer("network(images)", globals={"network": network, "images": images}, num_threads=threads)
    with torch.inference_mode():
        timer.timeit(20)
        while turns.recv():
            turns.send(timer.adaptive_autorange(min_run_time=0.25, max_run_time=1.0).median)


def launched(name: str, threads: int) -> tuple[float, float]:
    """Seconds of a launch of each, the medians over its turns."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=timer_process, args=(name, threads, there))
    process.start()
    ours, theirs = [], []
    with Worker(Subject.of(Model(name), SHAPE, Device("cpu"), ExecutionPlan())) as worker:
        worker.ask("warm_up", batch=1, mode="eager")
        for _ in range(TURNS):
            ours.append(statistics.median(statistics.median(worker.ask("round", batch=1, mode="eager")) for _ in range(5)))
            here.send(True)
            theirs.append(here.recv())
    here.send(False)
    process.join()
    return statistics.median(ours), statistics.median(theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in MODELS:
        launches = [launched(name, arguments.threads) for _ in range(arguments.launches)]
        ours, theirs = (1e3 * statistics.median(side) for side in zip(*launches, strict=True))
        print(
            json.dumps({"model": name, "ours_ms": ours, "timer_ms": theirs, "ours_of_timer_pct": round(100 * ours / theirs, 2)}), flush=True
        )


if __name__ == "__main__":
    main()

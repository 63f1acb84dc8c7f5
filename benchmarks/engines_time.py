"""What worker processes gain, and what Ray costs: small trainings on two workers of a core each, on one, and as tasks of a Ray of its own.

Each figure is the median over rounds that take the three in turn. The time of a run is from its first Started event, when processes have
been started and images loaded, to its last Record: importing torch, and starting and stopping Ray, are told beside it.

Needs two cores, and for Ray `pip install 'archbench[ray]'`; without it the Ray column is left out. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from archbench import running
from archbench.config import Settings
from archbench.events import Event, Finished, Started


@dataclass
class Clock:
    """Listens for when the work began, and when its last Record was there."""

    asked: float = field(default_factory=time.perf_counter)
    begun: float | None = None
    done: float = 0.0

    def listen(self, event: Event) -> None:
        if self.begun is None and isinstance(event, Started):
            self.begun = time.perf_counter()
        if isinstance(event, Finished):
            self.done = time.perf_counter()


def timed(engine: str, asked: argparse.Namespace) -> tuple[float, float, float]:
    """Seconds of the work, of all that came before it, and of what was left to do after it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.of(
            models=asked.model,
            seeds=f"0-{asked.runs - 1}",
            limit_train=asked.images,
            epochs=asked.epochs,
            precision="fp32",
            deterministic=True,
            device="cpu",
            engine=engine,
            results=Path(folder),
        )
        clock = Clock()
        done = running.execute(running.Asked([settings]), ("train",), clock.listen)
        end = time.perf_counter()
        assert len(done.records) == asked.runs and not done.failed
        assert clock.begun is not None
        return clock.done - clock.begun, clock.begun - clock.asked, end - clock.done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--model", default="lenet")
    parser.add_argument("--images", type=int, default=1437)
    parser.add_argument("--epochs", type=int, default=12)
    asked = parser.parse_args()
    engines = {"one": "workers:1", "two": "workers:2"}
    if importlib.util.find_spec("ray") is not None:
        engines["ray"] = "ray"
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in engines}
    loads = []
    for number in range(asked.rounds):
        for name, engine in engines.items():
            if name == "one":  # of one core: it takes what this process may use
                os.sched_setaffinity(0, cores[:1])
            found[name].append(timed(engine, asked))
            os.sched_setaffinity(0, cores)
            loads.append(os.getloadavg()[0])
            work_s, start_s, stop_s = found[name][-1]
            print(f"round {number + 1} {name}: {work_s:.1f} s, {start_s:.1f} before and {stop_s:.1f} after", file=sys.stderr, flush=True)
    work, start, stop = ({name: statistics.median(times[part] for times in rounds) for name, rounds in found.items()} for part in range(3))
    summary = {
        "runs": asked.runs,
        "work_s": {name: round(seconds, 2) for name, seconds in work.items()},
        "start_s": {name: round(seconds, 2) for name, seconds in start.items()},
        "stop_s": {name: round(seconds, 2) for name, seconds in stop.items()},
        "two_of_one": round(work["two"] / work["one"], 3),
        **({"ray_of_two": round(work["ray"] / work["two"], 3)} if "ray" in work else {}),
        "load_average": [round(min(loads), 1), round(max(loads), 1)],
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    cores = sorted(os.sched_getaffinity(0))
    main()

"""What events, the live view and trackers cost a training: its time with them beside its time without, interleaved in one run.

Three figures: the share of the training's time that is spent inside the listeners; the processor time of the trackers' own threads, as a
share too; and the median over rounds of the ratio of seconds with them to seconds without. The last holds everything and scatters with
the machine; the first two are exact and say what there is to find.

    python benchmarks/listening_cost.py --track tensorboard
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

import archbench
from archbench.cli.progress import Progress
from archbench.events import Event, Finished


class Watch:
    """Passes events on to a live view, and adds up the seconds from one's coming to the listeners until it is done with."""

    def __init__(self) -> None:
        self.console = Console(file=io.StringIO(), force_terminal=True, width=140, height=40, _environ={"TERM": "xterm-256color"})
        self.progress = Progress(quiet=False, console=self.console)
        self.seconds, self.events, self.threads_s = 0.0, 0, 0.0

    def listen(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.threads_s = trackers_s()
        self.progress.listen(event)


def trackers_s() -> float:
    """Processor seconds of the trackers' threads."""
    ids = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("archbench ")}
    return sum(thread.user_time + thread.system_time for thread in psutil.Process().threads() if thread.id in ids)


def timed_telling(watch: Watch) -> Any:
    """The trackers' own listener, with its time taken: it is the outermost."""
    from archbench.tracking.telling import Tracking

    tell = Tracking.listen

    def listen(tracking: Tracking, event: Event) -> None:
        start = time.perf_counter()
        tell(tracking, event)
        watch.seconds += time.perf_counter() - start
        watch.events += 1

    return listen


def train(settings: dict[str, Any], watch: Watch | None, track: str) -> float:
    """Seconds of the epochs of one training."""
    from archbench.tracking.telling import Tracking

    with tempfile.TemporaryDirectory() as folder:
        if watch is None:
            (record,) = archbench.train(**settings, results=Path(folder))
        else:
            plain, Tracking.listen = Tracking.listen, timed_telling(watch)  # type: ignore[method-assign]
            with watch.progress:
                (record,) = archbench.train(**settings, results=Path(folder), track=track, emit=watch.listen)
            Tracking.listen = plain  # type: ignore[method-assign]
    return sum(record.samples["curves"]["epoch_s"])


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nin_bn")
    parser.add_argument("--track", default="tensorboard")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--limit-train", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    settings = {"models": options.model, "epochs": options.epochs, "limit_train": options.limit_train}
    inside, threads, ratios = [], [], []
    for _ in range(options.rounds):
        watch = Watch()
        without = train(settings, None, options.track)
        taken = train(settings, watch, options.track)
        inside.append(100 * watch.seconds / taken)
        threads.append(100 * watch.threads_s / taken)
        ratios.append(taken / without)
        each_ms = 1e3 * watch.seconds / watch.events
        print(f"  {taken:.1f} s, {watch.events} events of {each_ms:.2f} ms; {without:.1f} s without", flush=True)
    parts = [
        f"{options.model}, live view and {options.track}: {statistics.median(inside):.2f} % of the time inside listeners",
        f"{statistics.median(threads):.2f} % of processor time in the trackers' threads",
        f"{statistics.median(ratios):.3f} of the time without",
    ]
    print(", ".join(parts))


if __name__ == "__main__":
    main()

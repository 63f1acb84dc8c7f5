"""What a training pays for being watched, for surviving and for its evidence: shares of its time, and that beside one not watched.

Figures, medians over rounds: the share of the training's time spent inside the listeners (events, the live view, trackers), the processor
time of the trackers' own threads, the share spent on checkpoints, and on keeping the predictions; then the ratio of seconds watched to
seconds unwatched, interleaved in one run. The ratio holds everything and scatters with the machine; the shares are exact and say what
there is to find.

    python benchmarks/overhead.py --track tensorboard
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

import archbench
from archbench.cli.progress import Progress
from archbench.events import Event, Finished
from archbench.tracking.telling import Tracking
from archbench.training.checkpoint import Checkpoint

TRAINING = importlib.import_module("archbench.job.train")  # the package's `train` is the function
PARTS = {"listeners": (Tracking, "listen"), "checkpoints": (Checkpoint, "save"), "predictions": (TRAINING, "keep_predictions")}


class Watch:
    """A live view whose terminal is a buffer; `threads_s` is the processor time of the trackers' threads at the training's end."""

    def __init__(self) -> None:
        self.console = Console(file=io.StringIO(), force_terminal=True, width=140, height=40, _environ={"TERM": "xterm-256color"})
        self.progress, self.threads_s = Progress(quiet=False, console=self.console), 0.0

    def listen(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.threads_s = trackers_s()
        self.progress.listen(event)


def trackers_s() -> float:
    """Processor seconds of the trackers' threads."""
    ids = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("archbench ")}
    return sum(thread.user_time + thread.system_time for thread in psutil.Process().threads() if thread.id in ids)


@contextlib.contextmanager
def timed() -> Iterator[tuple[Counter[str], Counter[str]]]:
    """Seconds inside each of `PARTS`, and how often each was called, while the context lasts."""
    seconds: Counter[str] = Counter()
    calls: Counter[str] = Counter()

    def clocked(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds[part] += time.perf_counter() - start
                calls[part] += 1

        return call

    plain = {part: getattr(owner, name) for part, (owner, name) in PARTS.items()}
    for part, (owner, name) in PARTS.items():
        setattr(owner, name, clocked(part, plain[part]))
    try:
        yield seconds, calls
    finally:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, plain[part])


def train(settings: dict[str, Any], watch: Watch | None, track: str) -> float:
    """Seconds of the epochs of one training, checkpoints between them left out."""
    with tempfile.TemporaryDirectory() as folder:
        if watch is None:
            (record,) = archbench.train(**settings, results=Path(folder))
        else:
            with watch.progress:
                (record,) = archbench.train(**settings, results=Path(folder), track=track, emit=watch.listen)
    return sum(record.samples["curves"]["epoch_s"])


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nin_bn")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--track", default="tensorboard")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--limit-train", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    settings = {"models": options.model, "dataset": options.dataset, "epochs": options.epochs, "limit_train": options.limit_train}
    shares: dict[str, list[float]] = {part: [] for part in [*PARTS, "trackers' threads"]}
    ratios = []
    for _ in range(options.rounds):
        watch = Watch()
        without = train(settings, None, options.track)
        with timed() as (seconds, calls):
            taken = train(settings, watch, options.track)
        seconds["trackers' threads"] = watch.threads_s
        for part, found in shares.items():
            found.append(100 * seconds[part] / taken)
        ratios.append(taken / without)
        each = ", ".join(f"{calls[part]} {part} of {1e3 * seconds[part] / max(calls[part], 1):.1f} ms" for part in PARTS)
        print(f"  {taken:.1f} s: {each}; {without:.1f} s without", flush=True)
    said = ", ".join(f"{part} {statistics.median(found):.2f} %" for part, found in shares.items())
    watched = f"{options.model}, live view and {options.track}, of the training's time"
    print(f"{watched}: {said}; {statistics.median(ratios):.3f} of the time without")


if __name__ == "__main__":
    main()

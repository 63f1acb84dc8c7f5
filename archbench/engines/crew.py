"""The worker processes of one run, as the process that gives orders sees them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing import connection as connections
from pathlib import Path
from typing import Any, Self

from archbench.engines.bench import Order
from archbench.engines.shares import Share
from archbench.measure.process import ModelError, found_here

PROGRAM = "archbench.engines.worker"
LEAVE_S = 60.0  # that the trainings have to leave their checkpoints, between two steps each
DEAD = object()  # stands for what a worker says whose process has ended


class Worker:
    """A process with a share of the machine, in a session of its own: whatever it starts ends with it."""

    def __init__(self, share: Share, root: Path) -> None:
        self.order: Order | None = None
        self.begun_s = 0.0
        self.pipe, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", PROGRAM, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env={**found_here(), **share.variables},
            )
        if share.cores:
            os.sched_setaffinity(self.process.pid, share.cores)  # its threads are not there yet
        self._say(root)

    def give(self, order: Order) -> None:
        """Let it begin an order."""
        self.order, self.begun_s = order, time.perf_counter()
        self._say(order)

    def heard(self) -> Iterator[Any]:
        """What it has said, oldest first; DEAD in the end where its process has ended."""
        has_ended = self.process.poll() is not None
        try:
            while self.pipe.poll():
                yield self.pipe.recv()
        except (EOFError, OSError):
            has_ended = True
        if has_ended:
            yield DEAD

    def death(self) -> ModelError:
        """Why its process has ended, as the failure of the Job that it was at."""
        self.close()
        status, label = self.process.returncode, self.order.job.label if self.order else ""
        if status == -signal.SIGKILL:
            return ModelError("WorkerDied", f"the process of {label} was ended by signal 9, perhaps for want of memory")
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return ModelError("WorkerDied", f"the process of {label} ended {how}")

    def end(self) -> None:
        """Ask it to leave a checkpoint and to end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """End the process and all that it started, whatever they are doing."""
        self.pipe.close()
        if self.process.returncode is None or self.process.returncode < 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left; macOS refuses where all have ended
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _say(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has died, and is heard to have
            self.pipe.send(message)


class Crew:
    """A worker for each share, started when there is the first order for it. A context: all workers end with it."""

    def __init__(self, shares: Sequence[Share], root: Path) -> None:
        self.shares, self.root = shares, root
        self.workers: dict[int, Worker] = {}

    def free(self) -> Iterator[int]:
        """Numbers of the shares that are at nothing."""
        return (number for number in range(len(self.shares)) if number not in self.workers or self.workers[number].order is None)

    def give(self, number: int, order: Order) -> None:
        """Let a free share begin an order."""
        if number not in self.workers:
            self.workers[number] = Worker(self.shares[number], self.root)
        self.workers[number].give(order)

    @property
    def is_busy(self) -> bool:
        """Whether any is at an order."""
        return any(worker.order is not None for worker in self.workers.values())

    def heard(self, wait_s: float) -> Iterator[tuple[int, Any]]:
        """What the workers say, within so many seconds at most."""
        connections.wait([worker.pipe for worker in self.workers.values()], wait_s)
        for number, worker in list(self.workers.items()):
            for said in worker.heard():
                yield number, said

    def buried(self, number: int) -> ModelError:
        """Take a dead worker out, so that its share is free; why it has died."""
        return self.workers.pop(number).death()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Those that are at something leave a checkpoint within a minute; a second interruption ends them at once."""
        try:
            for worker in self.workers.values():
                if worker.order is None:
                    worker.close()
                else:
                    worker.end()
            self._wait(LEAVE_S)
        finally:
            for worker in self.workers.values():
                worker.close()

    def _wait(self, limit_s: float) -> None:
        """Until all have ended; what they still say is read, so that none waits to be heard."""
        deadline = time.perf_counter() + limit_s
        left = [worker for worker in self.workers.values() if worker.order is not None]
        while left and time.perf_counter() < deadline:
            for worker in left:
                for _ in worker.heard():
                    pass
            left = [worker for worker in left if worker.process.poll() is None]
            if left:
                connections.wait([worker.pipe for worker in left if not worker.pipe.closed], 0.1)

"""The processes that train one network together on this machine, as the process that gives orders sees them."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import connection as connections
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import torch

from archbench.engines.base import HEED_S
from archbench.engines.bench import Answer, Broken
from archbench.engines.messages import Done, Failed, Shared
from archbench.errors import ArchbenchError, StorageError
from archbench.events import Listener, Waiting
from archbench.measure.process import ModelError, found_here
from archbench.records.schema import Record

PROGRAM = "archbench.engines.rank"
START_S, LEAVE_S, CLOSING_S = 180.0, 60.0, 10.0  # that the processes have to start, the first to leave a checkpoint, all to end


class DiedError(ModelError):
    """That a process has died."""

    def __init__(self, message: str) -> None:
        super().__init__("WorkerDied", message)


class Together:
    """The processes of one training. A context: all end with it."""

    def __init__(self, number: int, shared: Shared) -> None:
        self.number, self.shared = number, shared
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - open as long as the processes
        self._folder = tempfile.TemporaryDirectory(prefix="archbench-")
        address = str(Path(self._folder.name) / "socket")
        self._socket = listening(address, number)
        threads = max(1, torch.get_num_threads() // number)
        options = ["--standalone", f"--nproc-per-node={number}", "--max-restarts=0", "-m", PROGRAM, address]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "torch.distributed.run", *options],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            start_new_session=True,
            env={**found_here(), "OMP_NUM_THREADS": str(threads), "PYTHONSAFEPATH": "1"},
        )
        self._pipes: dict[int, Connection] = {}

    def record(self, emit: Listener) -> Record:
        """The Record that the first makes; `emit` hears what it tells meanwhile, and may end the training, which leaves its checkpoint.

        Raises ModelError for what went wrong in any of them, StorageError where the results folder cannot be written.
        """
        self._start(emit)
        try:
            while True:
                heard = connections.wait(list(self._pipes.values()), HEED_S)
                if not heard:
                    emit(Waiting())
                for said in self._heard(heard):
                    if isinstance(said, Record):
                        return self._final(said)
                    if not isinstance(said, Done):
                        emit(said)
        except (ModelError, StorageError):
            raise
        except BaseException:
            self._leave()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Each process ends when its pipe does; then there is nothing left for torchrun to watch over."""
        for pipe in self._pipes.values():
            pipe.close()
        self._socket.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(CLOSING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()
        self._folder.cleanup()

    def _start(self, emit: Listener) -> None:
        """Wait for all of them, and give each the Job."""
        deadline = time.perf_counter() + START_S
        while len(self._pipes) < self.number:
            if not connections.wait([self._socket], HEED_S):
                if self._process.poll() is not None or time.perf_counter() > deadline:
                    raise self._death()
                emit(Waiting())
                continue
            pipe = Connection(self._socket.accept()[0].detach())
            with self._heeding_death():
                self._pipes[pipe.recv()] = pipe
        with self._heeding_death():
            for pipe in self._pipes.values():
                pipe.send(self.shared)

    @contextlib.contextmanager
    def _heeding_death(self) -> Iterator[None]:
        """Raise DiedError where one has ended, as none does of itself."""
        try:
            yield
        except (EOFError, ConnectionError):
            raise self._death() from None

    def _final(self, record: Record) -> Record:
        """The Record, unless it tells of nothing but the end of another process."""
        if record.status in ("failed", "out_of_memory") and self._any_died():
            raise self._death()
        return record

    def _heard(self, pipes: list[Any]) -> Iterator[Any]:
        """The events and the Record that these tell. Raises what went wrong; DiedError where one has ended, as none does of itself."""
        for pipe in pipes:
            while pipe.poll():
                with self._heeding_death():
                    said = pipe.recv()
                if isinstance(said, Broken):
                    raise StorageError(said.message)
                if isinstance(said, Failed):
                    raise self._death() if self._any_died() else ModelError(said.reason, said.message, said.out_of_memory)
                yield said.value if isinstance(said, Answer) else said

    def _any_died(self) -> bool:
        """Whether one has ended, so that what another met is what comes of it."""
        try:
            for pipe in self._pipes.values():
                while pipe.poll():
                    pipe.recv()
        except (EOFError, OSError):
            return True
        return False

    def _leave(self) -> None:
        """Let the first leave its checkpoint, if it is at work."""
        deadline = time.perf_counter() + LEAVE_S
        with contextlib.suppress(OSError, EOFError, KeyError):
            self._pipes[0].send(None)
            while time.perf_counter() < deadline:
                if self._pipes[0].poll(HEED_S) and isinstance(self._pipes[0].recv(), Done | Answer | Failed | Broken):
                    return

    def _death(self) -> DiedError:
        """How torchrun tells that a process has died, or why it could not start them."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSING_S)
        self._said.seek(0)
        said, label = self._said.read(), self.shared.job.label
        status = re.search(r"exitcode\s*:\s*(-?\d+)", said)
        if status is not None and int(status[1]) < 0:
            return DiedError(f"a process of {label} was ended by signal {-int(status[1])}")
        errors = re.findall(r"^(?:\[rank\d+\]: )?\w[\w.]*Error: .*", said, re.MULTILINE)
        return DiedError(f"a process of {label} has died: {errors[-1] if errors else 'it said nothing'}")


def listening(address: str, number: int) -> socket.socket:
    """A socket that so many may connect to. Raises ArchbenchError where the path is longer than systems allow."""
    made = socket.socket(socket.AF_UNIX)
    try:
        made.bind(address)
    except OSError as error:
        made.close()
        raise ArchbenchError(f"--devices: no socket in the temporary folder ({error}); TMPDIR names another, with a short path") from None
    made.listen(number)
    return made

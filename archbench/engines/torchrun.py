"""Trainings one after the other, each on several devices of this machine at once: a process for each device, started by torchrun."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from multiprocessing import connection as connections
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import torch

from archbench import device as devices
from archbench import environment
from archbench.config import Settings
from archbench.engines.base import HEED_S, TRIES, Engine, work
from archbench.engines.bench import Answer, Broken, Failed, Finished, Shared
from archbench.errors import ArchbenchError, StorageError
from archbench.events import Listener, Notice, Waiting
from archbench.job import Job, failure
from archbench.measure.process import ModelError, found_here
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import Store

PROGRAM = "archbench.engines.rank"
START_S, LEAVE_S, CLOSING_S = 180.0, 60.0, 10.0  # that the processes have to start, the first to leave a checkpoint, all to end


class Torchrun(Engine):
    """This machine. Raises ArchbenchError for more devices than it has."""

    def __init__(self, settings: Settings) -> None:
        device = devices.choose(settings.device)
        check_devices(settings.devices, device, settings.device)
        self.devices = settings.devices

    def records(self, jobs: Iterator[Job], plan: Plan, store: Store, emit: Listener) -> Generator[Record, None, None]:
        for job in jobs:
            assert job.data is not None
            dataset = plan.datasets[job.data.fingerprint]
            if job.kind == "train":
                yield self._trained(Shared(job, dataset.origin, store.root), emit)
            else:
                yield work(job, dataset, store, emit)

    def _trained(self, shared: Shared, emit: Listener) -> Record:
        """The Record of a training; tried again, from its checkpoint, where one of its processes died."""
        begun = time.perf_counter()
        for tries in range(1, TRIES + 1):
            try:
                with Together(self.devices, shared) as together:
                    return together.record(emit)
            except DiedError as error:
                died = error
                if tries < TRIES:
                    emit(Notice(f"{error}; it goes on from its checkpoint"))
            except ModelError as error:
                return failure(shared.job, error, time.perf_counter() - begun)
        return failure(shared.job, died, time.perf_counter() - begun)


class DiedError(ModelError):
    """That a process has died."""

    def __init__(self, message: str) -> None:
        super().__init__("WorkerDied", message)


def check_devices(number: int, device: devices.Device, asked: str) -> None:
    """Raise ArchbenchError where there are not so many, or the one that is named has no others beside it."""
    if device.kind == "mps":
        raise ArchbenchError(f"--devices {number}: there is one Apple GPU; --device cpu shares the cores out")
    if device.kind == "cuda" and ":" in asked:
        raise ArchbenchError(f"--devices {number} takes the first {number} GPUs: --device cuda; CUDA_VISIBLE_DEVICES says which these are")
    there = torch.cuda.device_count() if device.kind == "cuda" else environment.cores_to_use()
    if number > there:
        name = "GPU" if device.kind == "cuda" else "core"
        raise ArchbenchError(f"--devices {number}: there {'is' if there == 1 else 'are'} {there} {name}{'s' * (there != 1)} here")


class Together:
    """The processes of one training. A context: all end with it."""

    def __init__(self, number: int, shared: Shared) -> None:
        self.number, self.shared = number, shared
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - open as long as the processes
        self._folder = tempfile.TemporaryDirectory(prefix="archbench-")
        address = str(Path(self._folder.name) / "socket")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(address)
        self._socket.listen(number)
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
                        return said
                    if not isinstance(said, Finished):
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
            if connections.wait([self._socket], HEED_S):
                pipe = Connection(self._socket.accept()[0].detach())
                self._pipes[pipe.recv()] = pipe
            elif self._process.poll() is not None or time.perf_counter() > deadline:
                raise self._death()
            else:
                emit(Waiting())
        for pipe in self._pipes.values():
            pipe.send(self.shared)

    def _heard(self, pipes: list[Any]) -> Iterator[Any]:
        """The events and the Record that these tell. Raises what went wrong; DiedError where one has ended, as none does of itself."""
        for pipe in pipes:
            try:
                while pipe.poll():
                    said = pipe.recv()
                    if isinstance(said, Broken):
                        raise StorageError(said.message)
                    if isinstance(said, Failed):
                        raise self._death() if self._any_died() else ModelError(said.reason, said.message, said.out_of_memory)
                    yield said.value if isinstance(said, Answer) else said
            except (EOFError, ConnectionError):
                raise self._death() from None

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
                if self._pipes[0].poll(HEED_S) and isinstance(self._pipes[0].recv(), Finished | Answer | Failed | Broken):
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

"""A process of its own for one model, as the process that measures sees it: asked a line of JSON, it answers with one.

A model's prints, its changes of torch's global settings and its death stay in its own process (worker.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.execution import ExecutionPlan
from archbench.models import Input, Model

PROGRAM = "archbench.measure.worker"
LIMIT_S, STEPS_LIMIT_S = 600.0, 3600.0  # an answer may take, and one that needs several training steps
STEPS = ("operators", "memory")
HEED_S, CLOSING_S, CHUNK = 0.5, 5.0, 2**16


def found_here() -> dict[str, str]:
    """The environment in which another Python finds what this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(Path(__file__).parents[2])])}


class ModelError(ArchbenchError):
    """What went wrong in a model's process; `reason` is the type of the error there."""

    def __init__(self, reason: str, message: str, out_of_memory: bool = False) -> None:
        super().__init__(message)
        self.reason, self.out_of_memory = reason, out_of_memory


@dataclass(frozen=True)
class Subject:
    """Which network, for which input, is measured where and how. `source` is the hash of its code at the time of planning."""

    model: Model
    shape: Input
    device: Device
    plan: ExecutionPlan
    seed: int
    threads: int
    source: str

    @classmethod
    def of(cls, model: Model, shape: Input, device: Device, plan: ExecutionPlan, seed: int = 0) -> Self:
        """The subject as it is now, on the threads that torch uses here."""
        return cls(model, shape, device, plan, seed, torch.get_num_threads(), model.snapshot(shape).source_sha256)

    def to_json(self) -> str:
        """As a line."""
        return json.dumps({**dataclasses.asdict(dataclasses.replace(self, plan=None)), "plan": self.plan.model_dump()})  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, line: str) -> Self:
        """From a line that `to_json` made."""
        told = json.loads(line)
        asked = told["model"]
        model = Model(asked["name"], tuple(map(tuple, asked["knobs"])), asked["width"])
        rest = {name: told[name] for name in ("seed", "threads", "source")}
        return cls(model, Input(**told["shape"]), Device(**told["device"]), ExecutionPlan(**told["plan"]), **rest)


class Worker:
    """A running process for a subject, in a session of its own: whatever it starts ends with it.

    While it waits for an answer it calls `heed` about twice a second, which may raise. `ask` raises ModelError for what the model did,
    its death and its silence among it.
    """

    def __init__(self, subject: Subject, heed: Callable[[], object] = lambda: None) -> None:
        self.label, self.heed, self.busy_s = subject.model.label, heed, 0.0  # seconds that it has worked on answers
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - open as long as the process
        self._unread = b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=0,
            start_new_session=True,
            env=found_here(),
        )
        self._say(subject.to_json())

    def ask(self, question: str, **details: Any) -> Any:
        """Put a question and wait for the answer."""
        started = time.perf_counter()
        self._say(json.dumps({"question": question, **details}))
        line = self._line(STEPS_LIMIT_S if question in STEPS else LIMIT_S)
        self.busy_s += time.perf_counter() - started
        answer = json.loads(line)
        if "error" in answer:
            raise ModelError(**answer["error"])
        return answer["answer"]

    def close(self) -> None:
        """End the process and all that it started, whatever they are doing."""
        if self._said.closed:
            return
        self._kill()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
        except BrokenPipeError:
            raise self._death() from None

    def _line(self, limit_s: float) -> bytes:
        """The next line that it answers, within so many seconds.

        A child of its own may hold its pipes, so that their end alone does not tell that it has died.
        """
        assert self._process.stdout is not None
        deadline = time.perf_counter() + limit_s
        while b"\n" not in self._unread:
            has_ended = self._process.poll() is not None
            if select.select([self._process.stdout], [], [], 0 if has_ended else HEED_S)[0]:
                part = os.read(self._process.stdout.fileno(), CHUNK)
                self._unread += part
                has_ended = not part
            if has_ended:
                raise self._death()
            if time.perf_counter() > deadline:
                raise self._silence(limit_s)
            self.heed()
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _kill(self) -> None:
        """The whole session, so that nothing which the model started is left."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left; macOS refuses where all have ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _silence(self, limit_s: float) -> Exception:
        self._kill()
        return ModelError("NoAnswer", f"{self.label} gave no answer within {limit_s / 60:.0f} minutes, the most that one may take")

    def _death(self) -> Exception:
        try:
            status = self._process.wait(CLOSING_S)
        except subprocess.TimeoutExpired:  # it closed its answers, and lives on
            status = None
        self._kill()
        if status == -signal.SIGKILL:
            return ModelError("WorkerDied", f"the process of {self.label} was ended by signal 9, perhaps for want of memory")
        self._said.seek(0)
        last = (self._said.read().strip().splitlines() or ["it said nothing"])[-1]
        ended = "closed its output" if status is None else f"ended with {status}"
        return ModelError("WorkerDied", f"the process of {self.label} {ended}: {last}")

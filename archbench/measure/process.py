"""A process of its own for one model, as the process that measures sees it: asked a line of JSON, it answers with one.

A model's prints, its changes of torch's global settings and its death stay in its own process (worker.py).
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.execution import ExecutionPlan
from archbench.models import Input, Model

PROGRAM = "archbench.measure.worker"


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
    """A running process for a subject. `ask` raises ModelError for what the model did, MemoryError when the process was killed."""

    def __init__(self, subject: Subject) -> None:
        self.label, self.busy_s = subject.model.label, 0.0  # seconds that it has worked on answers
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - open as long as the process
        path = os.pathsep.join([*filter(None, sys.path), str(Path(__file__).parents[2])])  # it finds what this process finds
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._say(subject.to_json())

    def ask(self, question: str, **details: Any) -> Any:
        """Put a question and wait for the answer."""
        started = time.perf_counter()
        self._say(json.dumps({"question": question, **details}))
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.busy_s += time.perf_counter() - started
        if not line:
            raise self._death()
        answer = json.loads(line)
        if "error" in answer:
            raise ModelError(**answer["error"])
        return answer["answer"]

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None

    def _death(self) -> Exception:
        status = self._process.wait()
        if status == -signal.SIGKILL:
            return MemoryError(f"the process of {self.label} was killed, most likely for want of memory")
        self._said.seek(0)
        last = (self._said.read().strip().splitlines() or ["it said nothing"])[-1]
        return ModelError("WorkerDied", f"the process of {self.label} ended with {status}: {last}")

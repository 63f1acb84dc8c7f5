"""The process of one model: `python -m archbench.measure.worker` reads a subject, then questions, a line of JSON each.

It ends when its input does, whatever the model is doing then, so that none outlives the process that measures. Questions come from what
was standard input when it started, answers go to what was standard output; the model itself reads nothing, and prints to standard error.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from archbench.device import is_out_of_memory
from archbench.errors import ArchbenchError, brief
from archbench.execution import numerics
from archbench.measure.forward import Forward
from archbench.measure.process import Subject


class Workbench:
    """A network on the bench, and its forward passes by batch size and mode."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.forwards: dict[tuple[int, str], Forward] = {}
        self._network: nn.Module | None = None

    @property
    def network(self) -> nn.Module:
        """The network on the device; built when it is first asked for."""
        if self._network is None:
            self._check_source()
            subject = self.subject
            torch.manual_seed(subject.seed)
            self._network = subject.plan.place(subject.model.build(subject.shape), subject.device)
        return self._network

    def warm_up(self, batch: int, mode: str) -> dict[str, Any]:
        """Make a forward pass ready and warm: how long the first call took, and how many there were."""
        forward = Forward(self.network, self.images(batch), self.subject.device, self.subject.plan, mode)
        self.forwards[batch, mode] = forward
        return forward.warm_up()

    def round(self, batch: int, mode: str) -> list[float]:
        """Seconds a call, for about a round."""
        return self.forwards[batch, mode].round()

    def operators(self, batch: int) -> dict[str, Any]:
        """Where the time of a training step goes."""
        from archbench.measure import complexity, operator_time  # which need scipy: it takes a launch as long as torch

        subject = self.subject
        network, head = self.network, complexity.head_of(subject.model, subject.shape)
        return dataclasses.asdict(operator_time.measure(network, self.images(batch), head, subject.device, subject.plan))

    def memory(self, batch: int) -> dict[str, dict[str, int]]:
        """Memory of a forward pass and of a training step, for a process that has done nothing else."""
        from archbench.measure import memory

        self._check_source()
        return memory.measure(self.subject.model, self.subject.shape, batch, self.subject.device)

    def _check_source(self) -> None:
        subject = self.subject
        if subject.model.snapshot(subject.shape).source_sha256 != subject.source:
            raise ArchbenchError(f"the code of {subject.model.label} was edited during the run")

    def images(self, batch: int) -> torch.Tensor:
        """A batch of noise in the plan's memory layout."""
        return self.subject.plan.lay_out(self.subject.shape.example(batch, self.subject.device.torch))


QUESTIONS: dict[str, Callable[..., Any]] = {
    "warm_up": Workbench.warm_up,
    "round": Workbench.round,
    "operators": Workbench.operators,
    "memory": Workbench.memory,
}


def answered(bench: Workbench, line: str) -> dict[str, Any]:
    """The answer to a question, or the error that stands for it."""
    details = json.loads(line)
    question = QUESTIONS[details.pop("question")]
    try:
        return {"answer": question(bench, **details)}
    except (Exception, SystemExit) as error:  # whatever the model does becomes its own answer
        bench.subject.device.release_memory()
        return {"error": {"reason": type(error).__name__, "message": brief(error), "out_of_memory": is_out_of_memory(error)}}


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that measures decides
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what the network itself may print is no answer
    threading.Thread(target=end_with, args=(questions.fileno(),), daemon=True).start()
    subject = Subject.from_json(questions.readline())
    torch.set_num_threads(subject.threads)
    bench = Workbench(subject)
    with numerics(subject.plan):
        for line in questions:
            answers.write(json.dumps(answered(bench, line)) + "\n")
            answers.flush()


def end_with(pipe: int) -> None:
    """Wait until nobody can write to a pipe any more, and end this process and all that it started."""
    hung_up = select.poll()
    hung_up.register(pipe, 0)  # the end alone, which is told without being asked for
    hung_up.poll()
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()

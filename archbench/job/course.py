"""How a training came about that several processes had a part in: how long it took in all, and on what each part ran."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

import torch

from archbench import environment
from archbench.job.base import Job
from archbench.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Course:
    """`earlier_s` went by in the processes before this one, which began at `begun`; `parts` has a dict for each, this one's last."""

    job: Job
    begun: float
    earlier_s: float
    parts: list[dict[str, Any]]

    @classmethod
    def of(cls, job: Job, start: Checkpoint | None, step: int, begun: float) -> Course:
        """That of a training that goes on from `start`, which is after `step` steps, in this process."""
        here = {
            "from_step": step,
            "device": job.device.name,
            "threads": torch.get_num_threads(),
            "torch": environment.library_versions()["torch"],
            "git": environment.git_state(),
        }
        return cls(job, begun, start.spent_s if start else 0.0, [*(start.parts if start else []), here])

    def stamped(self, state: Checkpoint) -> Checkpoint:
        """The checkpoint with what is known of its course."""
        spent_s = self.earlier_s + time.perf_counter() - self.begun
        return dataclasses.replace(state, spent_s=spent_s, parts=self.parts, rerun=self.job.rerun, records=self.job.records)

    @property
    def environment(self) -> dict[str, Any]:
        """What a Record's environment says of it: nothing where one process did all."""
        return {"parts": self.parts} if len(self.parts) > 1 else {}

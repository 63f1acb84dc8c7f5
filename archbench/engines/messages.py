"""What goes between the process that gives orders and those that train one network together: plain data, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archbench.data import Origin
from archbench.job import Job


@dataclass(frozen=True)
class Shared:
    """What each of them is given: the Job, where its images are, the results folder."""

    job: Job
    origin: Origin
    root: Path


@dataclass(frozen=True)
class Failed:
    """What went wrong in one of them; `reason` is the type of the error."""

    reason: str
    message: str
    out_of_memory: bool


@dataclass(frozen=True)
class Done:
    """That one has done its part, or has left its checkpoint."""

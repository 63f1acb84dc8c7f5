"""What of the machine each worker has to itself: cores, threads, a GPU."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from archbench import environment
from archbench.device import Device
from archbench.errors import ArchbenchError
from archbench.placing import Placing

TOPOLOGY = Path("/sys/devices/system/cpu")
VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Share:
    """One worker's: the numbers of its cores, none where the system cannot hold a process to some; its threads; what CUDA may see."""

    cores: tuple[int, ...]
    threads: int
    gpu: str | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What its environment says of it."""
        gpu = {VISIBLE: self.gpu} if self.gpu is not None else {}
        return {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads), **gpu}


@dataclass(frozen=True)
class Machine:
    """What there is to share: the numbers of the cores, those that share a core's arithmetic side by side; how many may work at once,
    and on how many threads this process would work; the GPUs as CUDA's variable names them, or one nameless Apple GPU.
    """

    cores: tuple[int, ...]
    at_once: int
    threads: int
    gpus: tuple[str | None, ...] = ()

    @classmethod
    def here(cls, device: Device, asked: str) -> Machine:
        """This machine. Only the GPU that `--device cuda:N` asks for, else all."""
        quota, usable = environment.cpu_quota(), environment.cores_to_use()
        at_once = max(1, min(usable, math.ceil(quota or usable)))
        return cls(_cores(), at_once, min(torch.get_num_threads(), at_once), _gpus(device, asked, os.environ))

    def shares(self, placing: Placing, jobs: int) -> list[Share]:
        """A share for each worker, at most one a Job where the number was not asked for. Raises ArchbenchError for more than there are."""
        workers = self._workers(placing, jobs)
        threads = max(1, self.threads // workers)
        gpus = [self.gpus[number % len(self.gpus)] if self.gpus else None for number in range(workers)]
        return [Share(_part(self.cores, number, workers), threads, gpu) for number, gpu in enumerate(gpus)]

    def _workers(self, placing: Placing, jobs: int) -> int:
        if placing.per_gpu and not self.gpus:
            raise ArchbenchError(f"--engine workers:{placing.workers}/gpu: the device is a CPU; workers:N shares its cores out")
        most = len(self.gpus) or self.at_once
        if placing.workers is None:
            return max(1, min(most, jobs))
        if placing.per_gpu:
            return placing.workers * len(self.gpus)
        if placing.workers > most:
            there = f"{most} {'GPU' if self.gpus else 'core'}{'s' * (most != 1)}"
            more = f", workers:{math.ceil(placing.workers / most)}/gpu puts several runs on one" if self.gpus else ""
            raise ArchbenchError(f"--engine workers:{placing.workers}: there {'is' if most == 1 else 'are'} {there} to share out{more}")
        return placing.workers


def _part(cores: Sequence[int], number: int, workers: int) -> tuple[int, ...]:
    """The cores of one worker: neighbours; one that others have too where there are fewer cores than workers."""
    begin, end = (len(cores) * n // workers for n in (number, number + 1))
    return tuple(cores[begin:end] or cores[begin : begin + 1])


def _cores() -> tuple[int, ...]:
    """The cores that this process may use, two threads of one core side by side; none where the system does not hold a process to them."""
    if not hasattr(os, "sched_setaffinity"):
        return ()
    return tuple(sorted(os.sched_getaffinity(0), key=lambda number: (*_place(number), number)))


def _place(number: int) -> tuple[int, int]:
    """Package and core of a hardware thread; zeros where the system does not tell."""
    files = [TOPOLOGY / f"cpu{number}" / "topology" / name for name in ("physical_package_id", "core_id")]
    package, core = (int(file.read_text()) if file.exists() else 0 for file in files)
    return package, core


def _gpus(device: Device, asked: str, variables: Mapping[str, str]) -> tuple[str | None, ...]:
    if device.kind == "cpu":
        return ()
    if device.kind != "cuda":
        return (None,)
    seen = variables.get(VISIBLE)
    names = [name.strip() for name in seen.split(",")] if seen else [str(number) for number in range(torch.cuda.device_count())]
    return (names[device.index],) if asked.startswith("cuda:") else tuple(names[: torch.cuda.device_count()])

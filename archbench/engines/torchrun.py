"""Trainings one after the other, each on several devices of this machine at once: a process for each device, started by torchrun."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

import torch

from archbench import device as devices
from archbench import environment
from archbench.config import Settings
from archbench.engines.base import TRIES, Engine, work
from archbench.engines.messages import Shared
from archbench.engines.together import DiedError, Together
from archbench.errors import ArchbenchError
from archbench.events import Listener, Notice
from archbench.job import Job, failure
from archbench.measure.process import ModelError
from archbench.plan import Plan
from archbench.records.schema import Record
from archbench.records.store import Store


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

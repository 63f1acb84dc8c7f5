"""What the maps of one training are worth on images whose objects are known: from a Record and settings to a plan of one Job."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from archbench import device as devices
from archbench import environment, evaluating, following
from archbench.config import Settings
from archbench.data import Dataset, markings, request
from archbench.errors import ArchbenchError
from archbench.events import Listener
from archbench.explaining import known
from archbench.job.base import Explaining
from archbench.plan import Plan
from archbench.records.sources import training_of
from archbench.records.store import Store, settled
from archbench.training import transfer
from archbench.training.transfer import Source


def make(beginning: str, asked: Explaining, boxes: Path | None, settings: Settings, store: Store, emit: Listener) -> Plan:
    """The plan to score the maps of the training whose id begins so; `boxes` tell the objects in the files of class folders.

    Raises ArchbenchError before any work is done: where there is no such training, its weights are gone, its code was changed, the network
    cannot bear the method, or the set is not one of objects that are known, or of images of another size.
    """
    following.check((asked.method,))
    source = transfer.with_weights(training_of(beginning, store.root), store)
    store.check_writable()
    environment.git_state()
    if (why := following.refusal(asked.method, *following.explainable(source), asked.layer)) is not None:
        raise ArchbenchError(why)
    asked, dataset = _drawn(asked, source, settings, emit) if boxes is None else _marked(asked, boxes, source, settings, emit)
    job = following.job_of(source, following.part_of(dataset, dataset.name), asked, devices.choose(settings.device), settings.rerun)
    there = None if settings.rerun else settled(store.load()[0]).get(job.key)
    return Plan(() if there else (job,), (there,) if there else (), {dataset.fingerprint: dataset}, () if there else (0.0,))


def _drawn(asked: Explaining, source: Source, settings: Settings, emit: Listener) -> tuple[Explaining, Dataset]:
    following.check_count(asked.n)
    dataset = following.test_set(settings, emit)
    following.check_drawn(source, following.part_of(dataset, dataset.name))
    return asked, dataset


def _marked(asked: Explaining, boxes: Path, source: Source, settings: Settings, emit: Listener) -> tuple[Explaining, Dataset]:
    markings.check(boxes)
    if request(settings, test_only=True).folder is None:
        raise ArchbenchError(
            f"--boxes tells the objects in files of class folders: --dataset NAME=imagefolder:DIR (got {settings.dataset})"
        )
    dataset = evaluating.fitting(source, settings, emit)
    found = known.told(boxes, dataset, asked.n, emit)
    return dataclasses.replace(asked, n=len(found), boxes=boxes.name, known=found), dataset

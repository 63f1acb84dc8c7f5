"""A Job of kind explain: what the maps of a trained network are worth on test images whose objects are known, beside maps of no merit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from archbench.data import Dataset
from archbench.data.preprocessing import as_seen
from archbench.events import Listener
from archbench.explaining import baselines, places
from archbench.explaining.centres import centres
from archbench.explaining.faithfulness import faithfulness
from archbench.explaining.known import Known, drawn
from archbench.explaining.localisation import localise
from archbench.explaining.methods import METHODS, Target
from archbench.explaining.objects import Objects
from archbench.job.base import EXPLAIN_PROTOCOL, Job
from archbench.job.evaluate import attempted, of_training
from archbench.job.outcome import Outcome
from archbench.job.tested import at_chance, folder_of
from archbench.publish import scored
from archbench.publish.laying import Centres
from archbench.publish.scored import Scores
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.training import seeds, transfer
from archbench.training.evaluate import predict

FAITHFUL_IMAGES = 50  # that are covered and uncovered step by step, which takes 27 passes for each source of maps


def explain(job: Job, dataset: Dataset, store: Store, emit: Listener) -> Record:
    """The scores of a training's maps; a failure becomes the Record."""
    return attempted(job, emit, lambda outcome: _explain(job, dataset, store, outcome))


def _explain(job: Job, dataset: Dataset, store: Store, outcome: Outcome) -> None:
    assert job.source is not None and job.explaining is not None and job.data is not None
    network = job.model.build(job.shape)
    transfer.load_whole(network, job.model, job.source, store)
    network = network.eval().to(job.device.torch)
    prepare = transfer.preparation(job.source, store, job.device.torch)
    split = prepare.once(dataset.test.to(job.device.torch))
    test = predict(network, split, prepare, job.plan, job.device, job.source.at_once(job.batch), with_logits=True)
    told = job.explaining.known
    known = told if isinstance(told, Known) else drawn(job.data.name, job.explaining.n)
    explained = dataset.test.take(torch.from_numpy(known.places)).loaded()
    images, labels = (each.to(job.device.torch) for each in (explained.images, explained.labels))
    images = as_seen(prepare, images)
    layer = _layer(job, network, images)
    outcome.config = {**of_training(job.source.record), "explain": _facts(job, layer)}
    by = {source: _scores(network, images, labels, maps, known.objects) for source, maps in _sources(job, network, layer, images, labels)}
    first = np.concatenate([known.places, np.setdiff1d(np.arange(len(test.labels)), known.places)])
    scores = Scores(test.predicted.numpy()[first], test.labels.numpy()[first], first, known.objects.sizes, by)
    outcome.measurements.extend(scored.measurements(scores))
    outcome.warnings.extend(at_chance(test))
    outcome.files.append(store.write_file(folder_of(job) / scored.FILE, scores.write))


def _facts(job: Job, layer: str) -> dict[str, object]:
    """What was explained and how; of the training what decides whether two may stand side by side."""
    assert job.source is not None and job.explaining is not None
    record, asked = job.source.record, job.explaining
    objects = {"boxes": {"name": asked.boxes, "sha256": asked.known.sha256}} if asked.known is not None else {}
    execution, environment = record.config["execution"], record.environment
    return {
        "protocol": EXPLAIN_PROTOCOL,
        "method": asked.method,
        "layer": layer,
        "layer_asked": asked.layer,
        "of": "truth",
        "n": asked.n,
        "n_faithful": min(asked.n, FAITHFUL_IMAGES),
        **objects,
        "training": {
            "record": record.id,
            "key": record.key,
            "group": record.group,
            "batch": record.config["batch"],
            **{name: execution[name] for name in ("precision", "compiled", "deterministic")},
            "device": environment["device"],
            "torch": environment["libraries"]["torch"],
        },
    }


def _layer(job: Job, network: nn.Module, images: torch.Tensor) -> str:
    assert job.explaining is not None
    if job.explaining.method == "occlusion" and job.explaining.layer is None:
        return ""
    return places.target(network, images[:1], job.explaining.layer, job.model.label)


class Maps(NamedTuple):
    """Maps `(N, n, n)` of one source, and where in the image the places along a side look; None where they are equal parts of it."""

    maps: NDArray[np.float32]
    centres: Centres | None


def _sources(job: Job, network: nn.Module, layer: str, images: torch.Tensor, labels: torch.Tensor) -> Iterator[tuple[str, Maps]]:
    """The network's own maps, then those that a method of any merit must beat, by the names of `scored.SOURCES`."""
    own = _maps(job, network, layer, images, labels)
    yield "map", own
    yield "centre", Maps(baselines.centred(len(images), job.shape.image_size), None)
    yield "random", Maps(baselines.drawn(len(images), own.maps.shape[-1], job.seed), own.centres)
    seeds.begin(job.seed, "weights", 1)  # another draw than that which the training began with
    untrained = job.model.build(job.shape).eval().to(job.device.torch)
    yield "untrained", _maps(job, untrained, layer, images, labels)


def _maps(job: Job, network: nn.Module, layer: str, images: torch.Tensor, labels: torch.Tensor) -> Maps:
    """Of each image's own class."""
    assert job.explaining is not None and job.source is not None
    target, part, parts = Target(network, job.model.label, layer), job.source.at_once(job.batch), []
    for some, classes in zip(images.split(part), labels.split(part), strict=True):
        parts.append(METHODS[job.explaining.method](target, some, lambda logits, classes=classes: classes).maps)  # type: ignore[misc]
    return Maps(torch.cat(parts).cpu().numpy(), centres(network, layer, images[:1]) if layer else None)


def _scores(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, maps: Maps, objects: Objects) -> dict[str, NDArray[np.float32]]:
    """By the names of `scored.NAMES`."""
    found = localise(maps.maps, objects, scored.THRESHOLDS, maps.centres)
    some = slice(FAITHFUL_IMAGES)
    faithful = faithfulness(network, images[some], maps.maps[some], labels[some].cpu().numpy(), centres=maps.centres)
    told = {name: getattr(found, name) for name in scored.NAMES if name not in scored.FAITHFUL}
    told |= {name: getattr(faithful, name) for name in scored.FAITHFUL}
    return {name: np.asarray(values).astype(np.float32) for name, values in told.items()}

"""From Records and images to maps: what is to be explained, checked before any work is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from archbench import catalogue, evaluating
from archbench import device as devices
from archbench.config import Settings
from archbench.data.markings import marks
from archbench.data.preprocessing import as_seen
from archbench.device import Device
from archbench.errors import ArchbenchError, unknown
from archbench.events import Listener, Notice
from archbench.explaining import pictures, places, weighing
from archbench.explaining.centres import centres
from archbench.explaining.localisation import localise
from archbench.explaining.marked import marked
from archbench.explaining.methods import METHODS, Found, Target
from archbench.explaining.pictures import Pictures
from archbench.models.isolation import preserved_settings
from archbench.publish.explained import UNKNOWN, Column, Explained
from archbench.publish.laying import equal_parts
from archbench.records.schema import Record
from archbench.records.sources import training_of
from archbench.records.store import Store
from archbench.training import transfer
from archbench.training.transfer import Source

PREDICTED, TRUTH = "predicted", "truth"
BATCH = 64


@dataclass(frozen=True)
class Asked:
    """Which Records, by the beginnings of their ids, and maps of which class: `predicted`, `truth`, or a class by its name.

    The images are the first `n` of a folder, where `boxes` may tell the objects, or of the test split of the settings' data set.
    """

    records: tuple[str, ...]
    method: str
    of: str = PREDICTED
    n: int = 16
    layer: str | None = None
    images: Path | None = None
    boxes: Path | None = None

    def explain(self, settings: Settings, store: Store, emit: Listener) -> Explained:
        """The maps. Raises ArchbenchError in one line for what is not there, does not go together, or cannot be had of a network."""
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        weighing.check_installed(self.method)
        if (self.images is None) == (settings.dataset is None):
            raise ArchbenchError("--images DIR or --dataset NAME says which images are explained, one of the two")
        if self.boxes is not None and self.images is None:
            raise ArchbenchError("--boxes tells the objects in the files of --images DIR; those of shapes are known without")
        if not self.records:
            raise ArchbenchError("archbench explain takes the Record of a training, or several; archbench runs lists ids")
        sources = [_source(each, store) for each in dict.fromkeys(self.records)]
        for source in sources:
            _warn_at_chance(source.record, emit)
        _check_alike(sources)
        class_names = _class_names(sources[0].record)
        if self.of not in (PREDICTED, TRUTH, *class_names):
            raise unknown("class", self.of, [PREDICTED, TRUTH, *class_names])
        device = devices.choose(settings.device)
        chosen = self._pictures(sources[0], class_names, settings, emit)
        if self.of == TRUTH and (chosen.labels == UNKNOWN).any():
            raise ArchbenchError(f"--class {TRUTH}: of an image in {chosen.source} no class is known; folders called as classes tell it")
        columns = tuple(self._column(source, chosen, class_names, device, store, emit) for source in sources)
        images, labels = chosen.images.numpy(), chosen.labels.numpy()
        return Explained(images, labels, chosen.names, class_names, chosen.source, self.method, self.of, columns)

    def _pictures(self, source: Source, class_names: tuple[str, ...], settings: Settings, emit: Listener) -> Pictures:
        if self.images is None:
            dataset = evaluating.fitting(source, settings, emit)
            for how, size in dataset.changes:
                emit(Notice(f"the images of {dataset.name} are not {size}x{size} and were made so: {how}"))
            return pictures.of_dataset(dataset, self.n)
        if source.shape.in_channels not in (1, 3):
            raise ArchbenchError(
                f"--images gives colours or grey, and {source.record.model.label} takes {source.shape.in_channels} channels"
            )
        return pictures.of_folder(self.images, self.n, source.shape, class_names, emit)

    @preserved_settings()
    def _column(
        self, source: Source, chosen: Pictures, class_names: tuple[str, ...], device: Device, store: Store, emit: Listener
    ) -> Column:
        """One network's maps."""
        record = source.record
        model, shape = catalogue.shaped(record.model.label, **dataclasses.asdict(source.shape))
        network = model.build(shape)
        transfer.load_whole(network, model, source, store)
        network = network.eval().to(device.torch)
        prepare = transfer.preparation(source, store, device.torch)
        called = f"{model.label} ({record.id})"
        first = as_seen(prepare, chosen.images[:1].to(device.torch))
        layer = "" if self.method == "occlusion" and self.layer is None else places.target(network, first, self.layer, called)
        target, parts = Target(network, called, layer), []
        part = source.at_once(BATCH)
        for images, labels in zip(chosen.images.split(part), chosen.labels.split(part), strict=True):
            prepared = as_seen(prepare, images.to(device.torch))
            parts.append(METHODS[self.method](target, prepared, self._choice(labels.to(device.torch), class_names)))
        maps, classes, logits = (torch.cat([getattr(part, name) for part in parts]).cpu().numpy() for name in Found._fields)
        looked_at = centres(network, layer, first) if layer else equal_parts(maps.shape[-1], first.shape[-1])
        column = Column(model.label, record.id, layer, maps, logits, classes, looked_at)
        return column if self.boxes is None else self._scored(column, chosen, class_names, emit)

    def _scored(self, column: Column, chosen: Pictures, class_names: tuple[str, ...], emit: Listener) -> Column:
        """What its maps are worth, held against the objects of `boxes`."""
        assert self.images is not None and self.boxes is not None
        size = chosen.images.shape[-1]
        told = marks(self.boxes, chosen.names).of_all(chosen.names)
        objects = marked(told, self.images, chosen.names, column.shown, class_names, size, emit)
        found = vars(localise(column.maps, objects, centres=column.centres))
        return dataclasses.replace(column, found={"box": objects.boxes, **found})

    def _choice(self, labels: torch.Tensor, class_names: tuple[str, ...]) -> Callable[[torch.Tensor], torch.Tensor]:
        """From logits to the class of each map."""
        if self.of == PREDICTED:
            return lambda logits: logits.argmax(1)
        if self.of == TRUTH:
            return lambda logits: labels
        return lambda logits: torch.full_like(labels, class_names.index(self.of))


def _source(beginning: str, store: Store) -> Source:
    """A training and its weights."""
    record = training_of(beginning, store.root)
    if record.status != "ok":
        raise ArchbenchError(f"the training {record.id} ended as {record.status}, so its weights explain nothing")
    source = transfer.with_weights(record, store)
    transfer.check_preparation(source)
    return source


def _warn_at_chance(record: Record, emit: Listener) -> None:
    for doubt in record.warnings:
        if doubt.code == "at_chance":
            emit(Notice(f"{record.model.label} ({record.id}): {doubt.message}, so its maps tell little"))


def _check_alike(sources: list[Source]) -> None:
    """Raise ArchbenchError unless all Records see the same images and know the same classes."""
    first = sources[0]
    for other in sources[1:]:
        if other.shape != first.shape:
            takes = [f"{each.record.id} takes {each.shape.size} of {each.shape.num_classes} classes" for each in (first, other)]
            raise ArchbenchError(f"the Records of one sheet see the same images: {' and '.join(takes)}")
        if _class_names(other.record) != _class_names(first.record):
            raise ArchbenchError(f"the Records of one sheet know the same classes: {first.record.id} and {other.record.id} do not")


def _class_names(record: Record) -> tuple[str, ...]:
    """As the training had them; numbers where its Record does not tell."""
    return tuple(record.config.get("classes") or map(str, range(record.model.num_classes)))

"""What a training leaves for other work: its weights and how images are prepared for them.

The weights are taken whole, or as the frozen layers of another network: DeCAF's features come from an AlexNet that a Record tells of.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from archbench.data.preprocessing import ContrastAndZca, Normaliser, Preprocessing
from archbench.errors import ArchbenchError, brief
from archbench.models import Input, Model, entries
from archbench.records.schema import Record, StoredFile
from archbench.records.store import FILES, WHITENING, Store
from archbench.training.checkpoint import torch_bytes

WEIGHTS = "weights.pt"


@dataclass(frozen=True)
class Source:
    """A finished training, the file of its final weights, and the one that tells how its images were whitened, where one was kept."""

    record: Record
    file: StoredFile
    whitening: StoredFile | None = None

    def at_once(self, batch: int) -> int:
        """Of a batch, how many images go through the network at once: no more than did while it was trained."""
        return min(batch, self.record.config.get("micro_batch") or batch)

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """What it takes to use the network elsewhere."""
        return (self.file, *([self.whitening] if self.whitening is not None else []))

    @property
    def shape(self) -> Input:
        """What its network was built for."""
        made = self.record.model
        return Input(made.num_classes, made.in_channels, made.image_size)


def source_of(model: Model, shape: Input, store: Store) -> Source:
    """The Record that a model's `source` knob names. Raises ArchbenchError unless it is a training whose weights fit."""
    wanted = model.spec.frozen_from
    how = f"archbench train --models {wanted} makes one, archbench tables --json gives its id"
    if model.source is None:
        raise ArchbenchError(f"{model.name} trains on the frozen features of a trained {wanted}: {model.name}+source=RECORD_ID; {how}")
    source = weights_in(store, model.source)
    record = source.record
    if record.kind != "train" or record.model.name != wanted or record.model.knobs or record.status != "ok":
        raise ArchbenchError(f"{model.label}: {model.source} is no finished training of {wanted} but {record.model.label} ({record.kind})")
    if source.shape.size != shape.size:
        raise ArchbenchError(f"{model.label}: its source was trained on images of {source.shape.size}, not {shape.size}")
    return source


def weights_in(store: Store, record_id: str) -> Source:
    """A Record of the store and its final weights. Raises ArchbenchError where either is not there."""
    record = next((record for record in store.load()[0] if record.id == record_id), None)
    if record is None:
        raise ArchbenchError(f"{store.root} holds no Record {record_id}; archbench tables --json lists the ids")
    return with_weights(record, store)


def with_weights(record: Record, store: Store) -> Source:
    """A Record and its final weights. Raises ArchbenchError where these are not beside it."""
    there = {Path(file.path).name: file for file in record.files if (store.root / file.path).is_file()}
    if WEIGHTS not in there:
        raise ArchbenchError(f"the final weights of {record.id} are not beside the Record in {store.root}")
    return Source(record, there[WEIGHTS], next((file for name, file in there.items() if name.startswith(WHITENING)), None))


def keep_whitening(store: Store, prepare: Preprocessing) -> Iterator[StoredFile]:
    """Keep how images were whitened, where they were, under the file's own hash: trainings whose images were whitened alike share it."""
    if values := {name: tensor.cpu().contiguous() for name, tensor in prepare.state().items()}:
        content = torch_bytes(values)
        name = f"{WHITENING}{hashlib.sha256(content).hexdigest()[:16]}.pt"
        yield store.write_file(Path(FILES) / name, lambda file: file.write(content))


def check_preparation(source: Source) -> None:
    """Raise ArchbenchError where nothing tells how other images can be made what a training's network saw."""
    told = source.record.config.get("normalisation")
    described = isinstance(told, dict) and set(told) == {"mean", "deviation"}
    if not described and source.whitening is None:
        how = "does not tell how its images were normalised" if told is None else "whitened its images by a matrix that is not kept"
        raise ArchbenchError(f"the Record {source.record.id} {how}, so no others can be prepared for its weights")


def preparation(source: Source, store: Store, device: torch.device) -> Preprocessing:
    """What other images go through before a training's network sees them. Raises ArchbenchError where that is not known."""
    check_preparation(source)
    told = source.record.config["normalisation"]
    if source.whitening is not None:
        values = _values(source.whitening, source.record, store)
        prepare = ContrastAndZca(values["mean"].to(device), values["matrix"].to(device))
        if prepare.described() != told:
            raise ArchbenchError(f"the images of {source.record.id} were whitened by another rule than this version has: {told}")
        return prepare
    return Normaliser(torch.tensor(told["mean"]), torch.tensor(told["deviation"]), device)


def take(network: nn.Module, source: Source, store: Store) -> None:
    """Load the source's weights into the frozen layers. Raises ArchbenchError when the file is not the one that the Record names."""
    state = _values(source.file, source.record, store)
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    if missing := sorted(frozen - set(state)):
        raise ArchbenchError(f"the weights of {source.record.id} are of another version: they have no {missing[0]}")
    network.load_state_dict({**network.state_dict(), **{name: state[name] for name in frozen}})


def load_whole(network: nn.Module, model: Model, source: Source, store: Store) -> None:
    """Give a network the final weights of a training of the same model. Raises ArchbenchError where they are of another."""
    if source.record.model.label != model.label:
        raise ArchbenchError(f"the Record {source.record.id} is of {source.record.model.label}, not of {model.label}")
    check_code(model, source.record)
    try:
        network.load_state_dict(_values(source.file, source.record, store))
    except RuntimeError as error:
        raise ArchbenchError(f"the weights of {source.record.id} are of another version of {model.label}: {brief(error)}") from None


def check_code(model: Model, record: Record) -> None:
    """Raise ArchbenchError where the code here builds another network than the one that was trained."""
    if record.model.source_sha256 != entries.entry(model.name).source_sha256:
        raise ArchbenchError(f"the code of {model.label} was changed after the training of {record.id}, so its weights may not fit")


def _values(file: StoredFile, record: Record, store: Store) -> dict[str, torch.Tensor]:
    """Stored tensors by name. Raises ArchbenchError when the file is not the one that the Record names."""
    content = (store.root / file.path).read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ArchbenchError(f"{file.path} is not the file that Record {record.id} names: its hash differs")
    values: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), weights_only=True)
    return values

"""A network as a file that other programs run: `torch.export`'s program, or ONNX."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from archbench import catalogue
from archbench.errors import ArchbenchError, brief, unknown
from archbench.models import Input, Model
from archbench.records.store import Store, write_atomically
from archbench.training import transfer

ONNX_NEEDS = ("onnx", "onnxscript")
EXAMPLE_BATCH = 2  # two, since the exporter takes a batch of one for a constant


def program(network: nn.Module, shape: Input) -> torch.export.ExportedProgram:
    """The network in evaluation mode as one graph that takes any batch size."""
    batch = {0: torch.export.Dim.DYNAMIC}
    try:
        return torch.export.export(network.eval(), (shape.example(EXAMPLE_BATCH),), dynamic_shapes=(batch,))
    except Exception as error:  # the exporter has many kinds of its own for a network that it cannot trace
        raise ArchbenchError(f"torch.export cannot trace this network: {type(error).__name__}: {brief(error)}") from error


def write_torch(network: nn.Module, shape: Input, notes: Mapping[str, str], file: IO[bytes]) -> None:
    """What `torch.export.load` reads; the notes are extra files in it."""
    buffer = io.BytesIO()
    torch.export.save(program(network, shape), buffer, extra_files=dict(notes))
    file.write(buffer.getvalue())


def write_onnx(network: nn.Module, shape: Input, notes: Mapping[str, str], file: IO[bytes]) -> None:
    """An ONNX model with its weights inside; input `images` `(batch, C, H, W)`, output `logits`; the notes are its metadata."""
    missing = [name for name in ONNX_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ArchbenchError(f"--format onnx needs {missing[0]}: pip install 'archbench[onnx]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own parts
        made: Any = torch.onnx.export(
            program(network, shape), dynamo=True, optimize=True, verbose=False, input_names=["images"], output_names=["logits"]
        )
    proto = made.model_proto
    for key, value in notes.items():
        proto.metadata_props.add(key=key, value=value)
    file.write(proto.SerializeToString())


FORMATS: dict[str, Callable[[nn.Module, Input, Mapping[str, str], IO[bytes]], None]] = {"onnx": write_onnx, "torch": write_torch}


@dataclass(frozen=True)
class Asked:
    """Which network: a model's name, the Record whose weights it takes, and an input where it is not the Record's or the paper's."""

    model: str
    record: str | None = None
    num_classes: int | None = None
    in_channels: int | None = None
    image_size: int | None = None

    def build(self, store: Store) -> tuple[nn.Module, Input, dict[str, str]]:
        """The network, with the Record's weights or those that seed 0 draws, its input, and notes for the file: of which Record, and
        how its training normalised images. Raises ArchbenchError for what is not there.
        """
        if self.record is None:
            model, shape = catalogue.shaped(self.model, self.num_classes, self.in_channels, self.image_size)
            if model.spec.frozen_from:
                raise ArchbenchError(f"{model.name} is exported with the weights of a training: --record ID")
            return _drawn(model, shape), shape, {}
        if (self.num_classes, self.in_channels, self.image_size) != (None, None, None):
            raise ArchbenchError(f"the Record {self.record} gives the input; leave --classes, --channels and --image-size out")
        source = transfer.weights_in(store, self.record)
        model, shape = catalogue.shaped(self.model, **dataclasses.asdict(source.shape))
        network = _drawn(model, shape)
        transfer.load_whole(network, model, source, store)
        told = source.record.config
        normalisation = dict(told.get("normalisation") or {})
        if source.whitening is not None:
            normalisation |= {"file": source.whitening.path, "file_sha256": source.whitening.sha256}
        notes = {"normalisation_of_bytes": json.dumps(normalisation), "classes": json.dumps(told.get("classes"))}
        return network, shape, {"archbench_record": self.record, **notes}


def _drawn(model: Model, shape: Input) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model.build(shape)


def export(asked: Asked, store: Store, form: str, out: Path) -> None:
    """Write a network to a file, whole or not at all. Raises ArchbenchError for an unknown format or a file that cannot be written."""
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    if out.is_dir():
        raise ArchbenchError(f"{out} is a folder; --out names the file to write")
    if not out.parent.is_dir():
        raise ArchbenchError(f"there is no folder {out.parent} to write {out.name} in")
    network, shape, notes = asked.build(store)
    write_atomically(out, lambda file: FORMATS[form](network, shape, notes, file))

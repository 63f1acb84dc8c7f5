"""A network as a file that other programs run: `torch.export`'s program, or ONNX."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from archbench.errors import ArchbenchError, unknown
from archbench.models import Input
from archbench.records.store import write_atomically

ONNX_NEEDS = ("onnx", "onnxscript")
EXAMPLE_BATCH = 2  # two, since the exporter takes a batch of one for a constant


def program(network: nn.Module, shape: Input) -> torch.export.ExportedProgram:
    """The network in evaluation mode as one graph that takes any batch size."""
    batch = {0: torch.export.Dim.DYNAMIC}
    return torch.export.export(network.eval(), (shape.example(EXAMPLE_BATCH),), dynamic_shapes=(batch,))


def write_torch(network: nn.Module, shape: Input, file: IO[bytes]) -> None:
    """What `torch.export.load` reads."""
    buffer = io.BytesIO()
    torch.export.save(program(network, shape), buffer)
    file.write(buffer.getvalue())


def write_onnx(network: nn.Module, shape: Input, file: IO[bytes]) -> None:
    """An ONNX model with its weights inside; input `images` `(batch, C, H, W)`, output `logits`."""
    missing = [name for name in ONNX_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ArchbenchError(f"--format onnx needs {missing[0]}: pip install 'archbench[onnx]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on its own parts
        made: Any = torch.onnx.export(
            program(network, shape), dynamo=True, optimize=True, verbose=False, input_names=["images"], output_names=["logits"]
        )
    file.write(made.model_proto.SerializeToString())


FORMATS: dict[str, Callable[[nn.Module, Input, IO[bytes]], None]] = {"onnx": write_onnx, "torch": write_torch}


def export(network: nn.Module, shape: Input, form: str, out: Path) -> None:
    """Write a network to a file, whole or not at all. Raises ArchbenchError for an unknown format or a file that cannot be written."""
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    if out.is_dir():
        raise ArchbenchError(f"{out} is a folder; --out names the file to write")
    if not out.parent.is_dir():
        raise ArchbenchError(f"there is no folder {out.parent} to write {out.name} in")
    write_atomically(out, lambda file: FORMATS[form](network, shape, file))

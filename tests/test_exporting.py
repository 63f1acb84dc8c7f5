"""Every network as a program of torch.export and as ONNX; one pass of a model makes both, since tracing is what takes the time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import zoo
from archbench.errors import ArchbenchError
from archbench.exporting import Asked, export
from archbench.models import Input, Model
from archbench.records.store import Store

TOLERANCE = 1e-4
BATCH = 3  # not the batch it was traced with


def small(name: str) -> Input:
    spec = zoo.get(name)
    return Input(10, spec.input_shape[0], max(spec.min_size, 16 if spec.input_shape[1] <= 32 else 64))


def check(name: str, folder: Path) -> None:
    shape = small(name)
    torch.manual_seed(0)
    network = Model(name).build(shape).eval()
    images = torch.randn(BATCH, shape.in_channels, shape.image_size, shape.image_size)
    with torch.inference_mode():
        expected = network(images).numpy()
    for form, file in (("torch", "net.pt2"), ("onnx", "net.onnx")):
        export(Asked(name, None, shape.num_classes, shape.in_channels, shape.image_size), Store(folder), form, folder / file)
    with torch.inference_mode():
        assert np.allclose(torch.export.load(folder / "net.pt2").module()(images).numpy(), expected, atol=TOLERANCE)
    session = onnxruntime.InferenceSession(folder / "net.onnx", providers=["CPUExecutionProvider"])
    assert np.allclose(session.run(["logits"], {"images": images.numpy()})[0], expected, atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_exported_programs_give_the_same_logits(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)


def test_nin_as_onnx_and_as_a_torch_program(tmp_path: Path) -> None:
    check("nin", tmp_path)


@pytest.mark.parametrize(
    ("form", "out", "message"),
    [
        ("onx", "net.onnx", "unknown format 'onx'; did you mean 'onnx'"),
        ("torch", ".", "is a folder; --out names the file to write"),
        ("torch", "nowhere/net.pt2", "there is no folder"),
    ],
)
def test_what_cannot_be_written_is_one_line_and_leaves_nothing(form: str, out: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match=message):
        export(Asked("nin_tiny", image_size=8), Store(tmp_path), form, tmp_path / out)
    assert list(tmp_path.iterdir()) == []

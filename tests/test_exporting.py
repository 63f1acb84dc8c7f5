"""Networks of every kind as programs of torch.export and as ONNX; one pass of a model makes both, since tracing is what takes the time."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import enlivened

import zoo
from archbench import exporting
from archbench.errors import ArchbenchError
from archbench.exporting import FORMATS, Asked, export
from archbench.models import Input, Model
from archbench.records.store import Store

# of the largest logit: float32 is off float64 by up to 9e-5 in networks of many layers, and two float32 programs by both of theirs
TOLERANCE = 3e-4
# a ReLU behind each of 54 sums: the runtime folds norms into convolutions, and what it rounds otherwise grows from block to block
TOLERANCES = {"resnet_bottleneck_164": 1e-3}
# ImageNet's forms have stems that small images do without, of three kinds; senet_164 has the blocks of preresnet_164 and senet
WITH_STEMS = {"nin_imagenet", "inception_v3_imagenet", "resnet_bottleneck_imagenet"}
PARTS_ELSEWHERE = {"senet_164"}
BATCH = 3  # not the batch it was traced with


def one_of_a_kind() -> list[str]:
    """The first network of each family and line of descent: deeper and wider ones are made of the same operations."""
    small_ones = [name for name in zoo.names() if "imagenet" not in name]
    kinds = {(zoo.get(name).family, zoo.get(name).parents): name for name in reversed(small_ones)}
    return sorted({*kinds.values(), *WITH_STEMS} - PARTS_ELSEWHERE)


def small(name: str) -> Input:
    spec = zoo.get(name)
    return Input(10, spec.input_shape[0], max(spec.min_size, 16 if spec.input_shape[1] <= 32 else 64))


def check(name: str, folder: Path) -> None:
    """Both files give the logits of the network that a Record's weights would make: here one whose logits depend on the image."""
    shape = small(name)
    images = torch.randn(BATCH, shape.in_channels, shape.image_size, shape.image_size, generator=torch.Generator().manual_seed(0))
    network = enlivened(Model(name).build(shape), images)
    with torch.inference_mode():
        expected = network(images).numpy()
    tolerance = TOLERANCES.get(name, TOLERANCE) * max(1.0, float(np.abs(expected).max()))
    for form, file in (("torch", "net.pt2"), ("onnx", "net.onnx")):
        with (folder / file).open("wb") as target:
            FORMATS[form](network, shape, {}, target)
    with torch.inference_mode():
        assert np.allclose(torch.export.load(folder / "net.pt2").module()(images).numpy(), expected, atol=tolerance)
    session = onnxruntime.InferenceSession(folder / "net.onnx", providers=["CPUExecutionProvider"])
    assert np.allclose(session.run(["logits"], {"images": images.numpy()})[0], expected, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("name", one_of_a_kind())
def test_exported_programs_give_the_same_logits(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced once for both files, which is a third of the time; that each traces by itself is seen of NIN below."""
    monkeypatch.setattr(exporting, "program", functools.cache(exporting.program))
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


def test_a_file_that_is_there_stays_when_the_export_fails(tmp_path: Path) -> None:
    """A network that asks for a value cannot be traced; one line says so."""
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n\n\n"
        "class Asks(nn.Linear):\n    def forward(self, x):\n        return super().forward(x.flatten(1)) * float(x.sum().item() > 0)\n\n\n"
        "def asks(num_classes):\n    return Asks(3 * 32 * 32, num_classes)\n"
    )
    out = tmp_path / "net.pt2"
    out.write_text("before")
    with pytest.raises(ArchbenchError, match=r"torch.export cannot trace this network") as caught:
        export(Asked(f"{tmp_path / 'nets.py'}:asks"), Store(tmp_path), "torch", out)
    assert "\n" not in str(caught.value)
    assert out.read_text() == "before"


def test_decaf_is_exported_with_trained_weights_only(tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match="is exported with the weights of a training: --record ID"):
        export(Asked("decaf"), Store(tmp_path), "torch", tmp_path / "net.pt2")

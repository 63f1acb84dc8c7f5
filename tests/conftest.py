"""What several test modules share."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from archbench.records.schema import Measurement, ModelSnapshot, Record, seal
from archbench.records.store import Store

CommandLine = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def archbench(tmp_path: Path) -> CommandLine:
    """Runs `python -m archbench ...` in an empty folder, as a user does; `width` sets the terminal's columns."""

    def run(*arguments: str, width: int = 80) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": str(width)}
        command = [sys.executable, "-m", "archbench", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)

    return run


class Answer(NamedTuple):
    """What a command left: its exit status, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs `archbench ...` in this process and in an empty folder, which spares the start of another."""
    from archbench.cli import app

    def run(*arguments: str) -> Answer:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["archbench", *arguments])
        capsys.readouterr()
        return Answer(app._status(), *capsys.readouterr())

    return run


def enlivened(network: nn.Module, images: torch.Tensor, seed: int = 0) -> nn.Module:
    """The network in evaluation mode with weights that let every image be told from every other.

    With a framework's initial weights many deep networks answer nearly the same to all images, so that a comparison of logits would not
    see the body. Here each convolution and linear layer keeps the size of what passes it (He et al. 2015), biases and scales are drawn
    too, and norms take the statistics of `images`. The logits are checked to differ between the images.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1 and parameter.numel() > len(parameter):
                parameter.copy_(noise * math.sqrt(2 / parameter[0].numel()))
            elif name.endswith("bias"):
                parameter.copy_(0.05 * noise)
            else:
                parameter.copy_(0.4 + 0.04 * noise)  # scales of norms and of residual paths; at 1, rounding grows from block to block
        _settle_norms(network, images)
        logits = network.eval()(images)
    assert logits.std(0).mean() > 1e-3 * logits.abs().max(), "the logits hardly differ between images: comparing them proves nothing"
    return network


def _settle_norms(network: nn.Module, images: torch.Tensor) -> None:
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in norms]
    network.eval()
    for layer in norms:
        layer.momentum = 1.0
        layer.train()
    network(images)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def save_image(path: Path, seed: int = 0, size: tuple[int, int] = (40, 36), mode: str = "RGB") -> None:
    """An image of noise in any of Pillow's modes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(noise).convert(mode).save(path)


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Two classes, six training and two test images each."""
    root = tmp_path / "images"
    for split, count in (("train", 6), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            for index in range(count):
                save_image(root / split / name / f"{index}.png", seed=100 * label + index)
    return root


def from_source(model: str, sha256: str) -> Record:
    """A Record of a training whose network was built by code of this hash."""
    record = make_record(model)
    return record.model_copy(update={"model": record.model.model_copy(update={"source_sha256": sha256})})


def make_record(model: str = "nin", kind: str = "train", seed: int = 0, error_pct: float | None = 10.0, **changes: object) -> Record:
    """A Record as a run would leave it, with figures of our choosing."""
    data = {"name": "digits", "fingerprint": "f", "train_images": 1437, "test_images": 360, "train_fraction": 1.0, "val_fraction": 0.0}
    execution = {"precision": "fp32", "compiled": False, "deterministic": False, "memory_format": "contiguous"}
    training = {"name": "modern", "epochs": 8} if kind in ("train", "explain") else None
    rows = [Measurement(name="test_error_pct", value=error_pct, low=7.3, high=13.5, n=360, method="wilson")] if kind == "train" else []
    fields: dict[str, object] = {
        "key": f"{model}-{kind}-{seed}",
        "group": f"{model}-{kind}",
        "kind": kind,
        "status": "ok",
        "created": f"2026-01-01T00:00:{seed:02d}.000+00:00",
        "duration_s": 1.0,
        "model": ModelSnapshot(
            label=model,
            name=model,
            knobs={},
            source_sha256="s",
            num_classes=10,
            in_channels=1,
            image_size=32,
            spec={"title": model.upper(), "year": 2013, "head_kind": "gap"},
        ),
        "config": {
            "protocol": 1,
            "seed": seed,
            "batch": 32,
            "execution": execution,
            "recipe": {"name": "modern"},
            "training": training,
            "data": data,
            **(of_maps(data, execution) if kind == "explain" else {}),
        },
        "environment": {
            "archbench": "0.1.0",
            "libraries": {"torch": "2.9"},
            "device": {"kind": "cpu", "name": "a processor"},
            "threads": 2,
        },
        "measurements": tuple(rows),
        **changes,
    }
    return seal(**fields)


def of_maps(data: dict[str, object], execution: dict[str, object]) -> dict[str, object]:
    """What the config of scored maps holds beside that of a training."""
    learned = {name: execution[name] for name in ("precision", "compiled", "deterministic")}
    training = {**learned, "record": "r", "batch": 32, "torch": "2.9", "device": {"kind": "cpu", "name": "c"}}
    explain = {"method": "gradcam", "layer_asked": None, "n": 300, "n_faithful": 50, "training": training}
    return {"trained_on": data, "weights": {"record": "r"}, "explain": explain}


def make_tested(root: Path, model: str, wrong: np.ndarray, labels: np.ndarray, **changes: object) -> list[Record]:
    """Records with predictions beside them: a seed for each row of `wrong`, whose images are taken for the next of ten classes."""
    records = []
    for seed, row in enumerate(wrong):
        arrays = {"predicted": np.where(row, (labels + 1) % 10, labels).astype(np.uint16), "label": labels.astype(np.uint16)}
        path = Path("files") / f"{model}-{seed}" / "predictions.npz"
        stored = Store(root).write_file(path, lambda file, arrays=arrays: np.savez_compressed(file, **arrays))  # type: ignore[misc]
        records.append(make_record(model, seed=seed, error_pct=100 * float(row.mean()), files=(stored,), **changes))
    return records


def make_member(
    name: str,
    year: int = 2014,
    parents: tuple[str, ...] = (),
    counts: Mapping[str, Mapping[str, float]] | None = None,
    forward_s: Mapping[str, float] | None = None,
    backward_s: Mapping[str, float] | None = None,
    rows: Iterable[Measurement] = (),
    model: Mapping[str, object] | None = None,
    **changes: object,
) -> Record:
    """A profile of a member of the lineage: counts (`params`, `macs`, `activations`) and seconds of both passes by operator class."""
    measured = []
    for quantity, by_class in (counts or {}).items():
        measured.append(Measurement(name=quantity, value=sum(by_class.values()), method="m"))
        measured += [Measurement(name=quantity, value=each, method="m", at={"operator_class": kind}) for kind, each in by_class.items()]
    for phase, times in (("forward", forward_s or {}), ("backward", backward_s or {})):
        at = {"phase": phase, "batch": 32}
        measured += [Measurement(name="time_s", value=each, method="m", at={**at, "operator_class": kind}) for kind, each in times.items()]
    spec = {"title": name.upper(), "year": year, "head_kind": "gap", "parents": parents, "takes": f"What {name} took."}
    record = make_record(name, "profile", measurements=(*measured, *rows), **changes)
    return seal(**{**record.model_dump(exclude={"id"}), "model": {**record.model.model_dump(), "spec": spec, **(model or {})}})

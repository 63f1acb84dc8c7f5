"""Weights from elsewhere: DeCAF's frozen features from a trained AlexNet, and a test of published weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import enlivened, save_image
from PIL import Image
from torchvision import models

import archbench
from archbench.config import Settings
from archbench.data import load, request
from archbench.data.dataset import stratified
from archbench.errors import ArchbenchError
from archbench.events import ignore
from archbench.models import Input, parse, pretrained
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.training import transfer

DIGITS = Input(10, 1, 32)
QUICK = {"limit_train": 64, "epochs": 1, "precision": "fp32", "deterministic": True}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """A store with a trained alexnet."""
    folder = tmp_path_factory.mktemp("store")
    (record,) = archbench.train(models="alexnet", results=folder, **QUICK)
    return folder, record


def weights(folder: Path, record: Record) -> dict[str, torch.Tensor]:
    file = next(file for file in record.files if file.path.endswith("weights.pt"))
    state: dict[str, torch.Tensor] = torch.load(folder / file.path, weights_only=True)
    return state


@pytest.mark.parametrize("recipe", ["modern", "fast"])
def test_decaf_learns_on_features_that_stay_as_they_were_trained(recipe: str, trained: tuple[Path, Record]) -> None:
    """`fast` whitens first layers, and not one that is frozen."""
    folder, source = trained
    (record,) = archbench.train(models=f"decaf+source={source.id}", recipe=recipe, results=folder, **QUICK)
    assert record.status == "ok"
    assert record.model.knobs == {"source": source.id}
    before, after = weights(folder, source), weights(folder, record)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"head.5.weight", "head.5.bias"}


@pytest.mark.parametrize(
    ("shape", "message"),
    [(Input(10, 3, 32), "its source was trained on images of 1x32x32, not 3x32x32"), (Input(10, 1, 28), "not 1x28x28")],
)
def test_a_source_that_does_not_fit_is_refused(shape: Input, message: str, trained: tuple[Path, Record]) -> None:
    folder, source = trained
    with pytest.raises(ArchbenchError, match=message):
        transfer.source_of(parse([f"decaf+source={source.id}"])[0], shape, Store(folder))


def test_a_source_must_be_a_trained_alexnet(trained: tuple[Path, Record]) -> None:
    folder, _ = trained
    (other,) = archbench.train(models="lenet", results=folder, **QUICK)
    with pytest.raises(ArchbenchError, match="is no finished training of alexnet but lenet"):
        transfer.source_of(parse([f"decaf+source={other.id}"])[0], DIGITS, Store(folder))


def test_weights_that_were_changed_on_disk_are_refused(trained: tuple[Path, Record], tmp_path: Path) -> None:
    folder, source = trained
    found = transfer.weights_in(Store(folder), source.id)
    copy = tmp_path / found.file.path
    copy.parent.mkdir(parents=True)
    copy.write_bytes((folder / found.file.path).read_bytes()[:-1])
    with pytest.raises(ArchbenchError, match="its hash differs"):
        transfer.take(parse(["decaf"])[0].build(DIGITS), found, Store(tmp_path))


def test_a_group_leaves_out_what_needs_a_source(tmp_path: Path) -> None:
    records = archbench.train(models="deca*,lenet", results=tmp_path, **QUICK)
    assert [record.model.name for record in records] == ["lenet"]


def test_a_trained_network_is_exported_with_its_weights(trained: tuple[Path, Record], tmp_path: Path) -> None:
    folder, source = trained
    archbench.export("alexnet", tmp_path / "net.pt2", form="torch", record=source.id, results=folder)
    notes = {"archbench_record": "", "normalisation_of_bytes": ""}
    program = torch.export.load(tmp_path / "net.pt2", extra_files=notes)
    assert notes["archbench_record"] == source.id
    assert json.loads(notes["normalisation_of_bytes"]) == source.config["normalisation"]
    assert torch.equal(program.state_dict["head.5.bias"], weights(folder, source)["head.5.bias"])
    with pytest.raises(ArchbenchError, match="is of alexnet, not of lenet"):
        archbench.export("lenet", tmp_path / "net.pt2", form="torch", record=source.id, results=folder)


@pytest.fixture
def small_imagenet(tmp_path: Path) -> Path:
    """ImageNet's layout with an image of odd size for each of a thousand classes, and none to train on."""
    for label in range(1000):
        save_image(tmp_path / "imagenet" / "val" / f"n{label:08d}" / "0.JPEG", seed=label, size=(40 + label % 7, 60))
    return tmp_path


def test_published_weights_say_what_they_say_in_their_own_library(small_imagenet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn weights in the published file's place; torchvision's network, transforms and class order give the same predictions."""
    folder, size = small_imagenet, 64
    theirs = enlivened(models.squeezenet1_1(weights=None), torch.randn(4, 3, size, size))
    published = models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    (folder / "checkpoints").mkdir()
    torch.save(theirs.state_dict(), folder / "checkpoints" / Path(published.url).name)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder))
    monkeypatch.setattr(pretrained, "verified", lambda file: file)
    asked = {"models": "squeezenet1_1", "dataset": "imagenet", "image_size": size, "data_dir": folder, "results": folder / "r"}
    (record,) = archbench.train(pretrained=True, precision="fp32", **asked)
    assert (record.kind, record.status) == ("imported", "ok")
    assert record.config["weights"]["tag"] == "IMAGENET1K_V1"
    transform = published.transforms(crop_size=size, resize_size=round(size * 256 / 224))
    files = sorted((folder / "imagenet" / "val").glob("*/*.JPEG"))
    with torch.inference_mode():
        expected = theirs(torch.stack([transform(Image.open(file)) for file in files])).argmax(1)
    predictions = np.load(folder / "r" / record.files[0].path)
    assert predictions["label"].tolist() == list(range(1000))
    assert (predictions["predicted"] == expected.numpy()).mean() > 0.99  # near ties may fall otherwise
    assert [row.id for row in archbench.train(pretrained=True, precision="fp32", **asked)] == [record.id]


def test_a_record_says_how_bytes_were_normalised(trained: tuple[Path, Record]) -> None:
    """The mean and deviation of the 64 training images, as bytes of one channel."""
    _, record = trained
    (mean,), (deviation,) = record.config["normalisation"]["mean"], record.config["normalisation"]["deviation"]
    images = load(request(Settings.of()), ignore).train
    seen = images.take(stratified(images.labels, 64, seed=0)).images.double()
    assert mean == pytest.approx(seen.mean().item(), rel=1e-5)
    assert deviation == pytest.approx(seen.std(correction=0).item(), rel=1e-5)


def test_folders_that_are_not_imagenets_classes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named 0 to 999 they would sort as 0, 1, 10, and no label would be right."""
    for label in range(1000):
        save_image(tmp_path / "imagenet" / "val" / str(label) / "0.JPEG", size=(8, 8))
    monkeypatch.setattr(pretrained, "load", lambda *_: None)
    with pytest.raises(ArchbenchError, match="must be the 1000 classes, n01440764 and so on"):
        archbench.train(
            models="squeezenet1_1", pretrained=True, dataset="imagenet", image_size=32, data_dir=tmp_path, results=tmp_path / "r"
        )


@pytest.mark.parametrize("setting", [{"epochs": 3}, {"limit_train": 64}, {"compile": True}])
def test_settings_of_a_training_mean_nothing_to_published_weights(setting: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match="--pretrained trains nothing"):
        archbench.train(models="resnet50", pretrained=True, dataset="imagenet", results=tmp_path, **setting)

"""Kept weights on another data set's test split."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import archbench
from archbench import evaluating, exporting
from archbench.config import Settings
from archbench.data import Dataset, Split, load, request
from archbench.engines.task import Luggage
from archbench.errors import ArchbenchError
from archbench.events import ignore
from archbench.explaining.asked import Asked
from archbench.publish.results import tables
from archbench.records.schema import Record, seal
from archbench.records.store import Store


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """A store with a trained lenet, and its Record."""
    folder = tmp_path_factory.mktemp("store")
    (record,) = archbench.train(models="lenet", results=folder, limit_train=320, epochs=6, precision="fp32", deterministic=True)
    return folder, record


def figures(record: Record) -> dict[str, float | None]:
    return {row.name: row.value for row in record.measurements if row.name.startswith("test_")}


def test_the_trainings_own_set_gives_its_own_figures_in_a_record_of_its_own(trained: tuple[Path, Record]) -> None:
    """The deviation was stored as the reciprocal of what multiplies, so likelihoods may differ in the last bits, errors not."""
    folder, source = trained
    tested = archbench.evaluate(source.id[:6], dataset="digits", results=folder)
    assert (tested.kind, tested.status, tested.config["weights"]["record"]) == ("evaluated", "ok", source.id)
    assert len(figures(source)) == 4
    assert figures(tested) == pytest.approx(figures(source), rel=1e-4)
    assert archbench.evaluate(source.id, dataset="digits", results=folder) == tested
    assert archbench.evaluate(source.id, dataset="digits", results=folder, rerun=True).key == tested.key
    captions = [table.caption for table in tables([source, tested])]
    assert len(captions) == 2
    assert "360 test images) · weights trained on digits, recipe modern, epochs 6" in captions[1]


def test_images_are_whitened_as_the_trainings_were(tmp_path: Path) -> None:
    """The matrix lies in the store once for two seeds of the same images; other images go through it before the network sees them."""
    asked = {"recipe": "paper", "epochs": 1, "results": tmp_path}
    first, second = archbench.train(models="lenet", seeds="0,1", **asked)
    (stored,), (other,) = ([file for file in each.files if "whitening" in file.path] for each in (first, second))
    assert stored == other
    assert len(list((tmp_path / "files").glob("whitening-*.pt"))) == 1
    tested = archbench.evaluate(first.id, dataset="digits", results=tmp_path)
    assert figures(tested) == figures(first)
    assert tested.config["normalisation"]["zca_sha256"] == first.config["normalisation"]["zca_sha256"]
    asked_for = Asked((first.id,), "gradcam", n=4)
    maps = asked_for.explain(Settings.of(dataset="digits"), Store(tmp_path), ignore)
    places = [int(name.removeprefix("test ")) for name in maps.names]
    kept = np.load(tmp_path / next(file.path for file in first.files if file.path.endswith("predictions.npz")))
    assert maps.columns[0].logits == pytest.approx(kept["logits"][places].astype(np.float32), abs=0.01)

    (again,) = evaluating.make(first.id, Settings.of(dataset="digits", rerun=True), Store(tmp_path), ignore).jobs
    luggage = Luggage.of(again, Store(tmp_path))
    assert luggage.source is not None
    assert {Path(name).name.split("-")[0] for name in luggage.source[1]} == {"weights.pt", "whitening"}
    _, _, notes = exporting.Asked("lenet", first.id).build(Store(tmp_path))
    assert json.loads(notes["normalisation_of_bytes"])["file"] == stored.path

    (tmp_path / stored.path).write_bytes(b"changed")
    failed = archbench.evaluate(first.id, dataset="digits", results=tmp_path, rerun=True)
    assert failed.failure is not None
    assert "is not the file that Record" in failed.failure.message
    (tmp_path / stored.path).unlink()
    with pytest.raises(ArchbenchError, match="whitened its images by a matrix that is not kept"):
        archbench.evaluate(second.id, dataset="digits", results=tmp_path)


def test_other_images_must_lie_still_to_be_whitened(class_folders: Path, tmp_path: Path) -> None:
    where = {"dataset": f"imagefolder:{class_folders}", "data_dir": tmp_path / "data", "image_size": 8}
    (source,) = archbench.train(models="nin_tiny", recipe="paper", epochs=1, batch_size=4, results=tmp_path, images_from="mapped", **where)
    assert source.status == "ok"
    with pytest.raises(ArchbenchError, match=r"were whitened once, and files are decoded anew each time: --images-from mapped$"):
        archbench.evaluate(source.id, results=tmp_path, images_from="files", **where)
    assert figures(archbench.evaluate(source.id, results=tmp_path, images_from="memory", **where)) == figures(source)


def test_no_more_images_go_through_at_once_than_did_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of 16 in parts of 4: learned, held out, tested and tested again."""
    sizes: set[tuple[bool, int]] = set()
    forward = nn.Linear.forward

    def counted(layer: nn.Linear, images: torch.Tensor) -> torch.Tensor:
        sizes.add((layer.training, len(images)))
        return forward(layer, images)

    monkeypatch.setattr(nn.Linear, "forward", counted)
    asked = {"limit_train": 64, "epochs": 1, "batch_size": 16, "micro_batch": 4, "val_fraction": 0.25, "results": tmp_path}
    (source,) = archbench.train(models="lenet", **asked)
    archbench.evaluate(source.id, dataset="digits", results=tmp_path)
    Asked((source.id,), "gradcam", n=8).explain(Settings.of(dataset="digits"), Store(tmp_path), ignore)
    assert max(size for is_training, size in sizes if not is_training) == 4


def test_a_flip_at_the_test_is_said_and_left_out_where_it_may_change_the_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained on digits with a flip by the user's wish: kept there and on a set that is known for it, and not on another."""
    mine = tmp_path / "mine.toml"
    mine.write_text("epochs = 1\nbatch_size = 32\nlr = 0.01\nflip = true\ntest_flip = true\n")
    (source,) = archbench.train(models="lenet", recipe=str(mine), flip=True, limit_train=64, epochs=1, results=tmp_path)
    digits = load(request(Settings.of()), ignore)

    def told(name: str, mirror_safe: bool) -> set[str]:
        other = Dataset.of(name, digits.train, digits.test.take(torch.arange(100)), digits.class_names, mirror_safe)
        monkeypatch.setattr(evaluating, "load", lambda wanted, emit: other if name != "digits" else digits)
        tested = archbench.evaluate(source.id, dataset="digits", results=tmp_path, rerun=True)
        return {doubt.code for doubt in tested.warnings} - {"at_chance"}

    assert told("digits", mirror_safe=False) == {"test_flip"}
    assert told("safe", mirror_safe=True) == {"test_flip"}
    assert told("unsafe", mirror_safe=False) == {"no_test_flip"}


def test_the_test_of_a_deterministic_training_is_one_on_a_gpu_too(trained: tuple[Path, Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """cuBLAS reads the variable when it is first used, which is after it is set here."""
    folder, source = trained
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    archbench.evaluate(source.id, dataset="digits", results=folder, rerun=True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_labels_are_numbered_as_in_the_training(trained: tuple[Path, Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same images with the classes the other way round: the same errors."""
    folder, source = trained
    digits = load(request(Settings.of()), ignore)
    turned = Split(digits.test.images, 9 - digits.test.labels)
    other = Dataset.of("turned", digits.train, turned, digits.class_names[::-1], mirror_safe=False)
    monkeypatch.setattr(evaluating, "load", lambda wanted, emit: other)
    tested = archbench.evaluate(source.id, dataset="digits", results=folder)
    assert figures(tested)["test_error_pct"] == figures(source)["test_error_pct"] < 50
    strange = dataclasses.replace(other, class_names=(*other.class_names[:-1], "ten"))
    monkeypatch.setattr(evaluating, "load", lambda wanted, emit: strange)
    with pytest.raises(ArchbenchError, match=r"turned has a class 'ten' that the training of .* had not"):
        archbench.evaluate(source.id, dataset="digits", results=folder)


@pytest.mark.parametrize(
    ("record", "settings", "message"),
    [
        ("", {"dataset": "cifar10"}, r"cifar10 has images of 3 channel\(s\), and the network of .* takes 1"),
        ("", {}, "--dataset names the set whose test split is used"),
        ("nothing", {"dataset": "digits"}, "'nothing' is no id of a Record"),
        ("0000", {"dataset": "digits"}, "no Record in .* with an id that begins with 0000"),
    ],
)
def test_a_mistake_is_one_line(record: str, settings: dict[str, str], message: str, trained: tuple[Path, Record]) -> None:
    folder, source = trained
    with pytest.raises(ArchbenchError, match=message):
        archbench.evaluate(record or source.id, results=folder, **settings)


def test_weights_that_are_gone_and_records_that_tell_too_little_are_refused(trained: tuple[Path, Record], tmp_path: Path) -> None:
    folder, source = trained
    shutil.copytree(folder, tmp_path / "copy")
    store = Store(tmp_path / "copy")
    silent = seal(**{**source.model_dump(exclude={"id"}), "config": {**source.config, "normalisation": {"method": "gcn_zca"}}})
    store.save(silent)
    with pytest.raises(ArchbenchError, match="whitened its images by a matrix that is not kept"):
        archbench.evaluate(silent.id, dataset="digits", results=store.root)
    (store.root / next(file.path for file in source.files if file.path.endswith("weights.pt"))).unlink()
    with pytest.raises(ArchbenchError, match=f"the final weights of {source.id} are not beside the Record"):
        archbench.evaluate(source.id, dataset="digits", results=store.root)

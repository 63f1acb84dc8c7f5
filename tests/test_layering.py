"""The layers of the zoo, kept where the report reads them without torch."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from archbench import api, layering
from archbench.models import entries


def test_the_kept_layers_are_of_the_code_that_there_is() -> None:
    """`archbench list --out zoo/layers.json` makes the file again."""
    kept = layering.layers()
    assert {name: each["source_sha256"] for name, each in kept.items()} == {name: entries.entry(name).source_sha256 for name in zoo.names()}
    assert layering.text(kept) == layering.FILE.read_text()


def test_a_layer_is_a_name_a_class_an_output_and_two_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LeNet-5's first layer: six 5×5 filters on three channels and a bias each, at 28×28 places."""
    monkeypatch.setattr(zoo, "names", lambda: ["lenet"])
    api.write_zoo_page(tmp_path / "layers.json")
    monkeypatch.setattr(layering, "FILE", tmp_path / "layers.json")
    found = layering.layers()["lenet"]
    assert found["input"] == "3x32x32, 10 classes"
    _, _, *rest = next(layer for layer in found["layers"] if layer[1] == "dense_conv")
    assert rest == [[6, 28, 28], 6 * (75 + 1), 6 * 75 * 28 * 28]


def test_a_file_that_is_damaged_or_missing_holds_no_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layering, "FILE", tmp_path / "layers.json")
    assert layering.layers() == {}
    layering.FILE.write_text("[1")
    assert layering.layers() == {}
    layering.FILE.write_text("[]")
    assert layering.layers() == {}

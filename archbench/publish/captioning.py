"""What stands above a table: the condition that its rows share, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archbench.publish.formats import epochs_text
from archbench.records.schema import Record


def is_benchmark(record: Record) -> bool:
    """Whether a Record was imported from a file of pytest-benchmark, and not from weights that were tested on data."""
    return record.kind == "imported" and record.config.get("data") is None


def of_input(record: Record) -> str:
    """`3×32×32, 10 classes`."""
    model = record.model
    return f"{model.in_channels}×{model.image_size}×{model.image_size}, {model.num_classes} classes"


def of_device(device: Mapping[str, Any]) -> str:
    """`AMD EPYC (cpu)`."""
    return f"{device['name']} ({device['kind']})"


def caption(record: Record, batch: bool = True, recipe: bool = True) -> str:
    """What holds for every row, from one of its Records; without the batch size of profiles, or the recipe, that rows differ in."""
    device = record.environment["device"]["name"]
    if record.kind == "profile":
        at = f" · batch {record.config['batch']}" if batch else ""
        return f"profile · {of_input(record)}{at} · {_mode(record)} · {device}"
    if is_benchmark(record):
        of = f" · {of_input(record)} · batch {record.config['batch']} · {_mode(record)}" if record.config["batch"] else ""
        return f"imported from pytest-benchmark{of} · {device}"
    return f"{_data(record)} · {_weights(record, recipe)} · {device}"


def _mode(record: Record) -> str:
    execution = record.config["execution"]
    compiled = ", compiled where that is faster" if execution.get("compile_auto") else ", compiled" * execution["compiled"]
    return f"{execution['precision']}{compiled}"


def _data(record: Record) -> str:
    """`digits (1×32×32, 10 classes; 360 test images)`, with the training images where it was trained on them."""
    data = record.config["data"]
    images = f"{data['test_images']:,} test images"
    if record.kind == "train":
        part = f", {100 * data['train_fraction']:g} % of the training set" if data["train_fraction"] < 1 else ""
        part += f", {100 * data['val_fraction']:g} % of it held out" if data["val_fraction"] else ""
        images = f"{data['train_images']:,} training and {images}{part}"
    return f"{data['name']} ({of_input(record)}; {images})"


def _weights(record: Record, recipe: bool) -> str:
    """How the network was trained and run, and on what where that is another set."""
    config, training = record.config, record.config["training"]
    how = f"batch {config['batch']}, {_mode(record)}"
    if record.kind == "imported":
        return f"published weights · {how}"
    if record.kind == "train":
        return f"recipe {training['name']}, {epochs_text(training['epochs'])}, {how}" if recipe else _mode(record)
    learned = f"{config['trained_on']['name']}, recipe {training['name']}, epochs {training['epochs']}"
    if record.kind == "explain":
        return f"maps by {config['explain']['method']} of a training on {learned}"
    return f"weights trained on {learned} · {how}"

"""Bytes of tensors alive, and kept for the backward pass, by arithmetic."""

from __future__ import annotations

import torch
from torch import nn

from archbench.measure import live, memory

FLOAT = 4
# 100 rows of 1000 values each
IMAGES = torch.randn(100, 1000)
ROWS = 100 * 1000 * FLOAT
WEIGHTS = 1000 * 1000 * FLOAT


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(1000, 1000, bias=False), nn.ReLU(), nn.Linear(1000, 1000, bias=False))


def test_alive_at_once_are_the_weights_the_input_and_two_neighbouring_activations() -> None:
    layers = network()

    def infer() -> None:
        with torch.inference_mode():
            layers(IMAGES)

    assert live.peak_bytes(infer, lambda: [*layers.parameters(), IMAGES]) == 2 * WEIGHTS + ROWS + 2 * ROWS


def test_views_of_one_memory_count_once() -> None:
    kept: list[torch.Tensor] = []

    def call() -> None:
        first = torch.zeros(1000)
        kept.extend([first.view(10, 100), first[::2], first.t()])

    assert live.peak_bytes(call, list) == 1000 * FLOAT


def test_kept_for_the_backward_pass_is_each_activation_once() -> None:
    """ReLU keeps what it wrote, and the layer behind it the same memory; the first layer's input is the images. A sum keeps nothing."""
    layers = network()
    assert live.saved_bytes(lambda: layers(IMAGES).sum(), [*layers.parameters(), IMAGES]) == ROWS


def test_parts_of_a_training_step() -> None:
    """A classifier of 10 x 8 weights and 10 biases on one channel of 8 pixels; cross-entropy keeps the log-probabilities of two images."""
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(8, 10))
    step = memory.Step(classifier, torch.randn(2, 1, 2, 4))
    step.train()
    weights = (10 * 8 + 10) * FLOAT
    parts = step.parts()
    assert {name: parts[name] for name in ("parameters", "gradients", "optimizer")} == dict.fromkeys(
        ("parameters", "gradients", "optimizer"), weights
    )
    # log-probabilities of 2 x 10, the labels of two images in eight bytes each, and the number of images that are averaged over
    assert parts["activations"] == 2 * 10 * FLOAT + 2 * 8 + FLOAT


def test_each_peak_and_part_is_a_row() -> None:
    measured = {"infer_peak_bytes": {"process": 5, "allocated": 3}, "train_bytes": {"workspace": 2}}
    rows = [(row.name, row.value, row.at) for row in memory.rows(measured, False, batch=4)]
    assert rows == [
        ("infer_peak_bytes", 5, {"batch": 4, "part": "process"}),
        ("infer_peak_bytes", 3, {"batch": 4, "part": "allocated"}),
        ("train_bytes", 2, {"batch": 4, "part": "workspace"}),
    ]

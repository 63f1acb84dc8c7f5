"""pytest-benchmark suites: `pytest benchmarks --benchmark-only`. Speeds are for reading, nothing here can fail on a slow machine.

Those of networks come from the plugin: `pytest --archbench nin,mobilenet --benchmark-json=FILE && archbench import FILE`.
"""

from __future__ import annotations

import pytest
import torch

import zoo
from archbench.data import Split
from archbench.data.augment import draw, translate_and_flip
from archbench.data.preprocessing import Normaliser
from archbench.measure.complexity import count
from archbench.models import Input, Model

IMAGES = torch.randint(0, 256, (128, 3, 32, 32), dtype=torch.uint8)


def augmented(generator: torch.Generator) -> torch.Tensor:
    return translate_and_flip(IMAGES, 4, draw(len(IMAGES), 4, True, generator))


def test_augmentation_of_a_batch(benchmark) -> None:
    generator = torch.Generator().manual_seed(0)
    benchmark(lambda: augmented(generator))
    benchmark.extra_info["images_per_s"] = len(IMAGES) / benchmark.stats.stats.median


def test_augmentation_and_normalisation_of_a_batch(benchmark) -> None:
    generator, normalise = torch.Generator().manual_seed(0), Normaliser.fitted(Split(IMAGES, torch.zeros(len(IMAGES))))
    benchmark(lambda: normalise(augmented(generator), torch.channels_last))
    benchmark.extra_info["images_per_s"] = len(IMAGES) / benchmark.stats.stats.median


@pytest.mark.parametrize("name", ["nin", "resnet_bottleneck", "mobilenet"])
def test_counting(benchmark, name: str) -> None:
    benchmark.pedantic(count, (Model(name), Input(10, 3, 32)), rounds=5, warmup_rounds=1)


def test_counting_the_whole_zoo(benchmark) -> None:
    models = [Model(name) for name in zoo.names()]
    benchmark.pedantic(lambda: [count(model, model.native_input) for model in models], rounds=3)

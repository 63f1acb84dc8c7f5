"""One suite over every registered model, and the registry's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from archbench.measure.complexity import count
from archbench.models import Input, Model
from zoo import registry

MODELS = zoo.names()
PUBLISHED = [(name, published) for name in MODELS for published in zoo.get(name).published]

# name: parameters and MACs at 32x32, ten classes; from the table of published and hand-derived counts (author's configuration for
# nin; arXiv:1611.03530 for alexnet and inception; kuangliu/pytorch-cifar for mobilenet; arithmetic for the rest)
INTEGERS = {
    "plain_cnn": (7_565_450, 278_205_440),
    "alexnet": (1_756_426, 32_778_112),
    "nin": (966_986, 222_486_528),
    "nin_bn": (968_404, 222_486_528),
    "nin_tiny": (560_906, 189_825_024),
    "inception": (1_652_826, 266_734_880),
    "resnet_bottleneck": (313_114, 47_106_560),
    "mobilenet": (3_217_226, 46_354_432),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_default_network_meets_the_published_integers(name: str) -> None:
    counted = count(Model(name), Input(10, 3, 32))
    assert (counted.params, counted.macs) == INTEGERS[name]


@pytest.mark.parametrize(("name", "published"), PUBLISHED, ids=lambda value: value if isinstance(value, str) else "")
def test_counts_equal_the_spec(name: str, published: zoo.Published) -> None:
    """Every form of a network that its spec gives counts for has these counts."""
    size = published.image_size or zoo.get(name).input_shape[1]
    counted = count(Model(name, tuple(published.knobs.items())), Input(10, 3, size))
    assert (counted.params, counted.macs) == (published.params, published.macs)


def test_squeezenet_macs_by_hand() -> None:
    """Places x (inputs x outputs x kernel area), layer by layer; a Fire squeezes to s and expands to e with 1x1 and with 3x3."""

    def fire(places: int, w_in: int, squeeze: int, expand: int) -> int:
        return places * (w_in * squeeze + squeeze * expand + squeeze * expand * 9)

    stem = 32 * 32 * 3 * 64 * 9
    at_16 = fire(256, 64, 16, 64) + fire(256, 128, 16, 64)
    at_8 = fire(64, 128, 32, 128) + fire(64, 256, 32, 128)
    at_4 = fire(16, 256, 48, 192) + fire(16, 384, 48, 192) + fire(16, 384, 64, 256) + fire(16, 512, 64, 256)
    class_maps = 16 * 512 * 10
    assert count(Model("squeezenet"), Input(10, 3, 32)).macs == stem + at_16 + at_8 + at_4 + class_maps


def test_squeezenet_params_from_the_published_1000_class_count() -> None:
    """Version 1.1 has 1,235,496 parameters for 1,000 classes (torchvision); the stride of the stem changes none of them."""
    assert count(Model("squeezenet"), Input(1000, 3, 32)).params == 1_235_496


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("num_classes", "channels"), [(2, 1), (100, 3)])
def test_logits_have_a_value_for_each_class(name: str, num_classes: int, channels: int) -> None:
    network = zoo.create(name, num_classes, channels).eval()
    assert network(torch.randn(2, channels, 32, 32)).shape == (2, num_classes)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    network = zoo.create(name)
    nn.functional.cross_entropy(network(torch.randn(4, 3, 32, 32)), torch.arange(4)).backward()
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", MODELS)
def test_one_seed_gives_one_network_and_a_state_dict_carries_it(name: str) -> None:
    torch.manual_seed(3)
    first = zoo.create(name).eval()
    torch.manual_seed(3)
    second = zoo.create(name).eval()
    third = zoo.create(name).eval()
    third.load_state_dict(first.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(first(images), second(images))
    assert torch.equal(first(images), third(images))


@pytest.mark.parametrize("name", MODELS)
def test_channels_last_and_bf16_run(name: str) -> None:
    network = zoo.create(name).to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", MODELS)
def test_the_smallest_image_runs_and_a_smaller_one_is_refused(name: str) -> None:
    smallest = zoo.get(name).min_size
    zoo.create(name, image_size=smallest)(torch.randn(2, 3, smallest, smallest))
    with pytest.raises(zoo.ZooError, match=f"at least {smallest}x{smallest}"):
        zoo.create(name, image_size=smallest - 1)


@pytest.mark.parametrize("name", MODELS)
def test_a_spec_is_complete(name: str) -> None:
    spec = zoo.get(name)
    assert spec.title
    assert spec.takes.endswith(".")
    assert spec.published
    assert spec.paper.bibtex.startswith("@")
    assert all(published.source for published in spec.published)
    network = zoo.create(name)
    assert all(network.get_submodule(module) is not None for module in (*spec.head, *spec.hints.start_alive))


@pytest.mark.parametrize("name", [name for name in MODELS if zoo.get(name).knobs])
def test_every_value_of_every_knob_builds(name: str) -> None:
    for key, values in zoo.get(name).knobs.items():
        for value in values:
            assert zoo.create(name, **{key: value}).eval()(torch.randn(1, 3, 32, 32)).shape == (1, 10)


def test_nin_pools_round_up() -> None:
    """32 -> 16 -> 8; rounding down would give 15 and 7, and 200,357,760 MACs."""
    features = zoo.create("nin").features
    maps = features.pool1(features.mlpconv1(torch.randn(1, 3, 32, 32)))
    assert maps.shape[-1] == 16
    assert features.pool2(features.mlpconv2(maps)).shape[-1] == 8


def test_unknown_names_and_knobs_say_what_would_be_right() -> None:
    with pytest.raises(zoo.ZooError, match="unknown model 'mobilnet'; did you mean 'mobilenet'"):
        zoo.get("mobilnet")
    with pytest.raises(zoo.ZooError, match="nin_tiny has no knob 'head'"):
        zoo.create("nin_tiny", head="fc")
    with pytest.raises(zoo.ZooError, match="head cannot be 'fx'; valid: gap, fc, fc_dropout"):
        zoo.create("nin", head="fx")


def test_aliases_are_names() -> None:
    assert zoo.get("resnet29") is zoo.get("resnet_bottleneck")


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(zoo.ZooError, match="two architectures are called 'nin'"):
        zoo.register(zoo.get("nin"))(lambda **_: nn.Identity())


def test_the_zoo_knows_nothing_of_archbench() -> None:
    folder = Path(registry.__file__).parent
    assert [file.name for file in folder.glob("*.py") if "archbench" in file.read_text()] == []

"""One suite over every registered model, and the registry's own rules."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import pytest
import torch
from conftest import enlivened
from torch import nn

import zoo
from archbench.execution import training_loss
from archbench.measure.complexity import count
from archbench.models import Input, Model
from zoo import registry

MODELS = zoo.names()
PUBLISHED = [(name, published) for name in MODELS for published in zoo.get(name).published]

# name: parameters and MACs of the default network, as published (the sources stand in the specs)
INTEGERS = {
    "lenet": (62_006, 651_720),
    "plain_cnn": (7_565_450, 278_205_440),
    "maxout": (16_247_830, 732_290_696),
    "alexnet": (1_756_426, 32_778_112),
    "nin": (966_986, 222_486_528),
    "nin_bn": (968_404, 222_486_528),
    "nin_tiny": (560_906, 189_825_024),
    "nin_svhn": (1_986_026, 274_235_392),
    "nin_mnist": (349_674, 50_699_712),
    "vgg": (9_231_114, 152_769_536),
    "vgg_16": (14_728_266, 313_201_664),
    "inception": (1_652_826, 266_734_880),
    "resnet_basic": (269_722, 40_551_040),
    "resnet_bottleneck": (313_114, 47_106_560),
    "resnet_bottleneck_164": (1_704_154, 247_646_720),
    "preresnet_164": (1_703_258, 247_646_720),
    "densenet": (769_162, 287_929_692),
    "resnext": (4_775_754, 774_055_936),
    "resnext_8x64d": (34_426_698, 5_387_266_048),
    "resnext_16x64d": (68_155_210, 10_688_866_304),
    "mobilenet": (3_217_226, 46_354_432),
    "mobilenet_v2": (2_296_922, 91_154_944),
    "senet": (274_847, 40_815_200),
    "senet_164": (1_906_258, 247_840_256),
    "nin_imagenet": (7_595_176, 1_100_188_800),
    "alexnet_imagenet": (61_100_840, 714_188_480),
    "alexnet_grouped_imagenet": (60_965_224, 724_406_816),
    "vgg_11_imagenet": (132_863_336, 7_609_090_048),
    "vgg_16_imagenet": (138_357_544, 15_470_264_320),
    "inception_imagenet": (6_624_904, 1_498_376_192),
    "inception_v3_imagenet": (23_834_568, 5_713_216_096),
    "resnet_bottleneck_imagenet": (25_557_032, 4_089_184_256),
    "squeezenet_imagenet": (1_248_424, 818_924_576),
    "squeezenet_1_1_imagenet": (1_235_496, 349_151_936),
    "densenet_imagenet": (7_978_856, 2_834_161_664),
    "xception_imagenet": (22_855_952, 8_357_403_496),
    "resnext_imagenet": (25_028_904, 4_230_479_872),
    "mobilenet_imagenet": (4_231_976, 568_740_352),
    "mobilenet_v2_imagenet": (3_504_872, 300_774_272),
    "senet_imagenet": (28_088_024, 4_091_699_200),
    "convnext_imagenet": (28_589_128, 4_455_531_264),
    "mixer_imagenet": (18_528_264, 3_776_958_464),
    "mixer_b16_imagenet": (59_880_472, 12_601_767_936),
}


def size_for(name: str) -> int:
    """A small image that the network can bear, in whole patches."""
    spec = zoo.get(name)
    return max(spec.min_size, 16 if spec.input_shape[1] <= 32 else 64)


def images_for(name: str, batch: int = 4) -> torch.Tensor:
    size = size_for(name)
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


@functools.lru_cache(maxsize=2)
def network_of(name: str) -> nn.Module:
    """The network for small images, in evaluation mode, with weights under which its logits depend on the image."""
    return enlivened(zoo.create(name, image_size=size_for(name)), images_for(name), seed=1)


def test_every_name_of_the_published_table_is_there() -> None:
    assert set(INTEGERS) <= set(MODELS)


@pytest.mark.parametrize("name", INTEGERS)
def test_default_network_meets_the_published_integers(name: str) -> None:
    model = Model(name)
    counted = count(model, model.native_input)
    assert (counted.params, counted.macs) == INTEGERS[name]


@pytest.mark.parametrize(("name", "published"), PUBLISHED, ids=lambda value: value if isinstance(value, str) else "")
def test_counts_equal_the_spec(name: str, published: zoo.Published) -> None:
    """Every form of a network that its spec gives counts for has these counts."""
    native = Model(name).native_input
    shape = Input(native.num_classes, native.in_channels, published.image_size or native.image_size)
    counted = count(Model(name, tuple(published.knobs.items())), shape)
    assert (counted.params, counted.macs) == (published.params, published.macs)


@pytest.mark.parametrize("name", MODELS)
def test_another_number_of_classes_changes_the_last_layer_alone(name: str) -> None:
    """Seven more classes cost seven times what one costs: each adds the same weights."""
    native = Model(name).native_input
    few, some, more = (count(Model(name), Input(classes, native.in_channels, native.image_size)).params for classes in (3, 4, 11))
    assert more - some == 7 * (some - few)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("num_classes", "channels"), [(2, 1), (100, 3)])
def test_logits_have_a_value_for_each_class(name: str, num_classes: int, channels: int) -> None:
    size = size_for(name)
    with torch.device("meta"):
        network = zoo.create(name, num_classes, channels, size).eval()
        assert network(torch.randn(2, channels, size, size)).shape == (2, num_classes)


@pytest.mark.parametrize("name", MODELS)
def test_every_trained_parameter_gets_a_gradient(name: str) -> None:
    """Finite, and not zero: but for a bias before batch norm, which the norm takes away again, and a layer of one hidden unit, as in
    SE-ResNet-20's gates of sixteen channels, whose ReLU may be closed for these images."""
    network = network_of(name)
    network.zero_grad()
    training_loss(network, network(images_for(name)), torch.arange(4)).backward()
    trained = {key: parameter for key, parameter in network.named_parameters() if parameter.requires_grad}
    assert [key for key, parameter in trained.items() if parameter.grad is None or not parameter.grad.isfinite().all()] == []
    weights = {
        key: parameter for key, parameter in trained.items() if parameter.ndim > 1 and (parameter.ndim > 2 or 1 not in parameter.shape)
    }
    assert [key for key, parameter in weights.items() if not parameter.grad.any()] == []
    assert trained


@pytest.mark.parametrize("name", MODELS)
def test_one_seed_gives_one_network(name: str) -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(zoo.create(name, image_size=size_for(name)).state_dict())
    first, second, other = states
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", MODELS)
def test_a_state_dict_carries_a_network(name: str) -> None:
    network, images = network_of(name), images_for(name)
    again = zoo.create(name, image_size=size_for(name)).eval()
    again.load_state_dict(network.state_dict())
    with torch.inference_mode():
        assert torch.equal(again(images), network(images))


@pytest.mark.parametrize("name", MODELS)
def test_channels_last_gives_the_same_logits_and_bf16_near_ones(name: str) -> None:
    """bf16 keeps eight bits: over tens of layers the logits move by a few hundredths of their spread, and their order by little."""
    network, images = network_of(name), images_for(name)
    with torch.inference_mode():
        expected = network(images)
        other = copy.deepcopy(network).to(memory_format=torch.channels_last)
        laid_out = images.contiguous(memory_format=torch.channels_last)
        assert other(laid_out).allclose(expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())
        with torch.autocast("cpu", torch.bfloat16):
            assert other(laid_out).isfinite().all()


@pytest.mark.parametrize("name", MODELS)
def test_training_differs_from_evaluation_only_in_dropout_and_batch_norm(name: str) -> None:
    network, images = copy.deepcopy(network_of(name)), images_for(name)
    with torch.inference_mode():
        expected = network(images)
        network.train()
        for layer in network.modules():
            if isinstance(layer, nn.Dropout | nn.BatchNorm2d):
                layer.eval()
        assert torch.equal(network(images), expected)


@pytest.mark.parametrize("name", MODELS)
def test_the_smallest_image_runs_and_a_smaller_one_is_refused(name: str) -> None:
    smallest = zoo.get(name).min_size
    with torch.device("meta"):
        assert zoo.create(name, image_size=smallest).eval()(torch.randn(1, 3, smallest, smallest)).shape == (1, 10)
    with pytest.raises(zoo.ZooError, match=f"at least {smallest}x{smallest}"):
        zoo.create(name, image_size=smallest - 1)


@pytest.mark.parametrize("name", [name for name in MODELS if zoo.get(name).min_size > 1])
def test_a_smaller_image_would_indeed_fail(name: str) -> None:
    """The smallest size is no guess: one pixel less, and a layer has nothing left to see."""
    size = zoo.get(name).min_size - 1
    with torch.device("meta"), pytest.raises((RuntimeError, ZeroDivisionError, zoo.ZooError, ValueError)):
        registry.builder(name)(10, 3, size).eval()(torch.randn(1, 3, size, size))


@pytest.mark.parametrize("name", MODELS)
def test_a_spec_is_complete(name: str) -> None:
    spec = zoo.get(name)
    assert spec.title
    assert spec.takes.endswith(".")
    assert spec.published
    assert spec.paper is not None
    assert spec.paper.arxiv or spec.paper.doi
    assert spec.paper.bibtex.startswith("@")
    assert all(published.source for published in spec.published)
    assert set(spec.parents) <= set(MODELS)
    assert set(spec.excludes) <= set(spec.knobs)
    with torch.device("meta"):
        network = zoo.create(name)
    assert all(network.get_submodule(module) is not None for module in (*spec.head, *spec.hints.start_alive))


@pytest.mark.parametrize("name", [name for name in MODELS if zoo.get(name).knobs])
def test_every_value_of_every_knob_builds(name: str) -> None:
    spec = zoo.get(name)
    size = spec.input_shape[1] if "aux" in spec.knobs else size_for(name)
    for key, values in spec.knobs.items():
        for value in (0.5, 1.3) if isinstance(values, zoo.Range) else values:
            with torch.device("meta"):
                assert zoo.create(name, image_size=size, **{key: value}).eval()(torch.randn(1, 3, size, size)).shape == (1, 10)


@pytest.mark.parametrize("name", [name for name in MODELS if "pointwise" in zoo.get(name).knobs])
def test_without_its_pointwise_structure_a_network_has_no_1x1_convolution(name: str) -> None:
    assert "pointwise" not in count(Model(name, (("pointwise", "off"),)), Model(name).native_input).by_class("macs")


@pytest.mark.parametrize("name", ["inception_imagenet", "inception_v3_imagenet"])
def test_auxiliary_heads_join_the_loss_in_training_alone(name: str) -> None:
    """GoogLeNet adds two heads at 0.3, Inception-v3 one at 0.4; with equal logits the loss grows by just that."""
    with torch.device("meta"):
        network = zoo.create(name, aux="on").train()
        images = torch.randn(2, 3, 299, 299)
        logits, auxiliary = network(images)
        assert [head.shape for head in auxiliary] == [logits.shape] * len(auxiliary)
        assert network.eval()(images).shape == (2, 10)
    same = torch.zeros(2, 10)
    share = network.weight * len(auxiliary)
    loss = training_loss(network, (same, [same] * len(auxiliary)), torch.zeros(2, dtype=torch.long))
    assert loss.item() == pytest.approx((1 + share) * torch.tensor(10.0).log().item(), rel=1e-6)
    assert share == pytest.approx({"inception_imagenet": 0.6, "inception_v3_imagenet": 0.4}[name])


def test_decaf_trains_its_classifier_alone() -> None:
    """192 inputs to 10 classes and their biases: 1,930 of alexnet's 1,756,426."""
    counted = count(Model("decaf"), Input(10, 3, 32))
    assert (counted.trained_params, counted.params) == (192 * 10 + 10, 1_756_426)


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
    with pytest.raises(zoo.ZooError, match=r"width cannot be 99; valid: 0.01 to 16"):
        zoo.create("nin", width=99)


def test_knobs_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(zoo.ZooError, match="mlp_depth=2 means nothing with local=maxout"):
        zoo.create("nin", local="maxout", mlp_depth=2)
    with pytest.raises(zoo.ZooError, match="stride=1x1 means nothing with pointwise=off"):
        zoo.create("resnet_bottleneck", pointwise="off", stride="1x1")


def test_mixer_takes_whole_patches_only() -> None:
    with pytest.raises(zoo.ZooError, match="30 is no multiple of 4"):
        zoo.create("mixer", image_size=30)


def test_aliases_are_names() -> None:
    assert zoo.get("resnet29") is zoo.get("resnet_bottleneck")
    assert zoo.get("resnet50") is zoo.get("resnet_bottleneck_imagenet")


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(zoo.ZooError, match="two architectures are called 'nin'"):
        zoo.register(zoo.get("nin"))(lambda **_: nn.Identity())


def test_the_zoo_imports_nothing_of_archbench_and_no_family_file_is_long() -> None:
    """A model's file reads like its paper's figure: at most 250 lines."""
    files = list(Path(registry.__file__).parent.glob("*.py"))
    assert [file.name for file in files if "import archbench" in file.read_text() or "from archbench" in file.read_text()] == []
    assert [file.name for file in files if len(file.read_text().splitlines()) > 250] == ["registry.py"]

"""Counts by hand, layer by layer, of the networks that nobody published counts for; and their blocks beside timm's."""

from __future__ import annotations

import pytest
import timm
import torch
from conftest import enlivened
from skimage.feature import hog
from timm.models.mlp_mixer import MlpMixer

import zoo
from archbench.measure.complexity import count
from archbench.models import Input, Model, parse
from archbench.models.pretrained import carry_over
from zoo.convnext import convnext
from zoo.hog_linear import CELL, HistogramOfGradients

CIFAR = Input(10, 3, 32)


def counts(name: str) -> tuple[int, int]:
    (model,) = parse([name])
    counted = count(model, CIFAR)
    return counted.params, counted.macs


def conv(w_in: int, w_out: int, kernel: int, places: int, *, groups: int = 1, bias: bool = False, norm: bool = True) -> tuple[int, int]:
    """Parameters and MACs of a convolution, with two batch norm parameters a map."""
    weights = w_in // groups * w_out * kernel**2
    return weights + bias * w_out + 2 * norm * w_out, weights * places


def added(*layers: tuple[int, int]) -> tuple[int, int]:
    return sum(params for params, _ in layers), sum(macs for _, macs in layers)


def linear(w_in: int, w_out: int, places: int = 1) -> tuple[int, int]:
    return w_in * w_out + w_out, w_in * w_out * places


def test_squeezenet_macs() -> None:
    """Places x (inputs x outputs x kernel area), layer by layer; a Fire squeezes to s and expands to e with 1x1 and with 3x3."""

    def fire(places: int, w_in: int, squeeze: int, expand: int) -> int:
        return places * (w_in * squeeze + squeeze * expand + squeeze * expand * 9)

    stem = 32 * 32 * 3 * 64 * 9
    at_16 = fire(256, 64, 16, 64) + fire(256, 128, 16, 64)
    at_8 = fire(64, 128, 32, 128) + fire(64, 256, 32, 128)
    at_4 = fire(16, 256, 48, 192) + fire(16, 384, 48, 192) + fire(16, 384, 64, 256) + fire(16, 512, 64, 256)
    class_maps = 16 * 512 * 10
    assert counts("squeezenet")[1] == stem + at_16 + at_8 + at_4 + class_maps


def test_squeezenet_params_from_the_published_1000_class_count() -> None:
    """Version 1.1 has 1,235,496 parameters for 1,000 classes (torchvision); the stride of the stem changes none of them."""
    assert count(Model("squeezenet"), Input(1000, 3, 32)).params == 1_235_496


def test_xception() -> None:
    """Separable: depthwise 3x3 without norm, then 1x1 with norm. Maps of 32, 16, 8 and 4; pools come behind the convolutions."""

    def separable(w_in: int, w_out: int, places: int) -> tuple[int, int]:
        return added(conv(w_in, w_in, 3, places, groups=w_in, norm=False), conv(w_in, w_out, 1, places))

    stem = added(conv(3, 32, 3, 1024), conv(32, 64, 3, 1024))
    entry1 = added(separable(64, 128, 1024), separable(128, 128, 1024), conv(64, 128, 1, 1024))
    entry2 = added(separable(128, 256, 1024), separable(256, 256, 1024), conv(128, 256, 1, 256))
    entry3 = added(separable(256, 364, 256), separable(364, 364, 256), conv(256, 364, 1, 64))
    middle = added(*[separable(364, 364, 64)] * 24)
    leave = added(separable(364, 364, 64), separable(364, 512, 64), conv(364, 512, 1, 16))
    end = added(separable(512, 768, 16), separable(768, 1024, 16), linear(1024, 10))
    assert counts("xception") == added(stem, entry1, entry2, entry3, middle, leave, end)


def test_mixer() -> None:
    """64 places of 256 channels; each block mixes places with 128 hidden units and channels with 1024."""
    stem = conv(3, 256, 4, 64, bias=True, norm=False)
    norm = (2 * 256, 0)
    tokens = added(norm, linear(64, 128, places=256), linear(128, 64, places=256))
    channels = added(norm, linear(256, 1024, places=64), linear(1024, 256, places=64))
    assert counts("mixer") == added(stem, *[tokens, channels] * 8, norm, linear(256, 10))


@pytest.mark.parametrize(("label", "w"), [("convnext", 40), ("convnext+width=0.5", 20)])
def test_convnext(label: str, w: int) -> None:
    """Patches of 2x2 give 16x16 places; a block is depthwise 7x7, norm, two linear layers and a scale for each channel."""

    def block(width: int, places: int) -> tuple[int, int]:
        depthwise = conv(width, width, 7, places, groups=width, bias=True, norm=False)
        return added(depthwise, (2 * width, 0), linear(width, 4 * width, places), linear(4 * width, width, places), (width, 0))

    def down(w_in: int, w_out: int, places: int) -> tuple[int, int]:
        return added((2 * w_in, 0), conv(w_in, w_out, 2, places, bias=True, norm=False))

    stem = added(conv(3, w, 2, 256, bias=True, norm=False), (2 * w, 0))
    stages = [*[block(w, 256)] * 2, down(w, 2 * w, 64), *[block(2 * w, 64)] * 2, down(2 * w, 4 * w, 16), *[block(4 * w, 16)] * 6]
    last = [down(4 * w, 8 * w, 4), *[block(8 * w, 4)] * 2, (2 * 8 * w, 0), linear(8 * w, 10)]
    assert counts(label) == added(stem, *stages, *last)


def test_cam() -> None:
    """VGG-11's layers with biases and norms, three pools, then 3x3 to 1,024 maps."""
    layers = [(3, 64, 1024), (64, 128, 256), (128, 256, 64), (256, 256, 64), (256, 512, 16), *[(512, 512, 16)] * 3, (512, 1024, 16)]
    assert counts("cam") == added(*(conv(w_in, w_out, 3, places, bias=True) for w_in, w_out, places in layers), linear(1024, 10))


def test_cam_imagenet() -> None:
    """VGG-16 (138,357,544; 15,470,264,320) less its connected layers, plus 3x3 to 1,024 maps at 14x14 and 1,024 means to 1,000."""
    connected = added(linear(25_088, 4096), linear(4096, 4096), linear(4096, 1000))
    features = (138_357_544 - connected[0], 15_470_264_320 - connected[1])
    expected = added(features, conv(512, 1024, 3, 196, bias=True, norm=False), linear(1024, 1000))
    counted = count(Model("cam_imagenet"), Input(1000, 3, 224))
    assert (counted.params, counted.macs) == expected


def test_lenet_with_one_channel() -> None:
    """Two channels of 25 weights and six maps less: 300 parameters, and 300 MACs at each of 784 places."""
    counted = count(Model("lenet"), Input(10, 1, 32))
    assert (counted.params, counted.macs) == (62_006 - 300, 651_720 - 300 * 784) == (61_706, 416_520)


def test_hog_linear() -> None:
    """8x8 cells of 4x4 pixels, 7x7 blocks of 2x2 cells, nine orientations: 1,764 numbers to ten classes."""
    assert counts("hog_linear") == linear(7 * 7 * 2 * 2 * 9, 10)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_descriptor_is_scikit_images(channels: int) -> None:
    images = torch.rand(4, channels, 32, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = HistogramOfGradients()(images)
    for image, descriptor in zip(images, ours, strict=True):
        theirs = hog(image.permute(1, 2, 0).numpy(), 9, (CELL, CELL), (2, 2), block_norm="L2-Hys", channel_axis=2)
        assert torch.from_numpy(theirs).allclose(descriptor, atol=1e-9)


def test_convnexts_blocks_are_timms() -> None:
    """timm's Atto has patches of 4x4, which ours makes 2x2; its 1x1 convolutions are our linear layers."""
    rename = (
        (r"^stem\.", "features.0."),
        (r"^stages\.0\.blocks\.", "features.1."),
        (r"^stages\.([123])\.downsample\.", lambda found: f"features.{2 * int(found[1])}."),
        (r"^stages\.([123])\.blocks\.", lambda found: f"features.{2 * int(found[1]) + 1}."),
        (r"\.conv_dw\.", ".depthwise."),
        (r"\.mlp\.fc1\.", ".expand."),
        (r"\.mlp\.fc2\.", ".project."),
        (r"\.gamma$", ".layer_scale"),
        (r"^head\.norm\.", "head.2."),
        (r"^head\.fc\.", "head.3."),
    )
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    theirs = enlivened(timm.create_model("convnext_atto", num_classes=10), images)
    ours = convnext(10, 3, 4, (2, 2, 6, 2), (40, 80, 160, 320)).eval()
    carry_over(theirs.state_dict(), rename, ours)
    with torch.inference_mode():
        assert ours(images).allclose(theirs(images), rtol=1e-4, atol=1e-4)


def test_mixers_blocks_are_timms() -> None:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    theirs = enlivened(MlpMixer(num_classes=10, img_size=32, patch_size=4, num_blocks=8, embed_dim=256), images)
    ours = zoo.create("mixer").eval()
    carry_over(theirs.state_dict(), zoo.get("mixer_imagenet").weights.rename, ours)
    with torch.inference_mode():
        assert ours(images).allclose(theirs(images), rtol=1e-4, atol=1e-4)

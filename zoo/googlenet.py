"""GoogLeNet (Szegedy et al., 2015): 1x1 convolutions reduce the maps before each wide branch."""

from __future__ import annotations

import functools
from collections.abc import Callable

from torch import nn

from zoo._blocks import Branches, WithAuxiliary, average_and_linear, conv_norm, conv_relu
from zoo.inception import INCEPTION_PAPER
from zoo.registry import HALF, ModelSpec, Published, Weights, register

Unit = Callable[..., nn.Module]
# maps of the branches 1x1, 3x3 (reduced, wide), 5x5 (reduced, wide) and pool; "pool" between them (table 1)
MODULES: dict[str, tuple[int, ...]] = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}
AUXILIARY = {"inception4a": 512, "inception4d": 528}  # where the auxiliary heads read, and how many maps
RENAME = (
    (r"^(conv\d)\.conv\.", r"body.\1.0."),
    (r"^(conv\d)\.bn\.", r"body.\1.1."),
    (r"^(inception..)\.branch1\.", r"body.\1.branches.0."),
    (r"^(inception..)\.branch2\.", r"body.\1.branches.1."),
    (r"^(inception..)\.branch3\.", r"body.\1.branches.2."),
    (r"^(inception..)\.branch4\.", r"body.\1.branches.3."),
    (r"^aux1\.", "auxiliary.inception4a."),
    (r"^aux2\.", "auxiliary.inception4d."),
    (r"^(auxiliary.*)\.fc1\.", r"\1.3."),
    (r"^(auxiliary.*)\.fc2\.", r"\1.6."),
    (r"^(auxiliary.*\.)conv\.conv\.", r"\g<1>1.0."),
    (r"^(auxiliary.*\.)conv\.bn\.", r"\g<1>1.1."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
    (r"^fc\.", "head.3."),
)


def inception_module(w_in: int, widths: tuple[int, ...], unit: Unit, wide_kernel: int, pool_ceil: bool) -> Branches:
    """1x1, reduced 3x3, reduced 5x5, and a pool that 1x1 projects, side by side (figure 2b)."""
    w_1x1, reduce_3x3, w_3x3, reduce_5x5, w_5x5, w_pool = widths
    return Branches(
        unit(w_in, w_1x1, 1),
        nn.Sequential(unit(w_in, reduce_3x3, 1), unit(reduce_3x3, w_3x3, 3)),
        nn.Sequential(unit(w_in, reduce_5x5, 1), unit(reduce_5x5, w_5x5, wide_kernel)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=pool_ceil), unit(w_in, w_pool, 1)),
    )


def auxiliary_head(w_in: int, num_classes: int, unit: Unit) -> nn.Sequential:
    """A classifier in the middle of the network, for training alone: 4x4 places, 1x1 to 128 maps, 1024 hidden units (section 5)."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(4),
        unit(w_in, 128, 1),
        nn.Flatten(),
        nn.Linear(2048, 1024),
        nn.ReLU(inplace=True),
        nn.Dropout(0.7),
        nn.Linear(1024, num_classes),
    )


@register(
    ModelSpec(
        name="inception_imagenet",
        title="GoogLeNet",
        aliases=("googlenet",),
        family="inception",
        year=2014,
        paper=INCEPTION_PAPER,
        parents=("nin_imagenet",),
        takes="1x1 convolutions as reductions before each wide branch, and an average in place of the fully connected layers.",
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=15,
        head_kind="gap+fc",
        published=(
            Published(6_624_904, 1_498_376_192, "torchvision"),
            Published(13_004_888, 1_498_376_192, "torchvision, auxiliary heads", knobs={"aux": "on"}),
            Published(6_998_552, 1_582_671_872, "BVLC/caffe models/bvlc_googlenet", knobs={"form": "caffe"}),
        ),
        knobs={"form": ("bn", "caffe"), "aux": ("off", "on")},
        deviations=(
            "As in torchvision batch norm follows each convolution and the 5x5 branch is 3x3; form=caffe is the paper's network.",
            "Auxiliary heads are left out; aux=on adds them to the loss at 0.3 in training, pooled to 4x4 as in torchvision.",
        ),
        weights=Weights("torchvision:googlenet", "IMAGENET1K_V1", RENAME, mean=HALF, deviation=HALF),
    )
)
def build_inception_imagenet(num_classes: int, in_channels: int, image_size: int, *, form: str = "bn", aux: str = "off") -> nn.Module:
    """A 7x7 stem, nine modules with pools between, dropout before the last layer (table 1)."""
    caffe = form == "caffe"
    unit: Unit = conv_relu if caffe else functools.partial(conv_norm, eps=1e-3, relu=True)
    response_norm = [nn.LocalResponseNorm(5)] if caffe else []
    body = nn.ModuleDict(
        {
            "conv1": unit(in_channels, 64, 7, 2),
            "pool1": nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), *response_norm),
            "conv2": unit(64, 64, 1),
            "conv3": nn.Sequential(*unit(64, 192, 3), *response_norm),  # type: ignore[misc]
            "pool2": nn.MaxPool2d(3, 2, ceil_mode=True),
        }
    )
    w_in = 192
    for name, widths in MODULES.items():
        body[name] = inception_module(w_in, widths, unit, 5 if caffe else 3, not caffe)
        w_in = widths[0] + widths[2] + widths[4] + widths[5]
        if name in ("inception3b", "inception4e"):
            body[f"pool{name[-2]}"] = nn.MaxPool2d(3 if caffe or name == "inception3b" else 2, 2, ceil_mode=True)
    heads = {name: auxiliary_head(w_in, num_classes, unit) for name, w_in in AUXILIARY.items()} if aux == "on" else {}
    return WithAuxiliary(body, average_and_linear(1024, num_classes, dropout=0.4 if caffe else 0.2), heads, weight=0.3)

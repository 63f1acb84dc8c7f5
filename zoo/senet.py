"""SENet (Hu et al., 2018): channel interaction as a part of its own, on the residual path."""

from __future__ import annotations

import functools

from torch import nn

from zoo._blocks import Classifier, average_and_linear
from zoo._claims import CHANNEL_MEAN, RESIZED_CROP, Claim
from zoo._residual import RENAME, BasicBlock, Bottleneck, cifar_stages, cifar_stem, imagenet_stages, imagenet_stem, trunk
from zoo.registry import ModelSpec, Paper, Published, Weights, register
from zoo.resnet import CIFAR_EPOCHS

SENET_PAPER = Paper(
    title="Squeeze-and-Excitation Networks",
    arxiv="1709.01507",
    bibtex="""@inproceedings{hu2018squeeze,
  title = {Squeeze-and-Excitation Networks},
  author = {Hu, Jie and Shen, Li and Sun, Gang},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2018},
  eprint = {1709.01507},
  archivePrefix = {arXiv}
}""",
)
GATED = "the paper's gate sits in pre-activated blocks"
TAKES = "A small MLP over the channels, as NIN's, but on their global means: it weighs whole maps instead of mixing them at a place."


def cifar_claim(dataset: str, error_pct: float, where: str) -> Claim:
    """An error on small images, trained as ResNet's authors train theirs but for the preprocessing."""
    return Claim(
        dataset,
        "translation and flip",
        error_pct,
        where,
        network=GATED,
        epochs=CIFAR_EPOCHS,
        preprocessing="normalise",
        translate=4,
        source="section 5.1 of v3 (length) and v4; tables 4 and 5 (baselines of arXiv:1603.05027)",
    )


def gated_bottleneck(w_in: int, w_out: int, stride: int, *, stride_on: str) -> nn.Module:
    """ResNet's bottleneck with a gate before the sum."""
    return Bottleneck(w_in, w_out // 4, w_out, stride, stride_on=stride_on, gate=True)


@register(
    ModelSpec(
        name="senet",
        title="SE-ResNet-20",
        aliases=("seresnet20",),
        family="senet",
        year=2017,
        paper=SENET_PAPER,
        parents=("resnet_basic",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(Published(274_847, 40_815_200, "pytorchcv"),),
        deviations=("Shortcuts are projections, as in pytorchcv.",),
    )
)
def build_senet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """ResNet-20 with projection shortcuts and a gate in each block."""
    block = functools.partial(BasicBlock, shortcut_kind="projection", gate=True)
    return Classifier(trunk(cifar_stem(in_channels, 16), 16, cifar_stages(3), block), average_and_linear(64, num_classes))


@register(
    ModelSpec(
        name="senet_164",
        title="SE-ResNet-164",
        aliases=("seresnet164",),
        family="senet",
        year=2017,
        paper=SENET_PAPER,
        parents=("resnet_bottleneck_164",),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(Published(1_906_258, 247_840_256, "pytorchcv"),),
        claims=(
            cifar_claim("cifar10", 4.39, "arXiv:1709.01507v4, table 4"),
            cifar_claim("cifar100", 21.31, "arXiv:1709.01507v4, table 5"),
        ),
        deviations=("The stride sits on the 3x3, and activation follows the sum.",),
    )
)
def build_senet_164(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """ResNet-164 with a gate in each bottleneck."""
    block = functools.partial(gated_bottleneck, stride_on="3x3")
    return Classifier(trunk(cifar_stem(in_channels, 16), 16, cifar_stages(18, 4), block), average_and_linear(256, num_classes))


@register(
    ModelSpec(
        name="senet_imagenet",
        title="SE-ResNet-50",
        aliases=("seresnet50",),
        family="senet",
        year=2017,
        paper=SENET_PAPER,
        parents=("resnet_bottleneck_imagenet",),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=1,
        head_kind="gap+fc",
        published=(
            Published(28_088_024, 4_091_699_200, "pytorchcv; timm"),
            Published(28_088_024, 3_860_488_192, "arithmetic, stride as the authors have it", knobs={"stride": "1x1"}),
        ),
        claims=(
            Claim(
                "imagenet",
                f"{RESIZED_CROP} and flip",
                23.29,
                "table 2",
                {"stride": "1x1"},
                epochs=100,
                preprocessing=CHANNEL_MEAN,
                source="arXiv:1709.01507v4, section 5.1; hujie-frank/SENet README.md (crop) and models/SE-ResNet-50.prototxt (stride)",
            ),
        ),
        knobs={"stride": ("3x3", "1x1")},
        deviations=("The stride sits on the 3x3, as in later practice; stride=1x1 is the authors' placement.",),
        weights=Weights("timm:seresnet50", "a1_in1k", RENAME, resize=235, bicubic=True),
    )
)
def build_senet_imagenet(num_classes: int, in_channels: int, image_size: int, *, stride: str = "3x3") -> nn.Module:
    """ResNet-50 with a gate in each bottleneck."""
    block = functools.partial(gated_bottleneck, stride_on=stride)
    features = trunk(imagenet_stem(in_channels, 64), 64, imagenet_stages(), block)
    return Classifier(features, average_and_linear(2048, num_classes))

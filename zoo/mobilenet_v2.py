"""MobileNetV2 (Sandler et al., 2018): 1x1 widens, depthwise 3x3 looks, 1x1 narrows without a ReLU."""

from __future__ import annotations

import functools

import torch
from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_norm
from zoo._claims import MINUS_ONE_TO_ONE, Claim, imagenet_epochs
from zoo.registry import ModelSpec, Paper, Published, Weights, register

MOBILENET_V2_PAPER = Paper(
    title="MobileNetV2: Inverted Residuals and Linear Bottlenecks",
    arxiv="1801.04381",
    bibtex="""@inproceedings{sandler2018mobilenetv2,
  title = {{MobileNetV2}: Inverted Residuals and Linear Bottlenecks},
  author = {Sandler, Mark and Howard, Andrew and Zhu, Menglong and Zhmoginov, Andrey and Chen, Liang-Chieh},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2018},
  eprint = {1801.04381},
  archivePrefix = {arXiv}
}""",
)
SLIM = "tensorflow/models research/slim: nets/mobilenet/README.md (about 700,000 steps), preprocessing/inception_preprocessing.py"
TAKES = "1x1 convolutions before and behind each depthwise one; the narrow maps between blocks carry the residual path."
# (expansion, maps, blocks, stride) of each stage, table 2
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class InvertedResidual(nn.Module):
    """1x1 to `expansion * w_in` maps, depthwise 3x3, 1x1 to `w_out`; the input is added where the shape stays (figure 4d).

    As pytorch-cifar has it (`everywhere`), a block without expansion has its 1x1 too, and every block of stride 1 adds its input,
    through a 1x1 projection where the number of maps changes.
    """

    def __init__(self, w_in: int, w_out: int, stride: int, *, expansion: int, everywhere: bool, activation: type[nn.Module]) -> None:
        super().__init__()
        wide = expansion * w_in
        widens = expansion > 1 or everywhere
        self.expand = nn.Sequential(*conv_norm(w_in, wide, 1), activation()) if widens else nn.Identity()
        self.depthwise = nn.Sequential(*conv_norm(wide, wide, 3, stride, groups=wide), activation())
        self.project = conv_norm(wide, w_out, 1)
        self.shortcut: nn.Module | None = None
        if stride == 1 and w_in == w_out:
            self.shortcut = nn.Identity()
        elif stride == 1 and everywhere:
            self.shortcut = conv_norm(w_in, w_out, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        narrow: torch.Tensor = self.project(self.depthwise(self.expand(maps)))
        return narrow if self.shortcut is None else narrow + self.shortcut(maps)


def inverted_network(
    in_channels: int, stem_stride: int, first_strides: tuple[int, ...], *, everywhere: bool, activation: type[nn.Module]
) -> nn.Sequential:
    """A 3x3 stem of 32 maps, seventeen blocks, 1x1 to 1280 maps (table 2); `first_strides` of each stage's first block."""
    block = functools.partial(InvertedResidual, everywhere=everywhere, activation=activation)
    layers: list[nn.Module] = [nn.Sequential(*conv_norm(in_channels, 32, 3, stem_stride), activation())]
    w_in = 32
    for (expansion, w_out, blocks, _), first in zip(STAGES, first_strides, strict=True):
        for stride in (first, *(1,) * (blocks - 1)):
            layers.append(block(w_in, w_out, stride, expansion=expansion))
            w_in = w_out
    return nn.Sequential(*layers, nn.Sequential(*conv_norm(w_in, 1280, 1), activation()))


@register(
    ModelSpec(
        name="mobilenet_v2",
        title="MobileNetV2 (small)",
        family="mobilenet",
        year=2018,
        paper=MOBILENET_V2_PAPER,
        parents=("mobilenet", "resnet_bottleneck"),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(Published(2_296_922, 91_154_944, "kuangliu/pytorch-cifar"),),
        deviations=(
            "For 32x32: the stem and the second stage have stride 1.",
            "As in pytorch-cifar: ReLU for ReLU6, a 1x1 in the first block too, and projected shortcuts where maps change at stride 1.",
        ),
    )
)
def build_mobilenet_v2(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Maps of 32, 16, 8 and 4."""
    features = inverted_network(in_channels, 1, (1, 1, 2, 2, 1, 2, 1), everywhere=True, activation=nn.ReLU)
    return Classifier(features, average_and_linear(1280, num_classes))


@register(
    ModelSpec(
        name="mobilenet_v2_imagenet",
        title="MobileNetV2",
        family="mobilenet",
        year=2018,
        paper=MOBILENET_V2_PAPER,
        parents=("mobilenet_imagenet", "resnet_bottleneck_imagenet"),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=1,
        head_kind="gap+fc",
        published=(Published(3_504_872, 300_774_272, "torchvision"),),
        claims=(
            Claim(
                "imagenet",
                "random resized crop, area 0.05 to 1, flip and colour",
                28.0,
                "table 4",
                epochs=imagenet_epochs(700_000, 8 * 96),
                preprocessing=MINUS_ONE_TO_ONE,
                source=SLIM,
            ),
        ),
        weights=Weights(
            "torchvision:mobilenet_v2",
            "IMAGENET1K_V1",
            (
                (r"^features\.1\.conv\.0\.", "features.1.depthwise."),
                (r"^features\.1\.conv\.(1|2)\.", r"features.1.project.\1."),
                (r"^features\.1\.project\.1\.", "features.1.project.0."),
                (r"^features\.1\.project\.2\.", "features.1.project.1."),
                (r"\.conv\.0\.", ".expand."),
                (r"\.conv\.1\.", ".depthwise."),
                (r"\.conv\.2\.", ".project.0."),
                (r"\.conv\.3\.", ".project.1."),
                (r"^classifier\.1\.", "head.3."),
            ),
        ),
    )
)
def build_mobilenet_v2_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Maps of 112, 56, 28, 14 and 7, ReLU6, dropout 0.2 in the head."""
    strides = tuple(stride for _, _, _, stride in STAGES)
    features = inverted_network(in_channels, 2, strides, everywhere=False, activation=nn.ReLU6)
    return Classifier(features, average_and_linear(1280, num_classes, dropout=0.2))

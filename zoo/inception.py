"""Inception (Szegedy et al., 2015), in the small form of Zhang et al. 2017, figure 3. GoogLeNet itself is in googlenet.py."""

from __future__ import annotations

from torch import nn

from zoo._blocks import Branches, Classifier, average_and_linear, conv_norm, scaled
from zoo.registry import WIDTH, ModelSpec, Paper, Published, register

INCEPTION_PAPER = Paper(
    title="Going Deeper with Convolutions",
    arxiv="1409.4842",
    bibtex="""@inproceedings{szegedy2015going,
  title = {Going Deeper with Convolutions},
  author = {Szegedy, Christian and Liu, Wei and Jia, Yangqing and Sermanet, Pierre and Reed, Scott and Anguelov, Dragomir
            and Erhan, Dumitru and Vanhoucke, Vincent and Rabinovich, Andrew},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2015},
  eprint = {1409.4842},
  archivePrefix = {arXiv}
}""",
)
MODULES_16 = ((112, 48), (96, 64), (80, 80), (48, 96))  # maps of the 1x1 and the 3x3 branch at 16x16


def unit(w_in: int, w_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution with bias, batch norm, ReLU."""
    return conv_norm(w_in, w_out, kernel, stride, bias=True, relu=True)


def downsample_module(w_in: int, w_3x3: int) -> Branches:
    """A 3x3 convolution and max pooling, both with stride 2: `w_3x3 + w_in` maps of half the side."""
    return Branches(unit(w_in, w_3x3, 3, stride=2), nn.MaxPool2d(3, 2, padding=1))


@register(
    ModelSpec(
        name="inception",
        title="Inception (small)",
        family="inception",
        year=2014,
        paper=INCEPTION_PAPER,
        parents=("nin",),
        takes="1x1 convolutions beside 3x3 ones in every module, and an average in place of the fully connected layers.",
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(Published(1_652_826, 266_734_880, "arXiv:1611.03530, figure 3; its 1,649,402 leave out the norms' affine pairs"),),
        knobs={"pointwise": ("on", "off"), "width": WIDTH},
        deviations=(
            "The small Inception of arXiv:1611.03530: no 5x5 or pooling branch, padding keeps maps at 32-16-8.",
            "pointwise=off makes the 1x1 branch of each module a 3x3 one.",
        ),
    )
)
def build_inception(num_classes: int, in_channels: int, image_size: int, *, pointwise: str = "on", width: float = 1.0) -> nn.Module:
    """A 3x3 stem, eight Inception modules and two downsampling modules, mean pooling, one linear layer."""
    small = 1 if pointwise == "on" else 3
    layers: list[nn.Module] = []

    def add(module: nn.Module, w_out: int) -> int:
        layers.append(module)
        return w_out

    def inception_module(w_in: int, w_1x1: int, w_3x3: int) -> int:
        """A 1x1 and a 3x3 branch side by side: `w_1x1 + w_3x3` maps."""
        narrow, wide = scaled(w_1x1, width), scaled(w_3x3, width)
        return add(Branches(unit(w_in, narrow, small), unit(w_in, wide, 3)), narrow + wide)

    def downsample(w_in: int, w_3x3: int) -> int:
        wide = scaled(w_3x3, width)
        return add(downsample_module(w_in, wide), wide + w_in)

    maps = add(unit(in_channels, scaled(96, width), 3), scaled(96, width))
    maps = inception_module(inception_module(maps, 32, 32), 32, 48)
    maps = downsample(maps, 80)
    for w_1x1, w_3x3 in MODULES_16:
        maps = inception_module(maps, w_1x1, w_3x3)
    maps = downsample(maps, 96)
    maps = inception_module(inception_module(maps, 176, 160), 176, 160)
    return Classifier(nn.Sequential(*layers), average_and_linear(maps, num_classes))

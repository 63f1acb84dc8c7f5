"""Inception (Szegedy et al., 2015), in the small form of Zhang et al. 2017, figure 3."""

from __future__ import annotations

import torch
from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_norm
from zoo.registry import ModelSpec, Paper, Published, register

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


class Branches(nn.Module):
    """Runs each branch on the same maps and joins the results along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


def unit(w_in: int, w_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution with bias, batch norm, ReLU."""
    return nn.Sequential(*conv_norm(w_in, w_out, kernel, stride, bias=True), nn.ReLU(inplace=True))


def inception_module(w_in: int, w_1x1: int, w_3x3: int) -> Branches:
    """A 1x1 and a 3x3 branch side by side: `w_1x1 + w_3x3` maps."""
    return Branches(unit(w_in, w_1x1, 1), unit(w_in, w_3x3, 3))


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
        deviations=("The small Inception of arXiv:1611.03530: no 5x5 or pooling branch, padding keeps maps at 32-16-8.",),
    )
)
def build_inception(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """A 3x3 stem, eight Inception modules and two downsampling modules, mean pooling, one linear layer."""
    features = nn.Sequential(
        unit(in_channels, 96, 3),
        inception_module(96, 32, 32),
        inception_module(64, 32, 48),
        downsample_module(80, 80),
        inception_module(160, 112, 48),
        inception_module(160, 96, 64),
        inception_module(160, 80, 80),
        inception_module(160, 48, 96),
        downsample_module(144, 96),
        inception_module(240, 176, 160),
        inception_module(336, 176, 160),
    )
    return Classifier(features, average_and_linear(336, num_classes))

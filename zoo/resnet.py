"""ResNet (He et al., 2016): residual paths, and in the bottleneck 1x1 convolutions around each 3x3."""

from __future__ import annotations

import torch
from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_norm
from zoo.registry import ModelSpec, Paper, Published, register

RESNET_PAPER = Paper(
    title="Deep Residual Learning for Image Recognition",
    arxiv="1512.03385",
    bibtex="""@inproceedings{he2016deep,
  title = {Deep Residual Learning for Image Recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016},
  eprint = {1512.03385},
  archivePrefix = {arXiv}
}""",
)
EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1 squeezes to `width`, 3x3 looks, 1x1 restores `4 * width`; the input is added (figure 5, right)."""

    def __init__(self, w_in: int, width: int, stride: int, stride_on: str) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        w_out = EXPANSION * width
        self.squeeze = conv_norm(w_in, width, 1, first)
        self.look = conv_norm(width, width, 3, second)
        self.restore = conv_norm(width, w_out, 1)
        self.shortcut = nn.Identity() if w_in == w_out and stride == 1 else conv_norm(w_in, w_out, 1, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        residual = self.restore(self.relu(self.look(self.relu(self.squeeze(maps)))))
        joined: torch.Tensor = self.relu(residual + self.shortcut(maps))
        return joined


def stage(w_in: int, width: int, depth: int, stride: int, stride_on: str) -> list[Bottleneck]:
    """`depth` bottlenecks, the first with the stage's stride and projection."""
    first = Bottleneck(w_in, width, stride, stride_on)
    return [first, *(Bottleneck(EXPANSION * width, width, 1, stride_on) for _ in range(depth - 1))]


@register(
    ModelSpec(
        name="resnet_bottleneck",
        title="ResNet-29 bottleneck",
        aliases=("resnet29",),
        family="resnet",
        year=2015,
        paper=RESNET_PAPER,
        parents=("nin", "inception"),
        takes="1x1 convolutions squeeze the channels before each 3x3 and restore them after; the head averages the last maps.",
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(
            Published(313_114, 47_106_560, "arithmetic from the layers named here"),
            Published(313_114, 43_960_832, "arithmetic, stride as in the paper", knobs={"stride": "1x1"}),
        ),
        knobs={"stride": ("3x3", "1x1")},
        deviations=(
            "The paper's CIFAR networks use basic blocks; these are its bottlenecks in the same three stages.",
            "The stride sits on the 3x3, as in later practice; stride=1x1 is the paper's placement.",
        ),
    )
)
def build_resnet_bottleneck(num_classes: int, in_channels: int, image_size: int, *, stride: str = "3x3") -> nn.Module:
    """A 3x3 stem and three stages of three bottlenecks, widths 16, 32, 64 times four."""
    features = nn.Sequential(
        conv_norm(in_channels, 16, 3),
        nn.ReLU(inplace=True),
        *stage(16, 16, 3, 1, stride),
        *stage(64, 32, 3, 2, stride),
        *stage(128, 64, 3, 2, stride),
    )
    return Classifier(features, average_and_linear(256, num_classes))

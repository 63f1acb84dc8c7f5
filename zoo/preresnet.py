"""ResNet with activation before each convolution (He et al., 2016b)."""

from __future__ import annotations

import functools

import torch
from torch import nn

from zoo._blocks import Classifier, average_and_linear
from zoo._claims import Claim
from zoo._residual import Stage, cifar_stages, trunk
from zoo.registry import ModelSpec, Paper, Published, register
from zoo.resnet import AS_RESNET, cifar_claim

PRERESNET_PAPER = Paper(
    title="Identity Mappings in Deep Residual Networks",
    arxiv="1603.05027",
    bibtex="""@inproceedings{he2016identity,
  title = {Identity Mappings in Deep Residual Networks},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {European Conference on Computer Vision},
  year = {2016},
  eprint = {1603.05027},
  archivePrefix = {arXiv}
}""",
)


def claim(dataset: str, error_pct: float) -> Claim:
    """An error of table 4, trained as ResNet was."""
    return cifar_claim(error_pct, "table 4", dataset, AS_RESNET, stride="1x1")


def norm_relu_conv(w_in: int, w_out: int, kernel: int, stride: int) -> nn.Sequential:
    """Batch norm, ReLU, then the convolution (figure 4e)."""
    return nn.Sequential(nn.BatchNorm2d(w_in), nn.ReLU(), nn.Conv2d(w_in, w_out, kernel, stride, kernel // 2, bias=False))


class PreactivatedBottleneck(nn.Module):
    """1x1, 3x3, 1x1, each behind its own norm; where the shape changes, the shortcut starts behind the first norm."""

    def __init__(self, w_in: int, w_out: int, stride: int, *, stride_on: str) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        inner = w_out // 4
        self.activate = nn.Sequential(nn.BatchNorm2d(w_in), nn.ReLU())
        self.squeeze = nn.Conv2d(w_in, inner, 1, first, bias=False)
        self.look = norm_relu_conv(inner, inner, 3, second)
        self.restore = norm_relu_conv(inner, w_out, 1, 1)
        self.project = nn.Conv2d(w_in, w_out, 1, stride, bias=False) if w_in != w_out or stride != 1 else None

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        activated = self.activate(maps)
        shortcut = maps if self.project is None else self.project(activated)
        joined: torch.Tensor = self.restore(self.look(self.squeeze(activated))) + shortcut
        return joined


@register(
    ModelSpec(
        name="preresnet_164",
        title="PreResNet-164",
        aliases=("preresnet164",),
        family="preresnet",
        year=2016,
        paper=PRERESNET_PAPER,
        parents=("resnet_bottleneck_164",),
        takes="ResNet's bottleneck of 1x1 layers; its norms and ReLUs come first, so that the residual path stays clear.",
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        published=(
            Published(1_703_258, 247_646_720, "pytorchcv"),
            Published(1_703_258, 244_500_992, "KaimingHe/resnet-1k-layers", knobs={"stride": "1x1"}),
        ),
        claims=(
            claim("cifar10", 5.46),
            claim("cifar100", 24.33),
        ),
        knobs={"stride": ("3x3", "1x1")},
        deviations=("The stride sits on the 3x3, as in pytorchcv; stride=1x1 is the authors' placement.",),
    )
)
def build_preresnet_164(num_classes: int, in_channels: int, image_size: int, *, stride: str = "3x3") -> nn.Module:
    """A 3x3 stem without norm, three stages of eighteen blocks, a last norm and ReLU."""
    block = functools.partial(PreactivatedBottleneck, stride_on=stride)
    stages: tuple[Stage, ...] = cifar_stages(18, 4)
    features = trunk(nn.Conv2d(in_channels, 16, 3, padding=1, bias=False), 16, stages, block)
    features.add_module("activate", nn.Sequential(nn.BatchNorm2d(256), nn.ReLU()))
    return Classifier(features, average_and_linear(256, num_classes))

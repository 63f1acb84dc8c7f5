"""ConvNeXt (Liu et al., 2022): a depthwise 7x7 and a channel MLP at each place: NIN's block in modern dress."""

from __future__ import annotations

import torch
from torch import nn

from zoo._blocks import Classifier, scaled
from zoo._claims import RESIZED_CROP, Claim
from zoo.registry import WIDTH, ModelSpec, Paper, Published, TrainingHints, Weights, register

CONVNEXT_PAPER = Paper(
    title="A ConvNet for the 2020s",
    arxiv="2201.03545",
    bibtex="""@inproceedings{liu2022convnet,
  title = {A {ConvNet} for the 2020s},
  author = {Liu, Zhuang and Mao, Hanzi and Wu, Chao-Yuan and Feichtenhofer, Christoph and Darrell, Trevor and Xie, Saining},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2022},
  eprint = {2201.03545},
  archivePrefix = {arXiv}
}""",
)
TAKES = "An MLP of two layers over the channels of each place, behind a spatial filter: an mlpconv layer, with a residual path."
LAYER_SCALE = 1e-6


class LayerNormOverChannels(nn.LayerNorm):
    """Layer norm of `(N, C, H, W)` over C, at each place."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return normed


class Block(nn.Module):
    """Depthwise 7x7, layer norm, linear to four times the channels, GELU, linear back, scaled; the input is added (figure 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.gelu = nn.GELU()
        self.project = nn.Linear(4 * channels, channels)
        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), LAYER_SCALE))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        places = self.norm(self.depthwise(maps).permute(0, 2, 3, 1))
        mixed: torch.Tensor = self.layer_scale * self.project(self.gelu(self.expand(places))).permute(0, 3, 1, 2)
        return maps + mixed


def convnext(num_classes: int, in_channels: int, patch: int, depths: tuple[int, ...], widths: tuple[int, ...]) -> nn.Module:
    """Patches of `patch` pixels, stages of blocks with 2x2 layers of stride 2 between them, the averaged head behind a norm."""
    layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(in_channels, widths[0], patch, patch), LayerNormOverChannels(widths[0]))]
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage:
            before = widths[stage - 1]
            layers.append(nn.Sequential(LayerNormOverChannels(before), nn.Conv2d(before, width, 2, 2)))
        layers.append(nn.Sequential(*(Block(width) for _ in range(depth))))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(widths[-1], eps=1e-6), nn.Linear(widths[-1], num_classes))
    return Classifier(nn.Sequential(*layers), head)


@register(
    ModelSpec(
        name="convnext",
        title="ConvNeXt-A (small)",
        family="convnext",
        year=2022,
        paper=CONVNEXT_PAPER,
        parents=("resnet_bottleneck", "mobilenet"),
        takes=TAKES,
        input_shape=(3, 32, 32),
        min_size=16,
        head_kind="gap+fc",
        published=(Published(3_376_290, 44_288_640, "arithmetic, layer by layer in the tests"),),
        knobs={"width": WIDTH},
        deviations=(
            "For 32x32: timm's Atto widths and depths, and patches of 2x2 pixels in the stem.",
            "No stochastic depth, as archbench's recipes have none.",
        ),
        hints=TrainingHints(lr=0.1, warmup_fraction=0.25, clip_norm=1.0, reason="made for AdamW; layer scale starts near zero"),
    )
)
def build_convnext(num_classes: int, in_channels: int, image_size: int, *, width: float = 1.0) -> nn.Module:
    """Stages of 2, 2, 6 and 2 blocks, 40, 80, 160 and 320 maps times `width`, at 16, 8, 4 and 2."""
    first, second, third, fourth = (scaled(maps, width) for maps in (40, 80, 160, 320))
    return convnext(num_classes, in_channels, 2, (2, 2, 6, 2), (first, second, third, fourth))


@register(
    ModelSpec(
        name="convnext_imagenet",
        title="ConvNeXt-T",
        aliases=("convnext_tiny",),
        family="convnext",
        year=2022,
        paper=CONVNEXT_PAPER,
        parents=("resnet_bottleneck_imagenet", "mobilenet_imagenet"),
        takes=TAKES,
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=32,
        head_kind="gap+fc",
        published=(Published(28_589_128, 4_455_531_264, "torchvision"),),
        claims=(
            Claim(
                "imagenet",
                f"{RESIZED_CROP}, flip, RandAugment, mixup, CutMix and random erasing",
                17.9,
                "table 1",
                network="the paper's has stochastic depth of 0.1",
                epochs=300,
                preprocessing="normalise",
                source="appendix A.1; facebookresearch/ConvNeXt main.py and TRAINING.md",
            ),
        ),
        deviations=("No stochastic depth, as archbench's recipes have none.",),
        hints=TrainingHints(lr=0.1, warmup_fraction=0.25, clip_norm=1.0, reason="made for AdamW; layer scale starts near zero"),
        weights=Weights(
            "torchvision:convnext_tiny",
            "IMAGENET1K_V1",
            (
                (r"\.block\.0\.", ".depthwise."),
                (r"\.block\.2\.", ".norm."),
                (r"\.block\.3\.", ".expand."),
                (r"\.block\.5\.", ".project."),
                (r"^classifier\.0\.", "head.2."),
                (r"^classifier\.2\.", "head.3."),
            ),
            resize=236,
        ),
    )
)
def build_convnext_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Stages of 3, 3, 9 and 3 blocks, 96, 192, 384 and 768 maps, at 56, 28, 14 and 7."""
    return convnext(num_classes, in_channels, 4, (3, 3, 9, 3), (96, 192, 384, 768))

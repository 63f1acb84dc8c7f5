"""Residual blocks and the trunks made of them: ResNet, ResNeXt and SENet share these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from zoo._blocks import SqueezeExcite, conv_norm, named, scaled

Block = Callable[[int, int, int], nn.Module]  # (maps in, maps out, stride) -> block


class PadShortcut(nn.Module):
    """Every `stride`-th place, and maps of zeros for those that are missing: a shortcut without parameters (option A)."""

    def __init__(self, w_in: int, w_out: int, stride: int) -> None:
        super().__init__()
        self.missing, self.stride = w_out - w_in, stride

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(maps[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))


def shortcut(kind: str, w_in: int, w_out: int, stride: int) -> nn.Module:
    """The identity where the shape stays; else a 1x1 projection with batch norm (option B) or padding (option A)."""
    if w_in == w_out and stride == 1:
        return nn.Identity()
    return conv_norm(w_in, w_out, 1, stride) if kind == "projection" else PadShortcut(w_in, w_out, stride)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions; the input is added (He et al. 2016, figure 5, left). `gate` adds squeeze-and-excitation."""

    def __init__(self, w_in: int, w_out: int, stride: int, *, shortcut_kind: str = "pad", gate: bool = False) -> None:
        super().__init__()
        self.first = conv_norm(w_in, w_out, 3, stride)
        self.second = conv_norm(w_out, w_out, 3)
        self.gate = SqueezeExcite(w_out) if gate else nn.Identity()
        self.shortcut = shortcut(shortcut_kind, w_in, w_out, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        residual = self.gate(self.second(self.relu(self.first(maps))))
        joined: torch.Tensor = self.relu(residual + self.shortcut(maps))
        return joined


class Bottleneck(nn.Module):
    """1x1 squeezes to `inner` maps, 3x3 looks, 1x1 restores `w_out`; the input is added (He et al. 2016, figure 5, right).

    `groups` splits the 3x3 (Xie et al. 2017, figure 3c), `gate` adds squeeze-and-excitation (Hu et al. 2018, figure 3).
    """

    def __init__(
        self, w_in: int, inner: int, w_out: int, stride: int, *, stride_on: str = "3x3", groups: int = 1, gate: bool = False
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        self.squeeze = conv_norm(w_in, inner, 1, first)
        self.look = conv_norm(inner, inner, 3, second, groups=groups)
        self.restore = conv_norm(inner, w_out, 1)
        self.gate = SqueezeExcite(w_out) if gate else nn.Identity()
        self.shortcut = shortcut("projection", w_in, w_out, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        residual = self.gate(self.restore(self.relu(self.look(self.relu(self.squeeze(maps))))))
        joined: torch.Tensor = self.relu(residual + self.shortcut(maps))
        return joined


@dataclass(frozen=True)
class Stage:
    """`depth` blocks that give `w_out` maps, the first with `stride`."""

    w_out: int
    depth: int
    stride: int


CIFAR_WIDTHS, IMAGENET_WIDTHS = (16, 32, 64), (64, 128, 256, 512)
IMAGENET_DEPTHS = (3, 4, 6, 3)


def cifar_stages(depth: int, expansion: int = 1, width: float = 1.0) -> tuple[Stage, ...]:
    """Three stages of `depth` blocks, 16, 32 and 64 maps times `expansion` (He et al. 2016, section 4.2)."""
    return tuple(Stage(scaled(maps * expansion, width), depth, 1 if maps == 16 else 2) for maps in CIFAR_WIDTHS)


def imagenet_stages(expansion: int = 4, width: float = 1.0) -> tuple[Stage, ...]:
    """The four stages of the fifty-layer networks (He et al. 2016, table 1)."""
    zipped = zip(IMAGENET_WIDTHS, IMAGENET_DEPTHS, strict=True)
    return tuple(Stage(scaled(maps * expansion, width), depth, 1 if maps == 64 else 2) for maps, depth in zipped)


def cifar_stem(in_channels: int, w_out: int) -> nn.Sequential:
    """One 3x3 convolution."""
    return conv_norm(in_channels, w_out, 3, relu=True)


def imagenet_stem(in_channels: int, w_out: int) -> nn.Sequential:
    """7x7 with stride 2, then max pooling 3x3 with stride 2."""
    return nn.Sequential(*conv_norm(in_channels, w_out, 7, 2, relu=True), nn.MaxPool2d(3, 2, 1))


def trunk(stem: nn.Module, w_stem: int, stages: tuple[Stage, ...], block: Block) -> nn.Sequential:
    """The stem, then each stage's blocks."""
    layers, w_in = {"stem": stem}, w_stem
    for number, stage in enumerate(stages, start=1):
        first = block(w_in, stage.w_out, stage.stride)
        layers[f"stage{number}"] = nn.Sequential(first, *(block(stage.w_out, stage.w_out, 1) for _ in range(stage.depth - 1)))
        w_in = stage.w_out
    return named(**layers)


# names of torchvision's and timm's fifty-layer networks, and ours
RENAME = (
    (r"^conv1\.", "features.stem.0."),
    (r"^bn1\.", "features.stem.1."),
    (r"^layer(\d)\.", r"features.stage\1."),
    (r"\.conv1\.", ".squeeze.0."),
    (r"\.bn1\.", ".squeeze.1."),
    (r"\.conv2\.", ".look.0."),
    (r"\.bn2\.", ".look.1."),
    (r"\.conv3\.", ".restore.0."),
    (r"\.bn3\.", ".restore.1."),
    (r"\.downsample\.", ".shortcut."),
    (r"\.se\.fc1\.", ".gate.squeeze."),
    (r"\.se\.fc2\.", ".gate.excite."),
    (r"^fc\.", "head.2."),
)

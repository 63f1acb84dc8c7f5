"""Layers that several families share."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import nn

Size = int | tuple[int, int]


class Classifier(nn.Module):
    """`features` give maps `(N, C, H, W)`, `head` turns them into logits `(N, num_classes)`."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(images))
        return logits


class Branches(nn.Module):
    """Runs each branch on the same maps and joins the results along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


class WithAuxiliary(nn.Module):
    """Like `Classifier`; in training the `auxiliary` heads, each behind the part of the body it is named for, give logits too.

    In training mode with such heads the answer is `(logits, [auxiliary logits])`, and `weight` is their share in the loss.
    """

    def __init__(self, body: nn.ModuleDict, head: nn.Module, auxiliary: Mapping[str, nn.Module], weight: float) -> None:
        super().__init__()
        self.body, self.head, self.auxiliary, self.weight = body, head, nn.ModuleDict(dict(auxiliary)), weight

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, list[torch.Tensor]]:
        maps, extra = images, []
        for name, part in self.body.items():
            maps = part(maps)
            if self.training and name in self.auxiliary:
                extra.append(self.auxiliary[name](maps))
        logits: torch.Tensor = self.head(maps)
        return (logits, extra) if extra else logits


class MaxPieces(nn.Module):
    """The largest of `pieces` neighbouring channels or features: maxout's activation (Goodfellow et al. 2013, section 3)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        largest: torch.Tensor = values.unflatten(1, (-1, self.pieces)).amax(2)
        return largest


def named(**layers: nn.Module) -> nn.Sequential:
    """Layers one after the other, each with its name."""
    return nn.Sequential(OrderedDict(layers))


def scaled(channels: int, width: float) -> int:
    """A number of maps times a width factor, at least 1."""
    return max(1, round(channels * width))


def same_padding(kernel: Size) -> Size:
    """The padding that keeps a map's size at stride 1."""
    return kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)


def conv_norm(
    w_in: int,
    w_out: int,
    kernel: Size,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    padding: Size | None = None,
    eps: float = 1e-5,
    relu: bool = False,
) -> nn.Sequential:
    """A convolution, batch norm and perhaps ReLU, padded to keep the map's size at stride 1 unless `padding` is given."""
    padding = same_padding(kernel) if padding is None else padding
    convolution = nn.Conv2d(w_in, w_out, kernel, stride, padding, groups=groups, bias=bias)
    return nn.Sequential(convolution, nn.BatchNorm2d(w_out, eps), *([nn.ReLU(inplace=True)] if relu else []))


def conv_relu(w_in: int, w_out: int, kernel: int, stride: int = 1, padding: int | None = None, groups: int = 1) -> nn.Sequential:
    """A convolution with bias and ReLU, padded as `conv_norm` is."""
    padding = kernel // 2 if padding is None else padding
    return nn.Sequential(nn.Conv2d(w_in, w_out, kernel, stride, padding, groups=groups), nn.ReLU(inplace=True))


def max_pool_ceil() -> nn.MaxPool2d:
    """Max pooling 3x3, stride 2, rounding up without padding, as cuda-convnet and Caffe do: 32 -> 16 -> 8."""
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def pooled_ceil(size: int) -> int:
    """The side of a map after `max_pool_ceil`, for sides of 2 and more."""
    return math.ceil((size - 3) / 2) + 1


def pooled_floor(size: int) -> int:
    """The side of a map after max pooling 3x3, stride 2, rounding down."""
    return (size - 3) // 2 + 1


def global_average() -> nn.Sequential:
    """The mean of each map: `(N, C, H, W)` to `(N, C)`. *Network In Network*, section 3.2."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def average_and_linear(w_in: int, num_classes: int, dropout: float = 0.0) -> nn.Sequential:
    """Global average, dropout where there is any, and one linear layer: the head of Inception, ResNet and MobileNet."""
    return nn.Sequential(*global_average(), *([nn.Dropout(dropout)] if dropout else []), nn.Linear(w_in, num_classes))


class SqueezeExcite(nn.Module):
    """Weighs each map by what the means of all maps say: two linear layers and a sigmoid (Hu et al. 2018, figure 3)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // reduction)
        self.excite = nn.Linear(channels // reduction, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        gates = torch.sigmoid(self.excite(torch.relu(self.squeeze(maps.mean((2, 3))))))
        return maps * gates[:, :, None, None]

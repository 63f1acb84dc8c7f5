"""Layers that several families share."""

from __future__ import annotations

import math

import torch
from torch import nn


class Classifier(nn.Module):
    """`features` give maps `(N, C, H, W)`, `head` turns them into logits `(N, num_classes)`."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(images))
        return logits


def conv_relu(w_in: int, w_out: int, kernel: int, stride: int = 1, padding: int | None = None, norm: bool = False) -> nn.Sequential:
    """A convolution and ReLU; `norm` puts batch norm between them and leaves out the convolution's bias.

    The padding keeps the map's size at stride 1 unless given.
    """
    padding = kernel // 2 if padding is None else padding
    convolution = nn.Conv2d(w_in, w_out, kernel, stride, padding, bias=not norm)
    return nn.Sequential(convolution, *([nn.BatchNorm2d(w_out)] if norm else []), nn.ReLU(inplace=True))


def conv_norm(w_in: int, w_out: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False) -> nn.Sequential:
    """A convolution and batch norm, padded to keep the map's size at stride 1."""
    return nn.Sequential(nn.Conv2d(w_in, w_out, kernel, stride, kernel // 2, groups=groups, bias=bias), nn.BatchNorm2d(w_out))


def max_pool_ceil() -> nn.MaxPool2d:
    """Max pooling 3x3, stride 2, rounding up without padding, as cuda-convnet and Caffe do: 32 -> 16 -> 8."""
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def pooled_ceil(size: int) -> int:
    """The side of a map after `max_pool_ceil`, for sides of 2 and more."""
    return math.ceil((size - 3) / 2) + 1


def global_average() -> nn.Sequential:
    """The mean of each map: `(N, C, H, W)` to `(N, C)`. *Network In Network*, section 3.2."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def average_and_linear(w_in: int, num_classes: int) -> nn.Sequential:
    """Global average and one linear layer: the head of Inception, ResNet and MobileNet."""
    return nn.Sequential(*global_average(), nn.Linear(w_in, num_classes))

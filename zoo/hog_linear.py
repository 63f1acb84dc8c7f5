"""Histograms of oriented gradients (Dalal and Triggs, 2005) under a linear classifier: local abstraction by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from zoo._blocks import Classifier
from zoo.registry import ModelSpec, Paper, Published, register

HOG_PAPER = Paper(
    title="Histograms of Oriented Gradients for Human Detection",
    doi="10.1109/CVPR.2005.177",
    bibtex="""@inproceedings{dalal2005histograms,
  title = {Histograms of Oriented Gradients for Human Detection},
  author = {Dalal, Navneet and Triggs, Bill},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2005},
  doi = {10.1109/CVPR.2005.177}
}""",
)
ORIENTATIONS, CELL, BLOCK = 9, 4, 2
CLIP, EPSILON = 0.2, 1e-5


class HistogramOfGradients(nn.Module):
    """Images `(N, C, H, W)` to descriptors `(N, D)`, without parameters; the same numbers as scikit-image's `hog`.

    Unsigned gradients in nine orientations, of the channel where the gradient is largest; means over cells; blocks of 2x2 cells that
    overlap, each normalised by L2-Hys (section 6 of the paper).
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        down, right = gradients(images if images.dtype == torch.float64 else images.float())
        degrees = torch.rad2deg(torch.atan2(down, right)).remainder(180)
        orientation = (degrees * (ORIENTATIONS / 180)).long().clamp(0, ORIENTATIONS - 1)
        magnitude = torch.sqrt(down * down + right * right)
        planes = torch.stack([magnitude * (orientation == number) for number in range(ORIENTATIONS)], dim=1)
        return normalised_blocks(F.avg_pool2d(planes, CELL))


def gradients(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Central differences down and to the right `(N, H, W)`, zero at the border, of the channel where they are largest."""
    down = F.pad(images[:, :, 2:] - images[:, :, :-2], (0, 0, 1, 1))
    right = F.pad(images[:, :, :, 2:] - images[:, :, :, :-2], (1, 1, 0, 0))
    largest = (down * down + right * right).argmax(1, keepdim=True)
    return down.gather(1, largest)[:, 0], right.gather(1, largest)[:, 0]


def normalised_blocks(cells: torch.Tensor) -> torch.Tensor:
    """Blocks of 2x2 cells, each divided by its norm, clipped at 0.2 and divided again."""
    blocks = cells.unfold(2, BLOCK, 1).unfold(3, BLOCK, 1)  # N, orientation, rows, columns, 2, 2
    flat = blocks.permute(0, 2, 3, 4, 5, 1).flatten(3)
    clipped = by_norm(flat).clamp(max=CLIP)
    return by_norm(clipped).flatten(1)


def by_norm(values: torch.Tensor) -> torch.Tensor:
    """Values divided by the L2 norm of their last axis."""
    return values / torch.sqrt((values * values).sum(-1, keepdim=True) + EPSILON**2)


def descriptor_length(image_size: int) -> int:
    """Numbers in a descriptor of a square image."""
    return (image_size // CELL - BLOCK + 1) ** 2 * BLOCK**2 * ORIENTATIONS


@register(
    ModelSpec(
        name="hog_linear",
        title="HOG + linear",
        family="hog",
        year=2005,
        paper=HOG_PAPER,
        takes="Nothing, it is what NIN replaces: a strong local description made by hand, and only the classifier is trained.",
        input_shape=(3, 32, 32),
        min_size=CELL * BLOCK,
        head_kind="fc",
        published=(Published(17_650, 17_640, "arithmetic: 7 x 7 blocks of 36 numbers to 10 classes"),),
        deviations=(
            "Cells of 4x4 pixels for 32x32 images; no interpolation between cells; softmax regression, not a support vector machine.",
        ),
    )
)
def build_hog_linear(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """The descriptor, then one linear layer."""
    return Classifier(HistogramOfGradients(), nn.Linear(descriptor_length(image_size), num_classes))

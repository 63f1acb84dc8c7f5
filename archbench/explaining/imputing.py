"""Pixels filled in from their neighbours, as ROAD does: noisy linear imputation (Rong et al. 2022, arXiv:2202.00449, section 4.2).

Each missing pixel becomes the mean of its eight neighbours, known or missing themselves, of which those beside it weigh twice as much as
those at its corners: a linear system an image. grad-cam's `metrics.road` builds and solves it as a sparse one, image after image on
the CPU, and draws its noise from the process's one generator. Here all images are solved at once, on their device, by conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

NOISE = 0.01  # standard deviation in units of the normalised images, so that the filling does not give away by smoothness where it is
CLOSE, MOST = 1e-3, 200  # norm of what is left of an equation, by that at the start; steps
WEIGHTS = torch.tensor([[1, 2, 1], [2, 0, 2], [1, 2, 1]]) / 12


def imputed(images: torch.Tensor, known: torch.Tensor, noise: float = NOISE) -> torch.Tensor:
    """Images `(N, C, H, W)` whose pixels that are not known, bool `(N, H, W)`, are filled in; at least one pixel of each is known.

    The noise is the same for every image, so that a score does not depend on the images beside it.
    """
    known_there = known[:, None].to(images.dtype)
    missing = 1 - known_there
    share = _neighbours(torch.ones_like(known_there))
    filled = _solved(lambda values: missing * (share * values - _neighbours(values)), missing * _neighbours(images * known_there))
    drawn = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(0)).to(images)
    return torch.where(known[:, None], images, filled + noise * drawn)


def _neighbours(values: torch.Tensor) -> torch.Tensor:
    """The weighted sum of the eight neighbours that lie in the image."""
    channels = values.shape[1]
    return F.conv2d(values, WEIGHTS.to(values).expand(channels, 1, 3, 3), padding=1, groups=channels)


def _solved(times: Callable[[torch.Tensor], torch.Tensor], right: torch.Tensor) -> torch.Tensor:
    """What `times` turns into `right`: conjugate gradients for each channel of each image, until the last of them is close enough."""
    found, left = torch.zeros_like(right), right.clone()
    way, size = left, _dot(left, left)
    enough = CLOSE**2 * size
    for _ in range(MOST):
        if (size <= enough).all():
            break
        turned = times(way)
        step = size / _dot(way, turned).clamp(min=torch.finfo(right.dtype).tiny)
        found, left = found + step * way, left - step * turned
        before, size = size, _dot(left, left)
        way = left + size / before.clamp(min=torch.finfo(right.dtype).tiny) * way
    return found


def _dot(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return (first * second).sum((2, 3), keepdim=True)

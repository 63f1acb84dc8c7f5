"""Where in the image the places of a layer look, so that its maps are laid where their evidence comes from.

A map that is stretched over its image is up to some pixels off: poolings and strides without padding shift it (NIN's two poolings of 3 by 2
by 1.5 pixels), convolutions without padding narrow it (LeNet's 5 x 5 places reach from 8 to 24 of 32), and an outer place sees only that
half of its receptive field that lies in the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from archbench.explaining.places import as_maps, watched

IMAGES = 4  # of noise, that the centres are averaged over
NEAREST = 0.5  # of equal parts of the image, that two places lie apart at least: where each sees all of it, a map would be one point


def centres(network: nn.Module, layer: str, image: torch.Tensor) -> NDArray[np.float64]:
    """The centre of what each place along a side of the layer's maps sees, in pixels, `(places,)`, growing; for images as `(1, C, H, W)`.

    It is the mean position of the pixels, each weighted by how much the place depends on it: the magnitude of its gradient, averaged over
    channels, noise images, and both axes. A place that depends on nothing has the centre of its equal part.
    """
    shape = (IMAGES, *image.shape[1:])
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(shape, generator=random).to(image.device).requires_grad_()
    kept: list[torch.Tensor] = []

    def hear(name: str, module: nn.Module, output: Any) -> Any:
        found = as_maps(output) if name == layer else None
        if found is None:
            return None
        kept[:] = [found]
        return output.clone()  # what follows may change it in place

    with torch.enable_grad(), watched(network, hear):
        network(noise)
    (maps,) = kept
    weighted = maps * torch.randn(maps.shape, generator=random).to(maps.device)  # so that channels do not cancel out
    places = maps.shape[-1]
    found = np.zeros(places)
    for axis in (2, 3):
        for place in range(places):
            (gradient,) = torch.autograd.grad(weighted.select(axis, place).sum(), noise, retain_graph=True)
            found[place] += _mean_position(gradient.abs().sum((0, 1, 5 - axis)), place, places) / 2
    return _apart(found, image.shape[-1])


def _mean_position(weights: torch.Tensor, place: int, places: int) -> float:
    """In pixels of a line of them."""
    line = weights.double().cpu().numpy()
    return float(np.average(np.arange(len(line)) + 0.5, weights=line)) if line.any() else (place + 0.5) * len(line) / places


def _apart(found: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """With the same mean, and at least so far from each other that a map can be seen."""
    gaps = np.diff(found).clip(min=NEAREST * size / len(found))
    moved = np.concatenate([[0.0], np.cumsum(gaps)])
    return np.asarray(moved + found.mean() - moved.mean())

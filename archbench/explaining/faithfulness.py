"""Whether a network's answer depends on the pixels that a map says it does: deletion, insertion and ROAD.

One image costs `EVALUATIONS` evaluations, 27, in inference mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from archbench.explaining.imputing import imputed
from archbench.publish.laying import Centres, laid

STEPS = 8  # equal parts in which pixels are taken away, or given back
REMOVED = (0.1, 0.3, 0.5, 0.7, 0.9)  # shares of the pixels that ROAD takes away
EVALUATIONS = 3 + 2 * (STEPS - 1) + 2 * len(REMOVED)
BLUR = 1 / 8  # standard deviation of the blur that insertion starts from, in sides of the image
BATCH = 128


@dataclass(frozen=True)
class Faithful:
    """Of each of N images, from the probability of the map's class.

    - `deletion`: its mean while the pixels become the training images' mean, the strongest in the map first; the less the better.
    - `insertion`: its mean while they come back over a blurred image, the strongest first; the more the better (both Petsiuk et al. 2018,
      the area under the curve by the trapezoidal rule).
    - `road`: how much larger it is, on average over the shares removed, without the weakest pixels than without the strongest, which are
      filled in from their neighbours (Rong et al. 2022); 0 for a map that knows nothing.
    """

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]
    road: NDArray[np.float64]


@torch.inference_mode()
def faithfulness(
    network: nn.Module,
    images: torch.Tensor,
    maps: NDArray[np.floating],
    classes: NDArray[np.int64],
    batch: int = BATCH,
    centres: Centres | None = None,
) -> Faithful:
    """Of maps `(N, n, n)` of the classes `(N,)`, for normalised images `(N, C, H, W)`; the network is in evaluation mode, on their device.

    The places of the maps have these centres, else they are equal parts of the image.

    Pixels on which the map is equal, as where it is 0, follow in an order that is drawn once for all images, not row by row.
    """
    parts = []
    for start in range(0, len(images), batch):
        some = slice(start, start + batch)
        order = torch.from_numpy(_order(laid(maps[some], images.shape[-1], centres))).to(images.device)
        parts.append(_part(network, images[some], order, torch.from_numpy(classes[some]).to(images.device)))
    return Faithful(*(torch.cat(score).cpu().numpy() for score in zip(*parts, strict=True)))


def _order(over: NDArray[np.float32]) -> NDArray[np.int64]:
    """The rank of each pixel, `(N, size, size)`, 0 where the map over the image is strongest."""
    flat = over.reshape(len(over), -1)
    drawn = np.random.default_rng(0).permutation(flat.shape[1])
    ranks = np.empty(flat.shape, dtype=np.int64)
    np.put_along_axis(ranks, drawn[np.argsort(-flat[:, drawn], axis=1, kind="stable")], np.arange(flat.shape[1])[None], axis=1)
    return ranks.reshape(over.shape)


def _part(network: nn.Module, images: torch.Tensor, order: torch.Tensor, classes: torch.Tensor) -> list[torch.Tensor]:
    """Deletion, insertion and ROAD of one batch."""

    def probability(shown: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network(shown)
        return logits.double().softmax(1).gather(1, classes[:, None])[:, 0]

    pixels = order[0].numel()
    cuts = [round(pixels * step / STEPS) for step in range(1, STEPS)]
    whole, blurred, nothing = images, _blurred(images), torch.zeros_like(images)
    deleted = [torch.where(order[:, None] < cut, nothing, images) for cut in cuts]
    inserted = [torch.where(order[:, None] < cut, images, blurred) for cut in cuts]
    at_ends = [probability(each) for each in (whole, nothing, blurred)]
    deletion = _area([at_ends[0], *map(probability, deleted), at_ends[1]])
    insertion = _area([at_ends[2], *map(probability, inserted), at_ends[0]])
    fall = [
        probability(imputed(images, order < pixels - count)) - probability(imputed(images, order >= count))
        for count in (round(pixels * share) for share in REMOVED)
    ]
    return [deletion, insertion, torch.stack(fall).mean(0)]


def _area(values: list[torch.Tensor]) -> torch.Tensor:
    """Under a curve over equal steps from 0 to 1."""
    return torch.trapezoid(torch.stack(values), dx=1 / STEPS, dim=0)


def _blurred(images: torch.Tensor) -> torch.Tensor:
    """By a Gaussian, over the border into the image's mirror image."""
    size = images.shape[-1]
    at = torch.arange(size, dtype=torch.float64)
    mirrored = torch.stack([at, -1 - at, 2 * size - 1 - at])
    weights = torch.exp(-0.5 * ((at[:, None] - mirrored[:, None]) / (BLUR * size)) ** 2).sum(0)
    weights = (weights / weights.sum(1, keepdim=True)).to(images)
    return weights @ images @ weights.T

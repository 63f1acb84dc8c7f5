"""Deletion, insertion and ROAD of networks whose answer is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from archbench.explaining.faithfulness import EVALUATIONS, REMOVED, STEPS, faithfulness
from archbench.explaining.imputing import NOISE, imputed

SIDE = 8


class Bright(nn.Module):
    """Two classes: the logit of the first is the mean of the upper left quarter times 20, that of the second 0. It counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert torch.is_inference_mode_enabled()
        self.passes += 1
        first = 20 * images[:, :, : SIDE // 2, : SIDE // 2].mean((1, 2, 3))
        return torch.stack([first, torch.zeros_like(first)], 1)


def corner(sign: float = 1.0) -> np.ndarray:
    """A map, at the pixels' own size, that is strongest (or weakest) in the upper left quarter, row by row."""
    maps = np.zeros((1, SIDE, SIDE), dtype=np.float32)
    maps[0, : SIDE // 2, : SIDE // 2] = np.linspace(2, 1, (SIDE // 2) ** 2).reshape(SIDE // 2, SIDE // 2)
    return sign * maps


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def area(curve: list[float]) -> float:
    return sum((before + after) / 2 for before, after in itertools.pairwise(curve)) / (len(curve) - 1)


def test_deletion_is_the_area_under_what_is_left() -> None:
    """An image of ones. An eighth of its 64 pixels is 8, half of the quarter: the logit goes 20, 10, 0, and stays.

    With the map turned round, the quarter goes last: 20 until six eighths are gone, then 10, then 0.
    """
    images = torch.ones(1, 3, SIDE, SIDE)
    found = faithfulness(Bright(), images, corner(), np.array([0])).deletion
    assert found == pytest.approx([area([sigmoid(20), sigmoid(10), *[0.5] * 7])])
    found = faithfulness(Bright(), images, corner(-1), np.array([0])).deletion
    assert found == pytest.approx([area([*[sigmoid(20)] * 7, sigmoid(10), 0.5])])
    found = faithfulness(Bright(), images, corner(), np.array([1])).deletion
    assert found == pytest.approx([area([sigmoid(-20), sigmoid(-10), *[0.5] * 7])])


def test_insertion_is_the_area_under_what_comes_back_over_a_blurred_image() -> None:
    """Half of the quarter comes back with each of the first two of eight steps, or with the last two; SciPy's Gaussian is a pixel wide."""
    random = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    blurred = ndimage.gaussian_filter(random, SIDE / 8, mode="reflect", truncate=8)
    sharp, soft = (each[: SIDE // 2, : SIDE // 2] for each in (random, blurred))
    images = torch.from_numpy(random).float().expand(1, 3, SIDE, SIDE)
    at_first, half_way, at_last = (sigmoid(20 * mean) for mean in (soft.mean(), (sharp[:2].mean() + soft[2:].mean()) / 2, sharp.mean()))
    found = faithfulness(Bright(), images, corner(), np.array([0])).insertion
    assert found == pytest.approx([area([at_first, half_way, *[at_last] * 7])], abs=1e-4)
    half_way = sigmoid(20 * (soft[:2].mean() + sharp[2:].mean()) / 2)
    found = faithfulness(Bright(), images, corner(-1), np.array([0])).insertion
    assert found == pytest.approx([area([*[at_first] * 7, half_way, at_last])], abs=1e-4)


def test_road_is_nothing_for_a_map_that_is_flat_over_what_counts_and_large_for_one_that_knows() -> None:
    """Random pixels with a mean of 1 in the quarter and −1 elsewhere: filled in from outside, the quarter turns to −1."""
    images = 0.1 * torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) - 1
    images[:, :, : SIDE // 2, : SIDE // 2] += 2
    maps, classes = corner().repeat(4, 0), np.zeros(4, dtype=np.int64)
    knows, reversed_ = (faithfulness(Bright(), images, sign * maps, classes).road for sign in (1, -1))
    assert (knows > 0.6).all()
    assert knows == pytest.approx(-reversed_, abs=0.05)  # the counts of pixels on both sides of a cut are rounded
    flat = faithfulness(Bright(), torch.ones(2, 3, SIDE, SIDE), np.ones((2, 2, 2)), np.zeros(2, dtype=np.int64))
    assert np.abs(flat.road).max() < 1e-3


def test_a_score_depends_neither_on_the_batch_nor_on_a_positive_factor_and_costs_what_is_said() -> None:
    images = torch.randn(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    maps = np.random.default_rng(1).normal(size=(5, 4, 4)).astype(np.float32)
    classes = np.array([0, 1, 0, 1, 0])
    network = Bright()
    whole = faithfulness(network, images, maps, classes)
    assert network.passes == EVALUATIONS == 3 + 2 * (STEPS - 1) + 2 * len(REMOVED)
    parts = faithfulness(network, images, 4 * maps, classes, batch=2)
    for name in ("deletion", "insertion", "road"):
        np.testing.assert_allclose(
            getattr(whole, name), getattr(parts, name), atol=1e-4
        )  # imputing stops when a whole batch is close enough
        assert getattr(whole, name).shape == (5,)


def test_a_missing_pixel_is_the_weighted_mean_of_its_neighbours() -> None:
    """Above and beside it weigh 1/6, at the corners 1/12; at a corner of the image 1/6, 1/6 and 1/12 share the whole."""
    image = torch.arange(16.0).view(1, 1, 4, 4) ** 2
    known = torch.ones(1, 4, 4, dtype=torch.bool)
    known[0, 1, 1] = known[0, 3, 3] = False
    filled = imputed(image, known, noise=0)[0, 0]
    beside, corners = 1 + 16 + 36 + 81, 0 + 4 + 64 + 100
    assert filled[1, 1].item() == pytest.approx(beside / 6 + corners / 12, rel=1e-3)
    assert filled[3, 3].item() == pytest.approx((121 * 2 + 196 * 2 + 100) / 5, rel=1e-3)
    assert (filled[known[0]] == image[0, 0][known[0]]).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_imputing_solves_its_equations_to_less_than_the_noise(share: float) -> None:
    """Scattered pixels and holes, for which numpy solves the equations as they stand in the paper."""
    side, random = 12, torch.Generator().manual_seed(0)
    images = torch.randn(4, 2, side, side, generator=random)
    values = torch.rand(4, 1, side, side, generator=random)
    values[2:] = nn.functional.interpolate(values[2:, :, :4, :4], side, mode="bilinear")
    known = (values.flatten(1).argsort(1).argsort(1) >= round(share * side**2)).view(4, side, side)
    exact = np.stack([solved(image, mask) for image, mask in zip(images.double().numpy(), known.numpy(), strict=True)])
    filled = imputed(images, known, noise=0)
    assert np.abs(filled.numpy() - exact).max() < NOISE / 2
    assert (imputed(images, known) - filled)[0, :, ~known[0]].std().item() == pytest.approx(NOISE, rel=0.3)  # of 28 values at least


def solved(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """An image `(C, H, W)`: the weights of what lies in the image times its value, less their sum times the pixel's own, is nothing."""
    side = known.shape[0]
    equations, right = np.eye(side**2), np.where(known, image, 0).reshape(len(image), -1).T
    for row, column in np.argwhere(~known):
        own = row * side + column
        equations[own, own] = 0
        for down, across in itertools.product((-1, 0, 1), repeat=2):
            if (down or across) and 0 <= row + down < side and 0 <= column + across < side:
                weight = 1 / 12 if down and across else 1 / 6
                equations[own, own] -= weight
                equations[own, own + down * side + across] = weight
    return np.linalg.solve(equations, right).T.reshape(image.shape)

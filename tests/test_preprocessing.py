from __future__ import annotations

import pytest
import torch

from archbench.data import Split
from archbench.data.preprocessing import ContrastAndZca, Normaliser, channel_statistics, contrast_normalised

IMAGES = torch.randint(1, 256, (200, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
SPLIT = Split(IMAGES, torch.zeros(200))


def test_statistics_are_those_of_the_pixels() -> None:
    mean, deviation = channel_statistics(SPLIT)
    pixels = IMAGES.double()
    torch.testing.assert_close(mean.double(), pixels.mean((0, 2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(deviation.double(), pixels.std((0, 2, 3), correction=0), rtol=1e-6, atol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_normalised_images_have_mean_0_and_deviation_1(layout: torch.memory_format) -> None:
    normal = Normaliser.fitted(SPLIT)(IMAGES, layout)
    assert normal.is_contiguous(memory_format=layout)
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(normal.std((0, 2, 3), correction=0), torch.ones(3), rtol=0, atol=1e-5)


def test_a_channel_that_never_varies_stays_finite() -> None:
    grey = Split(torch.full((4, 1, 2, 2), 7, dtype=torch.uint8), torch.zeros(4))
    assert Normaliser.fitted(grey)(IMAGES[:4, :1], torch.contiguous_format).isfinite().all()


def test_contrast_normalisation_leaves_no_mean_and_a_norm_of_55() -> None:
    """By hand: (0, 2, 4, 6) less 3 is (-3, -1, 1, 3), of norm sqrt(20). A uniform image stays at zero (floor of the norm 1e-8)."""
    images = torch.tensor([[0, 2, 4, 6], [9, 9, 9, 9]], dtype=torch.uint8).view(2, 1, 2, 2)
    varied, uniform = contrast_normalised(images).flatten(1)
    torch.testing.assert_close(varied, torch.tensor([-3.0, -1.0, 1.0, 3.0]) * 55 / 20**0.5)
    assert uniform.abs().max() == 0


def test_whitened_pixels_are_uncorrelated() -> None:
    """With eigenvalue d the variance becomes d / (d + 0.1); here every kept d is far above 0.1, and one direction, the mean, has none."""
    smooth = torch.nn.functional.avg_pool2d(torch.rand(4000, 1, 6, 6, generator=torch.Generator().manual_seed(1)), 3, 1)
    images = (255 * smooth).to(torch.uint8)
    split = Split(images, torch.zeros(4000))
    zca = ContrastAndZca.fitted(split)
    white = zca.once(split).loaded().images.flatten(1)
    values, vectors = torch.linalg.eigh(torch.cov(contrast_normalised(images).flatten(1).double().T))
    expected = (vectors * (values.clamp(min=0) / (values.clamp(min=0) + 0.1))) @ vectors.T
    torch.testing.assert_close(torch.cov(white.double().T), expected, rtol=0, atol=2e-3)
    assert white.mean(0).abs().max() < 1e-3
    assert zca.matrix.allclose(zca.matrix.T, atol=1e-4)  # zero-phase: whitened images look like images

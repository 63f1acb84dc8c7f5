from __future__ import annotations

import pytest
import torch

from archbench.data.augment import Normaliser, channel_statistics, translate_and_flip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


IMAGES = torch.randint(1, 256, (200, 3, 8, 8), dtype=torch.uint8, generator=generator(5))


def test_nothing_asked_for_changes_nothing() -> None:
    assert translate_and_flip(IMAGES, 0, False, generator()).equal(IMAGES)


def test_flipping_mirrors_about_half_and_leaves_the_rest() -> None:
    flipped = translate_and_flip(IMAGES, 0, True, generator())
    same = (flipped == IMAGES).flatten(1).all(1)
    mirrored = (flipped == IMAGES.flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 60 < mirrored.sum() < 140  # 100 expected, six standard deviations of 7


def test_every_image_is_a_window_of_its_padded_self() -> None:
    moved = translate_and_flip(IMAGES, 2, False, generator())
    padded = torch.nn.functional.pad(IMAGES, (2, 2, 2, 2))
    windows = [padded[:, :, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    hits = torch.stack([(moved == window).flatten(1).all(1) for window in windows])
    assert hits.any(0).all()
    assert hits.any(1).all()  # all 25 places occur among 200 images


def test_the_generator_fixes_it() -> None:
    first, second = (translate_and_flip(IMAGES, 4, True, generator(7)) for _ in range(2))
    assert first.equal(second)
    assert not first.equal(translate_and_flip(IMAGES, 4, True, generator(8)))


def test_statistics_are_those_of_the_pixels() -> None:
    mean, deviation = channel_statistics(IMAGES)
    pixels = IMAGES.double()
    torch.testing.assert_close(mean.double(), pixels.mean((0, 2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(deviation.double(), pixels.std((0, 2, 3), correction=0), rtol=1e-6, atol=0)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_normalised_images_have_mean_0_and_deviation_1(layout: torch.memory_format) -> None:
    normal = Normaliser.fitted(IMAGES)(IMAGES, layout)
    assert normal.is_contiguous(memory_format=layout)
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(normal.std((0, 2, 3), correction=0), torch.ones(3), rtol=0, atol=1e-5)


def test_a_channel_that_never_varies_stays_finite() -> None:
    assert Normaliser.fitted(torch.full((4, 1, 2, 2), 7, dtype=torch.uint8))(IMAGES[:4, :1], torch.contiguous_format).isfinite().all()

from __future__ import annotations

import torch

from archbench.data.augment import draw, translate_and_flip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


IMAGES = torch.randint(1, 256, (200, 3, 8, 8), dtype=torch.uint8, generator=generator(5))


def moved(images: torch.Tensor, translate: int, flip: bool | torch.Tensor, random: torch.Generator) -> torch.Tensor:
    return translate_and_flip(images, translate, draw(len(images), translate, flip, random))


def test_nothing_asked_for_changes_nothing() -> None:
    assert moved(IMAGES, 0, False, generator()).equal(IMAGES)


def test_flipping_mirrors_about_half_and_leaves_the_rest() -> None:
    flipped = moved(IMAGES, 0, True, generator())
    same = (flipped == IMAGES).flatten(1).all(1)
    mirrored = (flipped == IMAGES.flip(-1)).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 60 < mirrored.sum() < 140  # 100 expected, six standard deviations of 7


def test_every_image_is_a_window_of_its_padded_self() -> None:
    windowed = moved(IMAGES, 2, False, generator())
    padded = torch.nn.functional.pad(IMAGES, (2, 2, 2, 2))
    windows = [padded[:, :, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    hits = torch.stack([(windowed == window).flatten(1).all(1) for window in windows])
    assert hits.any(0).all()
    assert hits.any(1).all()  # all 25 places occur among 200 images


def test_the_generator_fixes_it() -> None:
    first, second = (moved(IMAGES, 4, True, generator(7)) for _ in range(2))
    assert first.equal(second)
    assert not first.equal(moved(IMAGES, 4, True, generator(8)))


def test_named_images_are_mirrored_and_no_others() -> None:
    """The last column of an image becomes its first where it is mirrored; floats are moved as bytes are."""
    chosen = torch.arange(200) % 3 == 0
    for images in (IMAGES, IMAGES.float()):
        flipped = moved(images, 0, chosen, generator())
        assert flipped.dtype == images.dtype
        assert flipped[chosen].equal(images[chosen].flip(-1))
        assert flipped[~chosen].equal(images[~chosen])

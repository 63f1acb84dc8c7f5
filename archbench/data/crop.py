"""What a training sees of a file each time it is decoded: a part of the image, drawn anew."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

SCALE = (0.08, 1.0)  # of the image's area
RATIO = (3 / 4, 4 / 3)  # width to height
ATTEMPTS = 10
RANDOM_RESIZED_CROP = "random resized crop, area 0.08 to 1, ratio 3/4 to 4/3"
Box = tuple[int, int, int, int]


def random_resized_crop(image: Image.Image, size: int, random: np.random.Generator) -> Image.Image:
    """A part of an RGB image, scaled to `size` x `size` (bilinear, antialiased).

    Its area is 8 to 100 % of the image's and its ratio 3/4 to 4/3: Szegedy et al. 2015 (arXiv:1409.4842, section 6), and what
    torchvision's RandomResizedCrop and its references for ImageNet do by default.
    """
    from torchvision.transforms.v2 import functional

    top, left, height, width = drawn_box(image.height, image.width, random)
    cropped: Image.Image = functional.resized_crop(image, top, left, height, width, [size, size])
    return cropped


def drawn_box(height: int, width: int, random: np.random.Generator) -> Box:
    """Top, left, height and width, drawn as torchvision's RandomResizedCrop draws them, but from a generator of its own.

    torchvision takes its numbers from the process's one generator, so that threads would see others each time.
    """
    for _ in range(ATTEMPTS):
        area = height * width * random.uniform(*SCALE)
        ratio = math.exp(random.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(random.integers(height - h + 1)), int(random.integers(width - w + 1)), h, w
    return _centre(height, width)


def _centre(height: int, width: int) -> Box:
    """The largest part around the centre whose ratio is within the range, for an image that is too long for it."""
    ratio = width / height
    w, h = width, height
    if ratio < RATIO[0]:
        h = round(width / RATIO[0])
    elif ratio > RATIO[1]:
        w = round(height * RATIO[1])
    return (height - h) // 2, (width - w) // 2, h, w

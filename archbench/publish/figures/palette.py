"""A drawing in as few colours as it needs: what is filled keeps its colour, the shades at edges take the nearest; a third of the bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLORS = 256
ALIKE = 12  # sum over red, green and blue by which two kept colours differ at least, so that shades of grey leave room for the rest
WHITE = 0xFFFFFFFF


def reduced(rgba: NDArray[np.uint8]) -> Image.Image:
    """From (height, width, 4) bytes without transparency to an image with a palette, white its first colour."""
    packed = np.ascontiguousarray(rgba).view(np.uint32).reshape(-1)
    colored = np.flatnonzero(packed != WHITE)
    colors, places, counts = np.unique(packed[colored], return_inverse=True, return_counts=True)
    channels = _channels(colors)
    kept = _kept(channels[np.argsort(-counts, kind="stable")])
    indices = np.zeros(packed.size, dtype=np.uint8)
    indices[colored] = np.abs(channels[:, None] - kept[None]).sum(axis=2).argmin(axis=1)[places]
    image = Image.fromarray(indices.reshape(rgba.shape[:2]), "P")
    image.putpalette(kept.ravel().tolist())
    return image


def _kept(channels: NDArray[np.int16]) -> NDArray[np.int16]:
    """(n, 3): white, and then each colour that is not like one before it, of those that are given with the commonest first."""
    kept = np.full((COLORS, 3), 255, dtype=np.int16)
    count = 1
    for color in channels:
        if count < COLORS and np.abs(kept[:count] - color).sum(axis=1).min() >= ALIKE:
            kept[count] = color
            count += 1
    return kept[:count]


def _channels(colors: NDArray[np.uint32]) -> NDArray[np.int16]:
    """(n, 3): red, green, blue."""
    return np.ascontiguousarray(colors).view(np.uint8).reshape(-1, 4)[:, :3].astype(np.int16)

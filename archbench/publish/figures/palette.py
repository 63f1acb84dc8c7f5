"""A drawing in as few colours as it needs: what is filled keeps its colour, the shades at edges take the nearest; a third of the bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLORS = 128  # the commonest of a drawing; fills, lines and letters are some twenty, the rest are shades between these
WHITE = 0xFFFFFFFF


def reduced(rgba: NDArray[np.uint8]) -> Image.Image:
    """From (height, width, 4) bytes without transparency to an image with a palette, white its first colour."""
    packed = np.ascontiguousarray(rgba).view(np.uint32).reshape(-1)
    colored = np.flatnonzero(packed != WHITE)
    colors, places, counts = np.unique(packed[colored], return_inverse=True, return_counts=True)
    kept = colors[np.argsort(-counts, kind="stable")[: COLORS - 1]]
    indices = np.zeros(packed.size, dtype=np.uint8)
    if len(kept):
        far = np.abs(_channels(colors)[:, None] - _channels(kept)[None]).sum(axis=2)
        indices[colored] = (far.argmin(axis=1) + 1)[places]
    image = Image.fromarray(indices.reshape(rgba.shape[:2]), "P")
    image.putpalette([255, 255, 255, *_channels(kept).ravel().tolist()])
    return image


def _channels(colors: NDArray[np.uint32]) -> NDArray[np.int16]:
    """(n, 3): red, green, blue."""
    return np.ascontiguousarray(colors).view(np.uint8).reshape(-1, 4)[:, :3].astype(np.int16)

"""Maps laid over their images: enlarged bilinearly from the places of a layer to pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def laid(maps: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Maps `(N, h, w)` over images of `size` x `size` pixels: each place is an equal part of the image, and its value holds at its centre.

    Between centres a value is interpolated; outside the outermost it stays.
    """
    down, right = (_weights(places, size) for places in maps.shape[1:])
    return np.asarray(down @ maps.astype(np.float32) @ right.T)


def _weights(places: int, size: int) -> NDArray[np.float32]:
    """How much each of the places counts at each pixel, `(size, places)`."""
    at = ((np.arange(size) + 0.5) * places / size - 0.5).clip(0, places - 1)
    return np.asarray(np.maximum(1 - np.abs(at[:, None] - np.arange(places)), 0), dtype=np.float32)

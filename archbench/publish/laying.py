"""Maps laid over their images: enlarged bilinearly from the places of a layer to pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Centres = NDArray[np.float64]  # of the places along a side, `(places,)`, growing, in pixels of the image


def equal_parts(places: int, size: int) -> Centres:
    """The centres of places that are equal parts of an image of `size` pixels."""
    return (np.arange(places) + 0.5) * size / places


def laid(maps: NDArray[np.floating], size: int, centres: Centres | None = None) -> NDArray[np.float32]:
    """Maps `(N, n, n)` over images of `size` x `size` pixels: the value of a place holds at its centre, down and right alike.

    Between centres a value is interpolated; outside the outermost it stays. Without centres the places are equal parts of the image.
    """
    weights = _weights(equal_parts(maps.shape[-1], size) if centres is None else centres, size)
    return np.asarray(weights @ maps.astype(np.float32) @ weights.T)


def _weights(centres: Centres, size: int) -> NDArray[np.float32]:
    """How much each of the places counts at each pixel, `(size, places)`."""
    numbers = np.arange(len(centres))
    at = np.interp(np.arange(size) + 0.5, centres, numbers)
    return np.asarray(np.maximum(1 - np.abs(at[:, None] - numbers), 0), dtype=np.float32)

"""Maps that know nothing of the image: what a method must beat before it shows anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDTH = 0.25  # of the Gaussian, as its standard deviation in sides of the image


def centred(n: int, size: int) -> NDArray[np.float32]:
    """A Gaussian about the middle of the image, the same `n` times, `(n, size, size)`."""
    at = (np.arange(size) + 0.5) / size - 0.5
    line = np.exp(-0.5 * (at / WIDTH) ** 2)
    return np.broadcast_to((line[:, None] * line).astype(np.float32), (n, size, size))


def drawn(n: int, places: int, seed: int) -> NDArray[np.float32]:
    """Values from 0 to 1 drawn for each place, `(n, places, places)`; as many places as the maps have that they stand beside."""
    return np.random.default_rng(seed).random((n, places, places), dtype=np.float32)

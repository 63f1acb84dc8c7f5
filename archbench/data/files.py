"""Images that are decoded each time they are needed, because not even a cache of them has room."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from archbench.data.crop import RANDOM_RESIZED_CROP, random_resized_crop
from archbench.data.decoding import Fit, decode
from archbench.errors import ArchbenchError


@dataclass(frozen=True)
class ImageFiles:
    """Image files by their names below `root`. A test sees them as `fit` cuts them out, a training as a crop that is drawn anew.

    `moments`, int64 `(N, 2, 3)`, are sums over the pixels that a test sees: of each channel's bytes and of their squares.
    """

    root: Path
    names: tuple[str, ...]
    size: int
    fit: Fit
    moments: torch.Tensor
    folder: Path
    kept: ClassVar[str] = "files"
    crop: ClassVar[str] = RANDOM_RESIZED_CROP
    dtype: ClassVar[torch.dtype] = torch.uint8

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, 3, size, size)`."""
        return len(self.names), 3, self.size, self.size

    def read(self, out: torch.Tensor, rows: list[int], seed: int | None) -> None:
        """Decode these files into `out`; a crop depends on the seed and the row alone. Raises ArchbenchError that names a broken file."""
        pixels = out.numpy()
        for place, row in enumerate(rows):
            fit = self.fit if seed is None else functools.partial(random_resized_crop, random=np.random.default_rng((seed, row)))
            decoded = decode(self.root / self.names[row], self.size, fit)
            if isinstance(decoded, str):
                raise ArchbenchError(f"cannot read {self.root / self.names[row]}: {decoded}; it was sound before")
            pixels[place] = decoded

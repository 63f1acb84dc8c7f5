"""What tells one data set from another: a hash over its images and labels, which never need to be in memory together."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch

from archbench.data.split import Images, pieces


class Fingerprint:
    """SHA-256 over class names, and over shape, pixels and labels of one split after the other."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self._digest = hashlib.sha256(repr(class_names).encode())

    def begin(self, shape: tuple[int, ...]) -> None:
        """A split of `(N, C, H, W)`."""
        self._digest.update(repr(shape).encode())

    def add(self, images: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        """Images of the split, in order."""
        self._digest.update(np.ascontiguousarray(images).data)

    def end(self, labels: torch.Tensor) -> None:
        """The split's labels."""
        self._digest.update(np.ascontiguousarray(labels.numpy()).data)

    @property
    def value(self) -> str:
        """Of all that was told, in hex."""
        return self._digest.hexdigest()


def fingerprint(train: Images, test: Images, class_names: tuple[str, ...]) -> str:
    """That of both splits."""
    found = Fingerprint(class_names)
    for split in (train, test):
        found.begin(split.shape)
        for piece in pieces(split):
            found.add(piece.images.numpy())
        found.end(split.labels)
    return found.value

"""What becomes of an image's bytes before a network sees them, fitted on the training images alone.

A preprocessing does part of its work once for a whole split, before augmentation (`once`), and the rest batch by batch (a call).
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, Protocol, Self

import torch

from archbench.data.split import CHANGED_AT_ONCE, Images, Split, pieces
from archbench.data.stored import StoredSplit
from archbench.errors import ArchbenchError

CONTRAST, SMALLEST_NORM, ZCA_FLOOR = 55.0, 1e-8, 0.1


class Preprocessing(Protocol):
    """From bytes to what a network sees."""

    def once(self, split: Images) -> Images:
        """The split as augmentation sees it."""

    def __call__(self, images: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
        """float32 `(N, C, H, W)` in the memory format asked for, from images that `once` was applied to."""

    def described(self) -> dict[str, Any]:
        """What a user of the network must know of it."""

    def state(self) -> dict[str, torch.Tensor]:
        """The values that it takes, beside what is `described`, to prepare other images alike."""


class Normaliser:
    """Bytes to floats: less a mean and divided by a deviation `(C,)`, both in bytes' units, in each channel."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor, device: torch.device) -> None:
        self.mean = mean.to(device).view(1, -1, 1, 1)
        self.scale = (1 / deviation).to(device).view(1, -1, 1, 1)

    @classmethod
    def fitted(cls, train: Images) -> Self:
        """Such that these images have mean 0 and deviation 1 in each channel."""
        return cls(*channel_statistics(train), train.device)

    def once(self, split: Images) -> Images:
        """The same bytes: moving and mirroring them is cheaper than floats."""
        return split

    def described(self) -> dict[str, list[float]]:
        """What is taken away from each channel's bytes, and what the rest is divided by: all that a user of the network must know."""
        return {"mean": self.mean.flatten().tolist(), "deviation": (1 / self.scale).flatten().tolist()}

    def state(self) -> dict[str, torch.Tensor]:
        """None: all is `described`."""
        return {}

    def __call__(self, images: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
        """float32 `(N, C, H, W)` in the memory format asked for."""
        return images.to(memory_format=memory_format).float().sub_(self.mean).mul_(self.scale)


class ContrastAndZca:
    """Global contrast normalisation of each image, then ZCA whitening (NIN's, after maxout's; reference A).

    An image loses its mean, is divided by its L2 norm and multiplied by 55. Whitening turns the centred pixels by
    `V (D + 0.1)^-1/2 V^T`, with V and D the eigenvectors and eigenvalues of the training images' covariance.
    """

    def __init__(self, mean: torch.Tensor, matrix: torch.Tensor) -> None:
        self.mean, self.matrix = mean, matrix

    @classmethod
    def fitted(cls, train: Images) -> Self:
        """On training images, uint8 `(N, C, H, W)`. Raises ArchbenchError where they are cut out anew each time: none is whitened once."""
        if train.crop is not None:
            raise ArchbenchError("gcn_zca whitens each image once, and decoded files give another part each time: --images-from mapped")
        size, n = math.prod(train.shape[1:]), len(train)
        total = products = torch.zeros(())
        for number, chunk in enumerate(train.chunks(CHANGED_AT_ONCE)):
            flat = contrast_normalised(chunk.images).flatten(1)
            if not number:
                total = torch.zeros(size, dtype=torch.float64, device=flat.device)
                products = torch.zeros(size, size, dtype=torch.float32, device=flat.device)
            total += flat.double().sum(0)
            products += flat.T @ flat
        mean = total / n
        covariance = products.double() / n - torch.outer(mean, mean)
        values, vectors = torch.linalg.eigh(covariance.float())
        scale = 1 / (values.clamp(min=0) + ZCA_FLOOR).sqrt()
        return cls(mean.float(), (vectors * scale) @ vectors.T)

    def once(self, split: Images) -> Images:
        """The whitened images, float32."""
        return split.changed(self._whitened)

    def _whitened(self, images: torch.Tensor) -> torch.Tensor:
        return ((contrast_normalised(images).flatten(1) - self.mean) @ self.matrix).view(images.shape)

    def __call__(self, images: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
        """The same images in the memory format asked for."""
        return images.to(memory_format=memory_format)

    def described(self) -> dict[str, Any]:
        """The names of both steps and the SHA-256 of the matrix."""
        digest = hashlib.sha256(self.matrix.cpu().numpy().tobytes()).hexdigest()
        return {"method": "gcn_zca", "contrast": CONTRAST, "zca_floor": ZCA_FLOOR, "zca_sha256": digest}

    def state(self) -> dict[str, torch.Tensor]:
        """The mean image, float32 `(C x H x W,)`, and the matrix that whitens, square of that size."""
        return {"mean": self.mean, "matrix": self.matrix}


def contrast_normalised(images: torch.Tensor) -> torch.Tensor:
    """Each image less its mean over all pixels and channels, with an L2 norm of 55; float32, from uint8 `(N, C, H, W)`."""
    centred = images.float() - images.float().mean(dim=(1, 2, 3), keepdim=True)
    norm = centred.flatten(1).norm(dim=1).clamp(min=SMALLEST_NORM).view(-1, 1, 1, 1)
    normalised: torch.Tensor = centred / norm * CONTRAST
    return normalised


def channel_statistics(train: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel, exact, from the histogram of its bytes. A channel that never varies gets 1.

    Of images that are decoded anew each time, from the sums that are known of them.
    """
    if isinstance(train, StoredSplit) and train.images.moments is not None:
        return _of_moments(train.images.moments[train.rows], math.prod(train.shape[2:]))
    return _of_histogram(sum((_histogram(piece.images) for piece in pieces(train)), torch.zeros(train.shape[1], 256, dtype=torch.int64)))


def _histogram(images: torch.Tensor) -> torch.Tensor:
    """How often each byte is there, by channel, int64 `(C, 256)` on the CPU."""
    return torch.stack([torch.bincount(images[:, channel].flatten(), minlength=256).cpu() for channel in range(images.shape[1])])


def _of_histogram(counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    levels = torch.arange(256, dtype=torch.float64)
    means = [(channel * levels).sum() / channel.sum() for channel in counts.double()]
    variances = [(channel * (levels - mean) ** 2).sum() / channel.sum() for channel, mean in zip(counts.double(), means, strict=True)]
    return torch.stack(means).float(), _deviations(torch.stack(variances))


def _of_moments(moments: torch.Tensor, pixels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """From sums of bytes and of their squares, int64 `(N, 2, C)`, over images of so many pixels."""
    mean, square = moments.sum(0).double() / (len(moments) * pixels)
    return mean.float(), _deviations(square - mean**2)


def _deviations(variances: torch.Tensor) -> torch.Tensor:
    return torch.where(variances > 0, variances.sqrt(), 1.0).float()


def as_seen(prepare: Preprocessing, images: torch.Tensor) -> torch.Tensor:
    """Bytes `(N, C, H, W)` as a network sees them, float32: both steps at once."""
    once = prepare.once(Split(images, torch.zeros(len(images), dtype=torch.int64, device=images.device)))
    return prepare(once.loaded().images, torch.contiguous_format)


def fitted(method: str, train: Images) -> Preprocessing:
    """The preprocessing of a recipe, fitted on the training images. Raises ArchbenchError where a method cannot be."""
    return ContrastAndZca.fitted(train) if method == "gcn_zca" else Normaliser.fitted(train)

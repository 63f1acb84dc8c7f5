"""What becomes of an image's bytes before a network sees them, fitted on the training images alone.

A preprocessing does part of its work once for a whole split, before augmentation (`once`), and the rest batch by batch (a call).
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol, Self

import torch

from archbench.data.dataset import Split

CHUNK = 2048
CONTRAST, SMALLEST_NORM, ZCA_FLOOR = 55.0, 1e-8, 0.1


class Preprocessing(Protocol):
    """From bytes to what a network sees."""

    def once(self, split: Split) -> Split:
        """The split as augmentation sees it."""

    def __call__(self, images: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
        """float32 `(N, C, H, W)` in the memory format asked for, from images that `once` was applied to."""

    def described(self) -> dict[str, Any]:
        """What a user of the network must know of it."""


class Normaliser:
    """Bytes to floats: less a mean and divided by a deviation `(C,)`, both in bytes' units, in each channel."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor, device: torch.device) -> None:
        self.mean = mean.to(device).view(1, -1, 1, 1)
        self.scale = (1 / deviation).to(device).view(1, -1, 1, 1)

    @classmethod
    def fitted(cls, train_images: torch.Tensor) -> Self:
        """Such that these images have mean 0 and deviation 1 in each channel."""
        return cls(*channel_statistics(train_images), train_images.device)

    def once(self, split: Split) -> Split:
        """The same bytes: moving and mirroring them is cheaper than floats."""
        return split

    def described(self) -> dict[str, list[float]]:
        """What is taken away from each channel's bytes, and what the rest is divided by: all that a user of the network must know."""
        return {"mean": self.mean.flatten().tolist(), "deviation": (1 / self.scale).flatten().tolist()}

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
    def fitted(cls, images: torch.Tensor) -> Self:
        """On training images, uint8 `(N, C, H, W)`."""
        size, n = images[0].numel(), len(images)
        total = torch.zeros(size, dtype=torch.float64, device=images.device)
        products = torch.zeros(size, size, dtype=torch.float32, device=images.device)
        for chunk in images.split(CHUNK):
            flat = contrast_normalised(chunk).flatten(1)
            total += flat.double().sum(0)
            products += flat.T @ flat
        mean = total / n
        covariance = products.double() / n - torch.outer(mean, mean)
        values, vectors = torch.linalg.eigh(covariance.float())
        scale = 1 / (values.clamp(min=0) + ZCA_FLOOR).sqrt()
        return cls(mean.float(), (vectors * scale) @ vectors.T)

    def once(self, split: Split) -> Split:
        """The whitened images, float32."""
        flat = [(contrast_normalised(chunk).flatten(1) - self.mean) @ self.matrix for chunk in split.images.split(CHUNK)]
        return Split(torch.cat(flat).view(split.images.shape), split.labels)

    def __call__(self, images: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
        """The same images in the memory format asked for."""
        return images.to(memory_format=memory_format)

    def described(self) -> dict[str, Any]:
        """The names of both steps and the SHA-256 of the matrix."""
        digest = hashlib.sha256(self.matrix.cpu().numpy().tobytes()).hexdigest()
        return {"method": "gcn_zca", "contrast": CONTRAST, "zca_floor": ZCA_FLOOR, "zca_sha256": digest}


def contrast_normalised(images: torch.Tensor) -> torch.Tensor:
    """Each image less its mean over all pixels and channels, with an L2 norm of 55; float32, from uint8 `(N, C, H, W)`."""
    centred = images.float() - images.float().mean(dim=(1, 2, 3), keepdim=True)
    norm = centred.flatten(1).norm(dim=1).clamp(min=SMALLEST_NORM).view(-1, 1, 1, 1)
    normalised: torch.Tensor = centred / norm * CONTRAST
    return normalised


def channel_statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel of uint8 `(N, C, H, W)`, exact, from the histogram of its bytes.

    A channel that never varies gets a deviation of 1.
    """
    means, deviations = [], []
    levels = torch.arange(256, dtype=torch.float64)
    for channel in range(images.shape[1]):
        counts = torch.bincount(images[:, channel].flatten(), minlength=256).cpu().double()
        mean = (counts * levels).sum() / counts.sum()
        variance = (counts * (levels - mean) ** 2).sum() / counts.sum()
        means.append(mean)
        deviations.append(variance.sqrt() if variance > 0 else torch.ones((), dtype=torch.float64))
    return torch.stack(means).float(), torch.stack(deviations).float()


def fitted(method: str, train: Split) -> Preprocessing:
    """The preprocessing of a recipe, fitted on the training images."""
    return ContrastAndZca.fitted(train.images) if method == "gcn_zca" else Normaliser.fitted(train.images)

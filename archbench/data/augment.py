"""Augmentation of whole batches on the device: one gather moves and mirrors every image by its own amount."""

from __future__ import annotations

from typing import Self

import torch
from torch.nn import functional as F


def translate_and_flip(images: torch.Tensor, translate: int, flip: bool, generator: torch.Generator) -> torch.Tensor:
    """Move each image by up to `translate` pixels in both directions (zeros come in), and mirror half of them if `flip`.

    `images` is uint8 `(N, C, H, W)`; so is the result. The amounts come from a CPU generator, so they are the same on every device.
    """
    n, channels, height, width = images.shape
    shifts = torch.randint(2 * translate + 1, (2, n, 1), generator=generator)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.arange(width)
    if flip:
        columns = torch.where(mirrored, columns.flip(0), columns)
    rows = shifts[0] + torch.arange(height)
    places = rows[:, :, None] * (width + 2 * translate) + (columns + shifts[1])[:, None, :]
    places = places.view(n, 1, height * width).to(images.device, non_blocking=True)
    padded = F.pad(images, (translate,) * 4).flatten(2)
    return padded.gather(2, places.expand(n, channels, -1)).view(n, channels, height, width)


class Normaliser:
    """Bytes to floats: less a mean and divided by a deviation `(C,)`, both in bytes' units, in each channel."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor, device: torch.device) -> None:
        self.mean = mean.to(device).view(1, -1, 1, 1)
        self.scale = (1 / deviation).to(device).view(1, -1, 1, 1)

    @classmethod
    def fitted(cls, train_images: torch.Tensor) -> Self:
        """Such that these images have mean 0 and deviation 1 in each channel."""
        return cls(*channel_statistics(train_images), train_images.device)

    def described(self) -> dict[str, list[float]]:
        """What is taken away from each channel's bytes, and what the rest is divided by: all that a user of the network must know."""
        return {"mean": self.mean.flatten().tolist(), "deviation": (1 / self.scale).flatten().tolist()}

    def __call__(self, images: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
        """float32 `(N, C, H, W)` in the memory format asked for."""
        return images.to(memory_format=memory_format).float().sub_(self.mean).mul_(self.scale)


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

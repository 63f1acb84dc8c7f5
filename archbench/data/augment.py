"""Augmentation of whole batches on the device: one gather moves and mirrors every image by its own amount."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def translate_and_flip(images: torch.Tensor, translate: int, flip: bool | torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Move each image by up to `translate` pixels in both directions (zeros come in), and mirror half of them if `flip`.

    `images` is `(N, C, H, W)`; so is the result, of the same kind. `flip` may be a bool tensor `(N,)` on the CPU: which to mirror. The
    amounts come from a CPU generator, so they are the same on every device.
    """
    n, channels, height, width = images.shape
    shifts = torch.randint(2 * translate + 1, (2, n, 1), generator=generator)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.arange(width)
    if isinstance(flip, torch.Tensor):
        mirrored = flip[:, None]
    if flip is not False:
        columns = torch.where(mirrored, columns.flip(0), columns)
    rows = shifts[0] + torch.arange(height)
    places = rows[:, :, None] * (width + 2 * translate) + (columns + shifts[1])[:, None, :]
    places = places.view(n, 1, height * width).to(images.device, non_blocking=True)
    padded = F.pad(images, (translate,) * 4).flatten(2)
    return padded.gather(2, places.expand(n, channels, -1)).view(n, channels, height, width)

"""Augmentation of whole batches on the device: one gather moves and mirrors every image by its own amount."""

from __future__ import annotations

import torch
from torch.nn import functional as F

INDEX_BYTES = 4 * 2**20  # of the places that are gathered at once: all of a batch of small images, some images of a batch of large ones


def translate_and_flip(images: torch.Tensor, translate: int, flip: bool | torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Move each image by up to `translate` pixels in both directions (zeros come in), and mirror half of them if `flip`.

    `images` is `(N, C, H, W)`; so is the result, of the same kind. `flip` may be a bool tensor `(N,)` on the CPU: which to mirror. The
    amounts come from a CPU generator, so they are the same on every device.
    """
    n, _, height, width = images.shape
    shifts = torch.randint(2 * translate + 1, (2, n, 1), generator=generator)
    mirrored = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.arange(width)
    if isinstance(flip, torch.Tensor):
        mirrored = flip[:, None]
    if flip is not False:
        columns = torch.where(mirrored, columns.flip(0), columns)
    rows, columns = shifts[0] + torch.arange(height), (columns + shifts[1]).expand(n, width)
    moved = torch.empty_like(images, memory_format=torch.contiguous_format)
    at_once = max(INDEX_BYTES // (8 * height * width), 1)
    for start in range(0, n, at_once):
        part = slice(start, start + at_once)
        _gather(images[part], rows[part], columns[part], moved[part], translate)
    return moved


def _gather(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, out: torch.Tensor, translate: int) -> None:
    """Write to `out` what stands in these rows `(N, H)` and columns `(N, W)` of each image with its border of zeros."""
    n, channels, height, width = images.shape
    places = rows[:, :, None] * (width + 2 * translate) + columns[:, None, :]
    places = places.view(n, 1, height * width).to(images.device, non_blocking=True)
    padded = F.pad(images, (translate,) * 4).flatten(2)
    torch.gather(padded, 2, places.expand(n, channels, -1), out=out.view(n, channels, height * width))

"""Augmentation of whole batches on the device: one gather moves and mirrors every image by its own amount."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional as F

INDEX_BYTES = 4 * 2**20  # of the places that are gathered at once: all of a batch of small images, some images of a batch of large ones


class Amounts(NamedTuple):
    """How far each image of a batch is moved, int `(N, 2)`, rows and columns from 0 to twice `translate`; and whether it is mirrored."""

    shifts: torch.Tensor
    mirrored: torch.Tensor


def draw(n: int, translate: int, flip: bool | torch.Tensor, generator: torch.Generator) -> Amounts:
    """The amounts of `n` images: up to `translate` pixels in both directions, half of them mirrored if `flip`.

    `flip` may be a bool tensor `(N,)` on the CPU: which to mirror. They come from a CPU generator, so they are the same on every device.
    """
    shifts = torch.randint(2 * translate + 1, (2, n, 1), generator=generator)
    mirrored = torch.rand(n, generator=generator) < 0.5
    if isinstance(flip, torch.Tensor):
        mirrored = flip
    return Amounts(shifts[:, :, 0].T, mirrored if flip is not False else torch.zeros(n, dtype=torch.bool))


def translate_and_flip(images: torch.Tensor, translate: int, amounts: Amounts) -> torch.Tensor:
    """Move each image by its own amount (zeros come in) and mirror those that are to be. `images` is `(N, C, H, W)`; so is the result."""
    n, _, height, width = images.shape
    shifts, mirrored = _sent(amounts.shifts, images.device), _sent(amounts.mirrored, images.device)
    across, down = (torch.arange(side, device=images.device) for side in (width, height))
    rows, columns = shifts[:, :1] + down, shifts[:, 1:] + torch.where(mirrored[:, None], across.flip(0), across)
    moved = torch.empty_like(images, memory_format=torch.contiguous_format)
    at_once = max(INDEX_BYTES // (8 * height * width), 1)
    for start in range(0, n, at_once):
        part = slice(start, start + at_once)
        _gather(images[part], rows[part], columns[part], moved[part], translate)
    return moved


def _sent(drawn: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What was drawn, on the device. To a GPU it goes from pinned memory: else each step would wait for the one before."""
    return (drawn.pin_memory() if device.type == "cuda" else drawn).to(device, non_blocking=True)


def _gather(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, out: torch.Tensor, translate: int) -> None:
    """Write to `out` what stands in these rows `(N, H)` and columns `(N, W)` of each image with its border of zeros."""
    n, channels, height, width = images.shape
    places = (rows[:, :, None] * (width + 2 * translate) + columns[:, None, :]).view(n, 1, height * width)
    padded = F.pad(images, (translate,) * 4).flatten(2)
    torch.gather(padded, 2, places.expand(n, channels, -1), out=out.view(n, channels, height * width))

"""Image files of any kind become uint8 RGB arrays of one size."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from archbench.data.feed import num_workers
from archbench.data.listing import Listing
from archbench.events import Listener, Loading

REPORT_EVERY, PART_BYTES = 500, 16 * 2**20  # images decoded at a time, at most

Pixels = npt.NDArray[np.uint8]
Fit = Callable[[Image.Image, int], Image.Image]  # an RGB image and a side in pixels -> a square image


class Cut(NamedTuple):
    """How images of any shape become square ones, and the same in words."""

    fit: Fit
    described: str


@dataclass(frozen=True)
class Part:
    """Some images of a listing: those that can be read, uint8 `(n, 3, size, size)` in order; why the others cannot, by position."""

    images: Pixels
    broken: dict[int, str]


def decode_parts(what: str, listing: Listing, size: int, fit: Fit, emit: Listener) -> Iterator[Part]:
    """All images of a listing, part by part, so that no more than a part is in memory."""
    most = min(REPORT_EVERY, max(PART_BYTES // (3 * size * size), 1))
    read = functools.partial(decode, size=size, fit=fit)
    with warnings.catch_warnings(), ThreadPoolExecutor(num_workers()) as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on odd but readable files
        for start in range(0, len(listing), most):
            positions = range(start, min(start + most, len(listing)))
            images = np.empty((len(positions), 3, size, size), dtype=np.uint8)
            broken: dict[int, str] = {}
            for position, result in zip(positions, pool.map(read, map(listing.path, positions)), strict=True):
                if isinstance(result, str):
                    broken[position] = result
                else:
                    images[position - start - len(broken)] = result
            yield Part(images[: len(positions) - len(broken)], broken)
            emit(Loading(what, positions.stop, len(listing)))


def decode(path: Path, size: int, fit: Fit) -> Pixels | str:
    """One image as uint8 `(3, size, size)`, or the reason why it cannot be read."""
    if not path.is_file():  # opening a pipe would wait for ever
        return "not a file, or a link that leads nowhere"
    try:
        with Image.open(path) as image:
            fitted = fit(_as_rgb(image), size)
        return np.asarray(fitted).transpose(2, 0, 1)
    except Image.DecompressionBombError:
        return "too many pixels"
    except Exception as error:  # Pillow's readers raise many kinds for a damaged file; the file is named by the caller
        return _reason(path, error)


def _as_rgb(image: Image.Image) -> Image.Image:
    """Upright RGB: transparency over white, 16-bit grey to 8 bits, palettes and CMYK converted."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64) / (256 if image.mode.startswith("I") else 1)
        if np.isnan(values).any():
            raise ValueError("it holds NaN")
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _reason(path: Path, error: Exception) -> str:
    if path.stat().st_size == 0:
        return "the file is empty"
    if "cannot identify" in str(error):
        return "not an image, or damaged"
    return (str(error).splitlines() or [type(error).__name__])[0]

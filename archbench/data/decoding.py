"""Image files of any kind become uint8 RGB arrays of one size."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from archbench.events import Listener, Loading

REPORT_EVERY = 500

Pixels = npt.NDArray[np.uint8]
Fit = Callable[[Image.Image, int], Image.Image]  # an RGB image and a side in pixels -> a square image


def decode_all(what: str, files: tuple[Path, ...], size: int, fit: Fit, emit: Listener) -> tuple[Pixels, dict[int, str]]:
    """The images that can be read, uint8 `(n, 3, size, size)` in the files' order; why the others cannot, by position in `files`.

    One array is filled in place, so that no more memory is taken than the images need.
    """
    images = np.empty((len(files), 3, size, size), dtype=np.uint8)
    broken: dict[int, str] = {}
    decode = functools.partial(_decode, size=size, fit=fit)
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on odd but readable files
        for start in range(0, len(files), REPORT_EVERY):
            part = files[start : start + REPORT_EVERY]
            for index, result in enumerate(pool.map(decode, part), start):
                if isinstance(result, str):
                    broken[index] = result
                else:
                    images[index - len(broken)] = result
            emit(Loading(what, start + len(part), len(files)))
    return images[: len(files) - len(broken)], broken


def _decode(path: Path, size: int, fit: Fit) -> Pixels | str:
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

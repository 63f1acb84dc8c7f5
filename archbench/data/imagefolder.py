"""A user's own images in class folders: `train/CLASS/*` with `test/CLASS/*` or `val/CLASS/*`. Decoded once, then cached."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps

from archbench.data.dataset import Dataset, Split, fingerprint
from archbench.errors import ArchbenchError
from archbench.events import Listener, Loading, Notice
from archbench.records.schema import hash_of
from archbench.records.store import write_atomically

DEFAULT_SIZE = 32
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
REPORT_EVERY = 500

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Listing:
    """The image files of one split and their labels; `others` counts files that are no images by their suffix."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    others: int


def load(name: str, folder: Path, size: int, skip_broken: bool, cache_root: Path, emit: Listener) -> Dataset:
    """The folder's images as RGB, `size` x `size`. Raises ArchbenchError that names the folder or file at fault."""
    classes = class_folders(folder)
    listings = {split: _listing(path, classes) for split, path in _split_folders(folder).items()}
    if others := sum(listing.others for listing in listings.values()):
        emit(Notice(f"{name}: {others} files are no images by their suffix and are left out"))
    cache = cache_root / "imagefolder" / f"{_cache_key(folder, listings, size, skip_broken)}.npz"
    arrays = _cached(cache, listings) or _decode_and_cache(name, listings, size, skip_broken, cache, emit)
    train, test = (Split(torch.from_numpy(arrays[f"{split}_images"]), torch.from_numpy(arrays[f"{split}_labels"])) for split in listings)
    return Dataset(name, train, test, classes, True, fingerprint(train, test, classes), skipped=int(arrays["skipped"]))


def class_folders(folder: Path) -> tuple[str, ...]:
    """Names of the classes, sorted; the same in both splits. Raises ArchbenchError where they are not, or fewer than two."""
    splits = _split_folders(folder)
    names = {split: tuple(sorted(_visible_folders(where))) for split, where in splits.items()}
    (first, train), (second, test) = names.items()
    if len(train) < 2:
        found = f"one class folder ({train[0]})" if train else "no class folder"
        raise ArchbenchError(f"{splits[first]} has {found}; it needs a folder for each of at least two classes")
    if train != test:
        only = sorted(set(train) ^ set(test))[0]
        where = splits[first].name if only in train else splits[second].name
        raise ArchbenchError(f"the classes of {splits[first].name}/ and {splits[second].name}/ differ: {only!r} is only in {where}/")
    return train


def _visible_folders(folder: Path) -> Iterator[str]:
    """Names of the folders inside, hidden ones left out. Raises ArchbenchError for a name that is not text."""
    for path in folder.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            yield _as_text(path)


def _as_text(path: Path) -> str:
    if not path.name.isprintable():  # lone surrogates stand for bytes that are not UTF-8
        raise ArchbenchError(f"{path.name!r} in {path.parent} is not a readable name; rename it")
    return path.name


def _split_folders(folder: Path) -> dict[str, Path]:
    if not is_folder(folder):
        raise ArchbenchError(f"there is no folder {folder}; imagefolder:DIR needs DIR/train and DIR/test (or DIR/val)")
    test = next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)
    if not (folder / "train").is_dir() or test is None:
        raise ArchbenchError(f"{folder} needs train/ with test/ or val/ inside, each with a folder for every class")
    return {"train": folder / "train", "test": test}


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name that the system cannot hold is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _listing(split: Path, classes: tuple[str, ...]) -> Listing:
    files: list[Path] = []
    labels: list[int] = []
    others = 0
    for label, name in enumerate(classes):
        present = list(_walk(split / name))
        found = sorted(path for path in present if path.suffix.lower() in SUFFIXES)
        others += len(present) - len(found)
        if not found:
            raise ArchbenchError(f"{split / name} has no image ({', '.join(sorted(SUFFIXES))})")
        files.extend(found)
        labels.extend([label] * len(found))
    return Listing(tuple(files), tuple(labels), others)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _cache_key(folder: Path, listings: dict[str, Listing], size: int, skip_broken: bool) -> str:
    """Changes with any file's name, size or time of change, so a cache is never stale."""
    facts = [(repr(str(path.relative_to(folder))), *_size_and_time(path)) for listing in listings.values() for path in listing.files]
    return hash_of([repr(str(folder.resolve())), size, skip_broken, facts])[:16]


def _size_and_time(path: Path) -> tuple[int, int]:
    """Zeros for a link that leads nowhere, which decoding will name as broken."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


def _cached(cache: Path, listings: dict[str, Listing]) -> dict[str, Any] | None:
    """The arrays of an earlier decoding; a cache that is damaged or does not fit counts as none."""
    try:
        with cache.open("rb") as file, np.load(file) as stored:
            arrays = dict(stored)
        return arrays if all(_fits(arrays, split, listing) for split, listing in listings.items()) else None
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        return None


def _fits(arrays: dict[str, Any], split: str, listing: Listing) -> bool:
    images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
    kept = images.dtype == np.uint8 and images.ndim == 4 and labels.dtype == np.int64 and labels.shape == images.shape[:1]
    return bool(kept and set(labels.tolist()) == set(listing.labels) and int(arrays["skipped"]) >= 0)


def _decode_and_cache(name: str, listings: dict[str, Listing], size: int, skip_broken: bool, cache: Path, emit: Listener) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    skipped = 0
    for split, listing in listings.items():
        decoded = _decode_all(f"{name} {split}", listing.files, size, emit)
        broken = [(file, result) for file, result in zip(listing.files, decoded, strict=True) if isinstance(result, str)]
        if broken and not skip_broken:
            more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            raise ArchbenchError(f"cannot read {broken[0][0]}: {broken[0][1]}{more}; --skip-broken goes on without it")
        good = [index for index, result in enumerate(decoded) if not isinstance(result, str)]
        if len({listing.labels[index] for index in good}) < len(set(listing.labels)):
            raise ArchbenchError(f"{name}: a class of {split}/ has no image that can be read")
        skipped += len(broken)
        arrays[f"{split}_images"] = np.stack([np.asarray(decoded[index]) for index in good])
        arrays[f"{split}_labels"] = np.array([listing.labels[index] for index in good], dtype=np.int64)
    if skipped:
        emit(Notice(f"{name}: {skipped} image files could not be read and are left out"))
    arrays["skipped"] = np.array(skipped)
    try:
        write_atomically(cache, lambda file: np.savez(file, **arrays))
    except ArchbenchError as error:
        emit(Notice(f"the decoded images are not cached: {error}"))
    return arrays


def _decode_all(what: str, files: tuple[Path, ...], size: int, emit: Listener) -> list[Pixels | str]:
    """Each image as uint8 `(3, size, size)`, or the reason why it cannot be read."""
    results: list[Pixels | str] = []
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on odd but readable files
        for result in pool.map(lambda path: _decode(path, size), files, chunksize=64):
            results.append(result)
            if len(results) % REPORT_EVERY == 0 or len(results) == len(files):
                emit(Loading(what, len(results), len(files)))
    return results


def _decode(path: Path, size: int) -> Pixels | str:
    if not path.is_file():  # opening a pipe would wait for ever
        return "not a file, or a link that leads nowhere"
    try:
        with Image.open(path) as image:
            fitted = ImageOps.fit(_as_rgb(image), (size, size), Image.Resampling.BILINEAR)
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

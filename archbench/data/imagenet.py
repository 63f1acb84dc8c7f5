"""ImageNet (ILSVRC 2012) in torchvision's layout: `imagenet/train/nXXXXXXXX/*.JPEG` and `imagenet/val/nXXXXXXXX/*.JPEG`.

`--limit-train` picks the files before they are decoded.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from PIL import Image

from archbench.data import folders
from archbench.data.dataset import Dataset, Shape, stratified
from archbench.data.decoding import Cut
from archbench.data.listing import Listing, class_folders, is_folder, list_files
from archbench.data.request import DataRequest
from archbench.errors import ArchbenchError
from archbench.events import Listener

NUM_CLASSES = 1000
DEFAULT_SIZE = 224


def shape_of(wanted: DataRequest) -> Shape:
    """Classes by their folders, 1000 where the folders are missing; no image is opened."""
    splits = _splits(wanted)
    num_classes = len(class_folders(splits)) if _missing(splits) is None else NUM_CLASSES
    return Shape(num_classes, 3, wanted.image_size or DEFAULT_SIZE)


def load(wanted: DataRequest, emit: Listener) -> Dataset:
    """The images as RGB, resized and cropped as in the usual evaluation. `wanted.test_only` leaves the training split empty.

    Raises ArchbenchError when a folder is missing, a file is broken, or the images do not fit where they are wanted.
    """
    splits = _splits(wanted)
    if (missing := _missing(splits)) is not None:
        raise ArchbenchError(_how_to_get(wanted.root / "imagenet", missing))
    classes = class_folders(splits)
    listings = {"train": _training_files(wanted, classes), "test": list_files(splits["test"], classes)}
    remedy = "choose a smaller --image-size" if wanted.test_only else "use --limit-train N or a smaller --image-size"
    fit = functools.partial(resize_and_crop, ratio=wanted.resize_ratio, bicubic=wanted.bicubic)
    how = f"shorter side to {wanted.resize_ratio:.4g} of the square's, {'bicubic' if wanted.bicubic else 'bilinear'}, centre"
    return folders.load(wanted, classes, listings, wanted.image_size or DEFAULT_SIZE, Cut(fit, how), remedy, emit)


def resize_and_crop(image: Image.Image, size: int, ratio: float, bicubic: bool) -> Image.Image:
    """The shorter side scaled to `size * ratio` pixels, then the centre of `size` x `size`."""
    from torchvision.transforms.functional import InterpolationMode, center_crop, resize

    resized = resize(image, [round(size * ratio)], InterpolationMode.BICUBIC if bicubic else InterpolationMode.BILINEAR)
    cropped: Image.Image = center_crop(resized, [size])
    return cropped


def _splits(wanted: DataRequest) -> dict[str, Path]:
    """The folders that are needed: without training images, `val` alone."""
    folder = wanted.root / "imagenet"
    test = {"test": folder / "val"}
    return test if wanted.test_only else {"train": folder / "train", **test}


def _missing(splits: dict[str, Path]) -> Path | None:
    return next((folder for folder in splits.values() if not is_folder(folder)), None)


def _how_to_get(folder: Path, missing: Path) -> str:
    layout = f"{folder}/train/nXXXXXXXX/*.JPEG and {folder}/val/nXXXXXXXX/*.JPEG"
    return f"there is no folder {missing}: imagenet must be in {layout}, fetched by hand from image-net.org; --data-dir looks elsewhere"


def _training_files(wanted: DataRequest, classes: tuple[str, ...]) -> Listing:
    """The training files that will be decoded; `limit_train` takes the same share of each class."""
    folder = wanted.root / "imagenet" / "train"
    if wanted.test_only:
        return Listing(folder, (), ())
    listing = list_files(folder, classes)
    if wanted.limit_train is None:
        return listing
    return listing.take(stratified(torch.tensor(listing.labels), wanted.limit_train, seed=0))

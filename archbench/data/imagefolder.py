"""A user's own images in class folders: `train/CLASS/*` with `test/CLASS/*` or `val/CLASS/*`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from archbench.data import folders
from archbench.data.dataset import Dataset, Shape
from archbench.data.decoding import Cut
from archbench.data.listing import Listing, class_folders, is_folder, list_files
from archbench.data.request import DataRequest
from archbench.errors import ArchbenchError
from archbench.events import Listener

DEFAULT_SIZE = 32
FILLED = "shorter side to the square's, centre"


def shape_of(wanted: DataRequest) -> Shape:
    """Classes by their folders; no image is opened. Raises ArchbenchError as `load` does."""
    return Shape(len(class_folders(_splits(wanted))), 3, wanted.image_size or DEFAULT_SIZE)


def load(wanted: DataRequest, emit: Listener) -> Dataset:
    """The folder's images as RGB, each scaled and cropped to the square. Raises ArchbenchError that names the folder or file at fault."""
    splits = _splits(wanted)
    classes = class_folders(splits)
    listings = {split: list_files(folder, classes) for split, folder in splits.items()}
    size, cut = wanted.image_size or DEFAULT_SIZE, Cut(fill, FILLED)
    return folders.load(wanted, classes, listings, size, cut, "choose a smaller --image-size", emit)


def test_files(wanted: DataRequest) -> Listing:
    """The files of the test split, in the order of its images. Raises ArchbenchError as `load` does."""
    splits = _splits(wanted)
    return list_files(splits["test"], class_folders(splits))


def fill(image: Image.Image, size: int) -> Image.Image:
    """The shorter side scaled to `size` pixels, and the centre of the longer."""
    return ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)


def _splits(wanted: DataRequest) -> dict[str, Path]:
    folder = wanted.folder
    assert folder is not None
    if not is_folder(folder):
        raise ArchbenchError(f"there is no folder {folder}; imagefolder:DIR needs DIR/train and DIR/test (or DIR/val)")
    test = next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)
    if wanted.test_only and test is not None and not (folder / "train").exists():
        return {"test": test}
    if not (folder / "train").is_dir() or test is None:
        raise ArchbenchError(f"{folder} needs train/ with test/ or val/ inside, each with a folder for every class")
    return {"train": folder / "train", "test": test}

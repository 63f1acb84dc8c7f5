"""The data sets a name can mean: scikit-learn's digits, generated shapes, torchvision's, ImageNet, and a user's own class folders."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from archbench.config import Settings, expanded
from archbench.data import imagefolder, imagenet, shapes, torchvision_sets
from archbench.data.dataset import DIGIT_NAMES, Dataset, Shape
from archbench.data.request import DataRequest, Origin
from archbench.data.split import Split
from archbench.environment import cores_to_use
from archbench.errors import ArchbenchError, unknown
from archbench.events import Listener, ignore

DIGITS_TEST = 360
FROM_DISK = ("imagefolder", "imagenet")


@dataclass(frozen=True)
class Source:
    """How a data set's shape is known and its images are loaded, and the batch and epochs it asks for in place of a recipe's own."""

    shape_of: Callable[[DataRequest], Shape]
    load: Callable[[DataRequest, Listener], Dataset]
    batch_size: int | None = None
    epochs: int | None = None


def request(settings: Settings, test_only: bool = False) -> DataRequest:
    """What `--dataset` asks for; `test_only` when no image will be trained on. Raises ArchbenchError for a name that is not known."""
    text = settings.dataset or "digits"
    if shapes.is_asked_for(text):
        return _request(settings, shapes.Shapes.parse(text).label, shapes.NAME, None, test_only)
    name, equals, source = text.partition("=")
    if not equals:
        name, source = "", text
    kind, _, folder = source.partition(":")
    if equals and name in SOURCES:
        raise ArchbenchError(
            f"--dataset: {name} is the name of a known data set; call your folder something else, as in my-{name}={source}"
        )
    if kind == "imagefolder":
        if not folder:
            raise ArchbenchError("--dataset imagefolder needs a folder: imagefolder:DIR or NAME=imagefolder:DIR")
        path = expanded(Path(folder))
        name = name.strip() or ("" if equals else path.resolve().name)
        if not name or not name.isprintable() or not folder.isprintable():
            raise ArchbenchError("--dataset NAME=imagefolder:DIR needs a readable name and folder")
        return _request(settings, name, kind, path, test_only)
    if equals or source not in SOURCES:
        raise unknown("dataset", source, [*SOURCES, "imagefolder:DIR"])
    return _request(settings, source, source, None, test_only)


def _request(settings: Settings, name: str, source: str, folder: Path | None, test_only: bool) -> DataRequest:
    if settings.images_from in ("mapped", "files") and source not in FROM_DISK:
        raise ArchbenchError(f"--images-from {settings.images_from} is for {' and '.join(FROM_DISK)}; {name} always lies in memory")
    beside = settings.processes_beside
    return DataRequest(
        name=name,
        source=source,
        root=settings.data_root,
        folder=folder,
        image_size=settings.image_size,
        download=settings.download,
        skip_broken=settings.skip_broken,
        limit_train=settings.limit_train,
        test_only=test_only,
        images_from=settings.images_from,
        memory_limit=settings.memory_limit_bytes,
        device=settings.device,
        processes=1 + (torch.cuda.device_count() or cores_to_use() if beside is None else beside),
    )


def shape_of(wanted: DataRequest) -> Shape:
    """Classes, channels and size without loading any image."""
    return _source(wanted).shape_of(wanted)


def suggested(wanted: DataRequest) -> tuple[int | None, int | None]:
    """Batch size and epochs that a data set asks for; None leaves the recipe's."""
    source = _source(wanted)
    return source.batch_size, source.epochs


def load(wanted: DataRequest, emit: Listener) -> Dataset:
    """The data set. Raises ArchbenchError when it is not there, cannot be read or does not fit."""
    return dataclasses.replace(_source(wanted).load(wanted, emit), request=wanted)


def load_again(like: Origin) -> Dataset:
    """The data set that another process has loaded, from what it left on the disk.

    Raises ArchbenchError where it is not there any more, not the same, or does not fit where it lies for the other.
    """
    device = like.request.device.partition(":")[0]  # a process may see one GPU alone, which is its first
    dataset = load(dataclasses.replace(like.request, download=False, device=device), ignore)
    for how, size in like.changes:
        dataset = {"resize": dataset.resized, "pad": dataset.padded}[how](size)
    if dataset.fingerprint != like.fingerprint:
        raise ArchbenchError(f"the images of {dataset.name} were changed since they were first read")
    return dataset


def _source(wanted: DataRequest) -> Source:
    return SOURCES[wanted.source] if wanted.folder is None else CLASS_FOLDERS


def _digits(wanted: DataRequest, emit: Listener) -> Dataset:
    """scikit-learn's 1,797 digits of 8x8 (UCI optical recognition), scaled to 32x32, 1,437 to train and 360 to test."""
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    pixels = np.rint(digits.images * 255 / 16).astype(np.uint8)
    scaled = np.stack([np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)) for image in pixels])
    images, labels = torch.from_numpy(scaled)[:, None], torch.from_numpy(digits.target.astype(np.int64))
    train, test = train_test_split(np.arange(len(labels)), test_size=DIGITS_TEST, stratify=digits.target, random_state=0)
    whole = Split(images, labels)
    train_split, test_split = (whole.take(torch.from_numpy(np.sort(part))) for part in (train, test))
    return Dataset.of("digits", train_split, test_split, DIGIT_NAMES, mirror_safe=False)


def _always(num_classes: int, channels: int, size: int) -> Callable[[DataRequest], Shape]:
    return lambda wanted: Shape(num_classes, channels, size)


CLASS_FOLDERS = Source(imagefolder.shape_of, imagefolder.load)
SOURCES = {
    "digits": Source(_always(10, 1, 32), _digits, batch_size=32, epochs=8),
    "shapes": Source(shapes.shape_of, shapes.load),
    "mnist": Source(_always(10, 1, 28), torchvision_sets.MNIST.load),
    "fashion_mnist": Source(_always(10, 1, 28), torchvision_sets.load_fashion_mnist),
    "svhn": Source(_always(10, 3, 32), torchvision_sets.SVHN.load),
    "cifar10": Source(_always(10, 3, 32), torchvision_sets.CIFAR10.load),
    "cifar100": Source(_always(100, 3, 32), torchvision_sets.CIFAR100.load),
    "imagenet": Source(imagenet.shape_of, imagenet.load),
}

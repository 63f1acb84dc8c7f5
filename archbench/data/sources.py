"""The data sets a name can mean: scikit-learn's digits, torchvision's, and a user's own class folders."""

from __future__ import annotations

import functools
import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from archbench.config import Settings, expanded
from archbench.data import imagefolder
from archbench.data.dataset import Dataset, Shape, Split, fingerprint
from archbench.errors import ArchbenchError, unknown
from archbench.events import Listener
from archbench.records.store import write_atomically

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
DIGITS_TEST = 360


@dataclass(frozen=True)
class DataRequest:
    """A data set as the user asked for it. `folder` is set for imagefolder alone."""

    name: str
    source: str
    root: Path
    folder: Path | None = None
    image_size: int | None = None
    download: bool = False
    skip_broken: bool = False


@dataclass(frozen=True)
class Source:
    """A named data set: its shape, how it is loaded, and the batch and epochs it asks for in place of a recipe's own."""

    shape: Shape
    load: Callable[[DataRequest], Dataset]
    batch_size: int | None = None
    epochs: int | None = None


def request(settings: Settings) -> DataRequest:
    """What `--dataset` asks for. Raises ArchbenchError for a name that is not known."""
    text = settings.dataset or "digits"
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
        return _request(settings, name, kind, path)
    if equals or source not in SOURCES:
        raise unknown("dataset", source, [*SOURCES, "imagefolder:DIR"])
    return _request(settings, source, source, None)


def _request(settings: Settings, name: str, source: str, folder: Path | None) -> DataRequest:
    return DataRequest(name, source, settings.data_root, folder, settings.image_size, settings.download, settings.skip_broken)


def shape_of(wanted: DataRequest) -> Shape:
    """Classes, channels and size without loading any image."""
    if wanted.folder is not None:
        return Shape(len(imagefolder.class_folders(wanted.folder)), 3, wanted.image_size or imagefolder.DEFAULT_SIZE)
    return SOURCES[wanted.source].shape


def suggested(wanted: DataRequest) -> tuple[int | None, int | None]:
    """Batch size and epochs that a data set asks for; None leaves the recipe's."""
    source = SOURCES.get(wanted.source)
    return (source.batch_size, source.epochs) if source else (None, None)


def load(wanted: DataRequest, emit: Listener) -> Dataset:
    """The data set in memory. Raises ArchbenchError when it is not there or cannot be read."""
    if wanted.folder is not None:
        return imagefolder.load(
            wanted.name, wanted.folder, wanted.image_size or imagefolder.DEFAULT_SIZE, wanted.skip_broken, wanted.root, emit
        )
    return SOURCES[wanted.source].load(wanted)


def _digits(wanted: DataRequest) -> Dataset:
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
    return _dataset(
        "digits",
        whole.take(torch.from_numpy(np.sort(train))),
        whole.take(torch.from_numpy(np.sort(test))),
        tuple(map(str, range(10))),
        mirror_safe=False,
    )


def _torchvision(name: str, class_name: str, mirror_safe: bool) -> Callable[[DataRequest], Dataset]:
    """A loader for one of torchvision's data sets, which keeps the files as their authors gave them."""

    def load_splits(wanted: DataRequest) -> Dataset:
        from torchvision import datasets

        kind = getattr(datasets, class_name)
        try:
            train, test = (kind(str(wanted.root), train=train, download=wanted.download) for train in (True, False))
        except RuntimeError:
            raise ArchbenchError(_how_to_get(name, wanted.root)) from None
        except (OSError, ValueError, EOFError) as error:
            doing = "fetched to" if wanted.download else "read from"
            raise ArchbenchError(f"{name} could not be {doing} {wanted.root}: {error}") from None
        return _dataset(name, _split(train), _split(test), tuple(train.classes), mirror_safe)

    return load_splits


def _how_to_get(name: str, root: Path) -> str:
    debian = "; or install Debian's package dataset-fashion-mnist" if name == "fashion_mnist" else ""
    return f"{name} is not in {root}: --download fetches it, --data-dir looks elsewhere{debian}"


def _fashion_mnist(wanted: DataRequest) -> Dataset:
    """Fashion-MNIST from torchvision's folder, or from the files of Debian's package, which are unpacked into it."""
    raw = wanted.root / "FashionMNIST" / "raw"
    for packed in DEBIAN_FASHION_MNIST.glob("*.gz"):
        if not (raw / packed.stem).exists():
            write_atomically(raw / packed.stem, functools.partial(_unpack, packed))
    return _torchvision("fashion_mnist", "FashionMNIST", mirror_safe=True)(wanted)


def _unpack(packed: Path, target: IO[bytes]) -> None:
    with gzip.open(packed) as source:
        shutil.copyfileobj(source, target)


def _split(torchvision_set: Any) -> Split:
    """torchvision keeps NHW or NHWC bytes; ours are NCHW."""
    data = torch.as_tensor(torchvision_set.data)
    images = data[:, None] if data.dim() == 3 else data.permute(0, 3, 1, 2)
    return Split(images.contiguous(), torch.as_tensor(torchvision_set.targets, dtype=torch.int64))


def _dataset(
    name: str,
    train: Split,
    test: Split,
    class_names: tuple[str, ...],
    mirror_safe: bool,
) -> Dataset:
    return Dataset(name, train, test, class_names, mirror_safe, fingerprint(train, test, class_names))


SOURCES = {
    "digits": Source(Shape(10, 1, 32), _digits, batch_size=32, epochs=8),
    "fashion_mnist": Source(Shape(10, 1, 28), _fashion_mnist),
    "cifar10": Source(Shape(10, 3, 32), _torchvision("cifar10", "CIFAR10", mirror_safe=True)),
    "cifar100": Source(Shape(100, 3, 32), _torchvision("cifar100", "CIFAR100", mirror_safe=True)),
}

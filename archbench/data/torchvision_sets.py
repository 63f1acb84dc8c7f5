"""torchvision's data sets, which keep the files as their authors gave them."""

from __future__ import annotations

import functools
import gzip
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from archbench.data.dataset import DIGIT_NAMES, Dataset
from archbench.data.request import DataRequest
from archbench.data.split import Split
from archbench.errors import ArchbenchError
from archbench.events import Listener
from archbench.records.store import write_atomically

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def _pixels_last(found: Any) -> Split:
    """`.data` is NHW or NHWC bytes, `.targets` a list or tensor."""
    data = torch.as_tensor(found.data)
    images = data[:, None] if data.dim() == 3 else data.permute(0, 3, 1, 2)
    return Split(images.contiguous(), torch.as_tensor(found.targets, dtype=torch.int64))


def _channels_first(found: Any) -> Split:
    """`.data` is NCHW bytes, `.labels` an int64 array."""
    return Split(torch.from_numpy(found.data).contiguous(), torch.from_numpy(found.labels))


@dataclass(frozen=True)
class TorchvisionSet:
    """One of torchvision's classes: the second argument that asks for each split, and how that becomes ours.

    The class names its classes unless `class_names` does.
    """

    class_name: str
    mirror_safe: bool
    class_names: tuple[str, ...] | None = None
    splits: tuple[bool, bool] | tuple[str, str] = (True, False)
    convert: Callable[[Any], Split] = _pixels_last

    def load(self, wanted: DataRequest, _: Listener) -> Dataset:
        """Both splits. Raises ArchbenchError when the files are missing or cannot be read."""
        from torchvision import datasets

        kind = getattr(datasets, self.class_name)
        try:
            train, test = (kind(str(wanted.root), split, download=wanted.download) for split in self.splits)
        except RuntimeError:
            raise ArchbenchError(_how_to_get(wanted)) from None
        except DAMAGE as error:
            doing = "fetched to" if wanted.download else "read from"
            said = str(error) or "the files are damaged"
            raise ArchbenchError(
                f"{wanted.name} could not be {doing} {wanted.root}: {said}; delete the files and fetch them anew"
            ) from None
        class_names = self.class_names or tuple(train.classes)
        splits = {"training": self.convert(train), "test": self.convert(test)}
        for name, split in splits.items():
            _check(wanted, name, split, len(class_names))
        return Dataset.of(wanted.name, splits["training"], splits["test"], class_names, self.mirror_safe)


def _check(wanted: DataRequest, name: str, split: Split, num_classes: int) -> None:
    """Raise ArchbenchError for files that can be read but do not hold this data set."""
    images, labels = split.images, split.labels
    if len(images) != len(labels):
        raise ArchbenchError(f"{wanted.name}: there are {len(images)} {name} images but {len(labels)} labels; fetch the files anew")
    if images.shape[2] != images.shape[3]:
        raise ArchbenchError(f"{wanted.name}: the {name} images are {images.shape[2]}x{images.shape[3]}, not square; fetch the files anew")
    if not set(labels.unique().tolist()) <= set(range(num_classes)):
        raise ArchbenchError(f"{wanted.name}: the {name} labels are not those of its {num_classes} classes; fetch the files anew")


# what torchvision's readers raise for files that are there but damaged
DAMAGE = (OSError, ValueError, EOFError, AssertionError, IndexError, KeyError, TypeError, pickle.UnpicklingError)


def _how_to_get(wanted: DataRequest) -> str:
    debian = "; or install Debian's package dataset-fashion-mnist" if wanted.name == "fashion_mnist" else ""
    return f"{wanted.name} is not in {wanted.root}: --download fetches it, --data-dir looks elsewhere{debian}"


MNIST = TorchvisionSet("MNIST", mirror_safe=False, class_names=DIGIT_NAMES)
FASHION_MNIST = TorchvisionSet("FashionMNIST", mirror_safe=True)
CIFAR10 = TorchvisionSet("CIFAR10", mirror_safe=True)
CIFAR100 = TorchvisionSet("CIFAR100", mirror_safe=True)
SVHN = TorchvisionSet(
    "SVHN",
    mirror_safe=False,
    class_names=DIGIT_NAMES,
    splits=("train", "test"),
    convert=_channels_first,
)


def load_fashion_mnist(wanted: DataRequest, emit: Listener) -> Dataset:
    """Fashion-MNIST from torchvision's folder, or from the files of Debian's package, which are unpacked into it."""
    raw = wanted.root / "FashionMNIST" / "raw"
    for packed in DEBIAN_FASHION_MNIST.glob("*.gz"):
        if not (raw / packed.stem).exists():
            write_atomically(raw / packed.stem, functools.partial(_unpack, packed))
    return FASHION_MNIST.load(wanted, emit)


def _unpack(packed: Path, target: IO[bytes]) -> None:
    with gzip.open(packed) as source:
        shutil.copyfileobj(source, target)

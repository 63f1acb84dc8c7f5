"""A set of images and labels, and the parts of it that a run takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch.nn import functional as F

from archbench.data.fingerprint import fingerprint
from archbench.data.request import DataRequest, Origin
from archbench.data.split import Images
from archbench.errors import ArchbenchError
from archbench.records.schema import hash_of

RESIZE_CHUNK = 1024
DIGIT_NAMES = tuple("0123456789")


@dataclass(frozen=True)
class Shape:
    """What a network must know of a data set before it is loaded."""

    num_classes: int
    channels: int
    size: int


@dataclass(frozen=True)
class Dataset:
    """A training and a test split. `mirror_safe` says that a mirror image keeps its class.

    `skipped` counts files that could not be read; `cut` says how a file's image became a square one. `request` is what it was loaded by,
    `changes` what was made of every image since, as `(name, size)`.
    """

    name: str
    train: Images
    test: Images
    class_names: tuple[str, ...]
    mirror_safe: bool
    fingerprint: str
    skipped: int = 0
    cut: str | None = None
    request: DataRequest | None = None
    changes: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, name: str, train: Images, test: Images, class_names: tuple[str, ...], mirror_safe: bool, skipped: int = 0) -> Self:
        """A data set with the fingerprint of what it holds."""
        return cls(name, train, test, class_names, mirror_safe, fingerprint(train, test, class_names), skipped)

    @property
    def shape(self) -> Shape:
        """Classes, channels and size of the images."""
        return Shape(len(self.class_names), self.train.shape[1], self.train.shape[2])

    @property
    def origin(self) -> Origin:
        """By what another process loads the same, from where its images lie here: another choice there might cut them otherwise.

        It asks for its own memory alone.
        """
        assert self.request is not None
        kept = (self.train if len(self.train) else self.test).kept
        return Origin(dataclasses.replace(self.request, images_from=kept, processes=1), self.changes, self.fingerprint)

    def resized(self, size: int) -> Dataset:
        """Every image scaled to `size` x `size` (bilinear, antialiased)."""
        return self._derived("resize", size, lambda images: _resize(images, size))

    def padded(self, size: int) -> Dataset:
        """Every image with a border of zeros, `size` x `size`."""
        left = (size - self.shape.size) // 2
        right = size - self.shape.size - left
        return self._derived("pad", size, lambda images: F.pad(images, (left, right, left, right)))

    def _derived(self, how: str, size: int, change: Callable[[torch.Tensor], torch.Tensor]) -> Dataset:
        train, test = (split.changed(change) for split in (self.train, self.test))
        derived = hash_of([self.fingerprint, f"{how}{size}"])
        return dataclasses.replace(self, train=train, test=test, fingerprint=derived, changes=(*self.changes, (how, size)))


def _resize(images: torch.Tensor, size: int) -> torch.Tensor:
    chunks = [
        F.interpolate(chunk.float(), size=(size, size), mode="bilinear", antialias=True).round().clamp(0, 255).to(torch.uint8)
        for chunk in images.split(RESIZE_CHUNK)
    ]
    return torch.cat(chunks)


def stratified(labels: torch.Tensor, n: int, seed: int) -> torch.Tensor:
    """Positions of `n` images, the same share of each class (largest remainders first), drawn by `seed`; in order.

    Raises ArchbenchError when there are fewer than `n` images or `n` leaves a class empty.
    """
    values, counts = np.unique(labels.numpy(), return_counts=True)
    if not len(values) <= n <= len(labels):
        raise ArchbenchError(f"a part of {n} images cannot be drawn from {len(labels)} images of {len(values)} classes")
    exact = n * counts / counts.sum()
    quota = np.maximum(np.floor(exact).astype(int), 1)
    while (missing := n - int(quota.sum())) != 0:
        gap = exact - quota
        if missing > 0:
            quota[np.argmax(gap)] += 1
        else:
            quota[np.argmin(np.where(quota > 1, gap, np.inf))] -= 1
    random = np.random.default_rng(seed)
    chosen = [random.permutation(np.flatnonzero(labels.numpy() == value))[:take] for value, take in zip(values, quota, strict=True)]
    return torch.from_numpy(np.sort(np.concatenate(chosen)))


@dataclass(frozen=True)
class Parts:
    """What one training sees: images to learn from, images held out of them for the curve (or none), and the test images."""

    train: Images
    validation: Images | None
    test: Images


def parts(dataset: Dataset, seed: int, limit: int | None, fraction: float, val_fraction: float) -> Parts:
    """The parts of a data set for one run; subsets are stratified and drawn by the run's seed."""
    train = dataset.train
    if limit is not None and limit > len(train):
        raise ArchbenchError(f"--limit-train {limit}: {dataset.name} has {len(train)} training images")
    wanted = min(limit or len(train), round(fraction * len(train)))
    classes = len(train.labels.unique())
    if wanted < classes:
        raise ArchbenchError(f"--limit-train and --train-fraction leave {wanted} images for {classes} classes; each needs one")
    if wanted < len(train):
        train = train.take(stratified(train.labels, wanted, seed))
    if not val_fraction:
        return Parts(train, None, dataset.test)
    n = round(val_fraction * len(train))
    if not classes <= n <= len(train) - classes:
        raise ArchbenchError(f"--val-fraction {val_fraction:g} holds out {n} of {len(train)} images; both parts need one of each class")
    held_out = stratified(train.labels, n, seed)
    kept = torch.ones(len(train), dtype=torch.bool)
    kept[held_out] = False
    return Parts(train.take(kept.nonzero().flatten()), train.take(held_out), dataset.test)

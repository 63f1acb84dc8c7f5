"""A data set as the user asked for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class DataRequest:
    """What to load. `folder` is set for imagefolder alone.

    `limit_train` (images) and `test_only` (no training image) spare ImageNet from being decoded whole, `test_only` also
    `shapes` from being made whole; other sets are loaded whole.
    `images_from`, `memory_limit` in bytes, the `device` and how many `processes` hold them decide where the images of class folders lie
    (choice.py). Beside a limit, so do the images that a step or a test takes at once, and how many `copies` of all, of as many bytes each,
    a training makes of those that lie in memory; neither tells one set from another.
    `resize_ratio` is what the shorter side of an ImageNet image is scaled to, in sides of the crop, bicubic or bilinear.
    """

    name: str
    source: str
    root: Path
    folder: Path | None = None
    image_size: int | None = None
    download: bool = False
    skip_broken: bool = False
    limit_train: int | None = None
    test_only: bool = False
    images_from: str = "auto"
    memory_limit: int | None = None
    processes: int = 1
    device: str = "cpu"
    resize_ratio: float = 256 / 224  # Krizhevsky et al. 2012, section 2
    bicubic: bool = False
    batch_size: int = field(default=0, compare=False)
    copies: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Origin:
    """What another process loads a data set by: the request, what becomes of every image, and the fingerprint that comes of it."""

    request: DataRequest
    changes: tuple[tuple[str, int], ...]
    fingerprint: str

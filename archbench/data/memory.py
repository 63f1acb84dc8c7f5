"""Whether images fit into memory, asked before they are decoded."""

from __future__ import annotations

from archbench.errors import ArchbenchError

GIB, MIB = 2**30, 2**20


def image_bytes(images: int, size: int) -> int:
    """Bytes that uint8 RGB images of `size` x `size` pixels take."""
    return images * 3 * size * size


def check_fits(name: str, needed_bytes: int, free_bytes: int | None, remedy: str) -> None:
    """Raises ArchbenchError, with the `remedy`, when a data set needs more memory than is free; passes where that is not known."""
    if free_bytes is not None and needed_bytes > free_bytes:
        raise ArchbenchError(
            f"{name} needs {needed_bytes / GIB:.1f} GiB of memory for its decoded images, {free_bytes / GIB:.1f} GiB are free: {remedy}"
        )

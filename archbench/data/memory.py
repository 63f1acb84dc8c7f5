"""Whether images fit into memory, asked before they are decoded."""

from __future__ import annotations

from archbench.errors import ArchbenchError

GIB, MIB = 2**30, 2**20


def image_bytes(images: int, size: int) -> int:
    """Bytes that uint8 RGB images of `size` x `size` pixels take."""
    return images * 3 * size * size


def size_text(size_bytes: int) -> str:
    """`1.5 GiB`, `3.2 MiB`."""
    return f"{size_bytes / GIB:.1f} GiB" if size_bytes >= GIB else f"{size_bytes / MIB:.1f} MiB"


def check_fits(name: str, needed_bytes: int, free_bytes: int | None, remedy: str) -> None:
    """Raises ArchbenchError, with the `remedy`, when a data set needs more memory than is free; passes where that is not known."""
    if free_bytes is not None and needed_bytes > free_bytes:
        raise ArchbenchError(
            f"{name} needs {size_text(needed_bytes)} of memory for its decoded images, {size_text(free_bytes)} are free: {remedy}"
        )

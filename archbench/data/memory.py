"""Whether images fit into memory, asked before they are decoded."""

from __future__ import annotations

import os
import re
from pathlib import Path

from archbench.errors import ArchbenchError

GIB = 2**30
MEMINFO = Path("/proc/meminfo")


def image_bytes(images: int, size: int) -> int:
    """Bytes that uint8 RGB images of `size` x `size` pixels take."""
    return images * 3 * size * size


def check_fits(name: str, needed_bytes: int, remedy: str) -> None:
    """Raises ArchbenchError, with the `remedy`, when a data set needs more memory than is free; passes where that is not known."""
    free_bytes = available_bytes()
    if free_bytes is not None and needed_bytes > free_bytes:
        raise ArchbenchError(
            f"{name} needs {needed_bytes / GIB:.1f} GiB of memory for its decoded images, {free_bytes / GIB:.1f} GiB are free: {remedy}"
        )


def available_bytes() -> int | None:
    """Memory that can be had now without swapping, or None where the system does not tell."""
    if MEMINFO.is_file() and (line := re.search(r"MemAvailable:\s+(\d+) kB", MEMINFO.read_text())):
        return int(line[1]) * 1024
    if "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None

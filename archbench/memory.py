"""Memory of the machine that can be had now, and that this process takes."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from pathlib import Path

import psutil

# glibc's mallopt: numbers of the parameters, from how many bytes on a block is mapped, and how many are kept at the end of the heap
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -3, -1
MAPPED_BYTES, KEPT_BYTES = 2**20, 64 * 2**20
MEMINFO, CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Memory that can be had without swapping, within a container's limit; None where the system does not tell."""
    told = [size for size in (_of_machine(), _in_container()) if size is not None]
    return min(told, default=None)


def resident_bytes() -> int:
    """The resident size of this process."""
    return int(psutil.Process().memory_info().rss)


def map_large() -> None:
    """With glibc, give back what was freed, and from now on map each large block by itself, so that it goes back as soon as it is freed.

    glibc begins so, and stops for blocks of up to 32 MiB once one was freed: batches of images then leave holes among what threads
    allocate, and the process grows. See mallopt(3) and malloc_trim(3).
    """
    if platform.libc_ver()[0] == "glibc":
        glibc = ctypes.CDLL(None)
        glibc.malloc_trim(0)
        glibc.mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
        glibc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _of_machine() -> int | None:
    if MEMINFO.is_file() and (line := re.search(r"MemAvailable:\s+(\d+) kB", MEMINFO.read_text())):
        return int(line[1]) * 1024
    if "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _in_container() -> int | None:
    """What a limit leaves (cgroup v2), pages of files that would be given up not counted; None where there is none."""
    files = [CONTAINER / f"memory.{name}" for name in ("max", "current", "stat")]
    if not all(file.is_file() for file in files):
        return None
    limit, used, details = (file.read_text().strip() for file in files)
    given_up = re.search(r"^inactive_file (\d+)$", details, re.MULTILINE)
    return None if limit == "max" else int(limit) - int(used) + (int(given_up[1]) if given_up else 0)

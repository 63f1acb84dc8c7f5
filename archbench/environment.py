"""Facts about where a run took place: machine, device, threads, versions, state of the source."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil
import torch

import archbench
from archbench import conditions
from archbench.device import Device

LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "scipy", "pandas")
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def describe(device: Device) -> dict[str, Any]:
    """The environment of a run, as it goes into its Record. Names no host, user or folder."""
    return {
        "archbench": archbench.__version__,
        "git": git_state(),
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.machine()}",
        "libraries": library_versions(),
        "cpu": Device("cpu").name,
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "clock": cpu_clock(),
        "memory_bytes": memory_bytes(),
        "device": {"kind": device.kind, "name": device.name, **device.facts},
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def library_versions() -> dict[str, str]:
    """Versions of the libraries that can move a figure."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def usable_cores() -> int | None:
    """Cores that this process may use, where the system tells; fewer than the machine has under taskset or in a container."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def cores_to_use() -> int:
    """Cores that this process may use, or where the system does not tell, all that the machine has."""
    return usable_cores() or os.cpu_count() or 1


def cpu_quota() -> float | None:
    """Cores whose time a container may use at once, where Linux limits it: threads beyond them wait."""
    quota, period = CPU_MAX.read_text().split() if CPU_MAX.exists() else ("max", "100000")
    return None if quota == "max" else int(quota) / int(period)


def cpu_clock() -> dict[str, Any]:
    """The governor and the highest clock of the first core in Hz, where Linux tells."""
    governor, clocks = conditions.governor(), conditions.frequencies()
    if governor is None or not clocks:
        return {}
    return {"governor": governor, "max_hz": round(1e6 * clocks[0].max)}


def memory_bytes() -> int:
    """The machine's memory."""
    return int(psutil.virtual_memory().total)


@functools.cache
def git_state() -> dict[str, Any] | None:
    """Commit of the archbench source and whether it was changed; None where it is not a checkout."""
    folder = Path(archbench.__file__).parent.parent
    if not (folder / ".git").exists():
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--", "archbench", "zoo")
    return {"commit": commit, "changed": bool(changes)} if commit is not None else None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()

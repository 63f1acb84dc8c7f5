"""What a user's network does to torch's global settings ends with the call that ran it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import torch

CONTRADICTORY = "contradictory"
FLAGS = (
    (torch.backends.cuda.matmul, "allow_tf32"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "deterministic"),
    (torch.backends.cudnn, "enabled"),
    (torch.backends.mkldnn, "enabled"),
)


def _anomaly_mode() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _named_device() -> torch.device | None:
    """The default device, None where none was named: one that is named, the CPU too, costs time at each of torch's calls."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)  # nothing public tells the two apart
    return None if context is None else context.device


# what tells each setting, and what sets it
SETTINGS: tuple[tuple[Callable[[], object], Callable[..., object]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (_named_device, torch.set_default_device),
    (_anomaly_mode, lambda mode: torch.set_anomaly_enabled(*mode)),
    *((partial(getattr, owner, name), partial(setattr, owner, name)) for owner, name in FLAGS),
)


def _told(tell: Callable[[], object]) -> object:
    try:
        return tell()
    except RuntimeError:  # torch has two ways to set a precision, and refuses to tell what was set to two values
        return CONTRADICTORY


@contextlib.contextmanager
def preserved_settings() -> Iterator[None]:
    """Torch's global settings are afterwards as they were: default type and device, threads, gradients, precision, determinism,
    anomaly mode, and whether cuDNN and oneDNN are used.
    """
    before = [_told(tell) for tell, _ in SETTINGS]
    try:
        yield
    finally:
        for (tell, put), value in zip(SETTINGS, before, strict=True):
            if value != CONTRADICTORY and _told(tell) != value:
                put(value)

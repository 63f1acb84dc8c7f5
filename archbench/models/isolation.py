"""What a user's network does to the settings of torch and of its process ends with the call that ran it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

UNTOLD = "untold"
DEVICES = ("cpu", "cuda", "mps")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
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


def _handlers() -> tuple[Any, ...]:
    return tuple(map(signal.getsignal, SIGNALS))


def _handle(handlers: tuple[Any, ...]) -> None:
    if threading.current_thread() is threading.main_thread():  # no other may, nor can a network that runs in another have done so
        for number, handler in zip(SIGNALS, handlers, strict=True):
            if handler is not None:  # one that Python did not install
                signal.signal(number, handler)


# what tells each setting, and what sets it
SETTINGS: tuple[tuple[Callable[[], object], Callable[..., object]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (_named_device, torch.set_default_device),
    (_anomaly_mode, lambda mode: torch.set_anomaly_enabled(*mode)),
    (torch.is_warn_always_enabled, torch.set_warn_always),
    (torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled),
    *((partial(torch.is_autocast_enabled, kind), partial(torch.set_autocast_enabled, kind)) for kind in DEVICES),
    *((partial(torch.get_autocast_dtype, kind), partial(torch.set_autocast_dtype, kind)) for kind in DEVICES),
    *((partial(getattr, owner, name), partial(setattr, owner, name)) for owner, name in FLAGS),
    (os.getcwd, os.chdir),
    (_handlers, _handle),
)


def _told(tell: Callable[[], object]) -> object:
    try:
        return tell()
    except (RuntimeError, FileNotFoundError):  # torch tells no precision that was set to two values in two ways; the folder is gone
        return UNTOLD


@contextlib.contextmanager
def preserved_settings() -> Iterator[None]:
    """Global settings are afterwards as they were. Torch's: default type and device, threads, gradients, autocast, precision, determinism,
    anomaly mode, warnings, and whether cuDNN and oneDNN are used. The process's: its folder, and what SIGINT and SIGTERM do.
    """
    before = [_told(tell) for tell, _ in SETTINGS]
    try:
        yield
    finally:
        for (tell, put), value in zip(SETTINGS, before, strict=True):
            if value != UNTOLD and _told(tell) != value:
                put(value)

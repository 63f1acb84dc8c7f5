"""What a user's network does to torch's global settings ends with the call that ran it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

# what tells each setting, and what sets it
SETTINGS: tuple[tuple[Callable[[], object], Callable[..., object]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
)
FLAGS = (
    (torch.backends.cuda.matmul, "allow_tf32"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "deterministic"),
)


@contextlib.contextmanager
def preserved_settings() -> Iterator[None]:
    """Torch's global settings are afterwards as they were: default type and device, threads, gradients, precision, determinism."""
    before = [tell() for tell, _ in SETTINGS]
    flags = [getattr(owner, name) for owner, name in FLAGS]
    device = torch.get_default_device()
    try:
        yield
    finally:
        for (tell, put), value in zip(SETTINGS, before, strict=True):
            if tell() != value:
                put(value)
        for (owner, name), value in zip(FLAGS, flags, strict=True):
            setattr(owner, name, value)
        if torch.get_default_device() != device:
            torch.set_default_device(device)

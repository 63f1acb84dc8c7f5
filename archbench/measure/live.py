"""Bytes of tensors alive at once, seen at PyTorch's dispatcher: each memory counts from the operation that wrote it until it is freed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):
    """Follows tensors inside the context; `held` are those that are there before. Views of one memory count once."""

    def __init__(self, held: Iterable[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now_bytes = self.peak_bytes = 0
        self._alive: dict[int, Any] = {}
        for tensor in held:
            self._see(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self._see(leaf)
        return out

    def _see(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        identity, size = storage._cdata, storage.nbytes()
        if identity in self._alive:
            return
        self.now_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)
        self._alive[identity] = weakref.ref(storage, lambda _: self._forget(identity, size))

    def _forget(self, identity: int, size: int) -> None:
        self.now_bytes -= size
        del self._alive[identity]


def peak_bytes(call: Callable[[], object], held: Callable[[], Iterable[torch.Tensor]]) -> int:
    """The largest number of bytes alive at once during a call; `held` gives the tensors that are there before, and keeps none of them."""
    live = LiveTensors(held())
    with live:
        call()
    return live.peak_bytes


def saved_bytes(forward: Callable[[], torch.Tensor], held: Iterable[torch.Tensor]) -> int:
    """Bytes of distinct memory that a forward pass keeps for the backward pass, those of `held` not counted."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = forward()
    for tensor in held:
        kept.pop(tensor.untyped_storage()._cdata, None)
    del loss  # until here it kept what was counted, so that no memory was counted twice
    return sum(kept.values())

"""Which layers of a network give maps, and which of them is explained: the last whose output still has more than one place."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from archbench.errors import ArchbenchError, unknown


def as_maps(output: Any) -> torch.Tensor | None:
    """A layer's output as maps `(N, C, H, W)` of more than one place, for a square image; None where it is none.

    Maps may have their channels last. Tokens `(N, places, C)` are laid out row by row, without the first where that is a class token.
    """
    if not isinstance(output, torch.Tensor) or output.ndim not in (3, 4):
        return None
    if output.ndim == 3:
        side = math.isqrt(output.shape[1])
        grid = output[:, output.shape[1] - side**2 :].transpose(1, 2)
        return grid.unflatten(2, (side, side)) if side > 1 and output.shape[1] - side**2 <= 1 else None
    if output.shape[2] == output.shape[3] > 1:
        return output
    return output.permute(0, 3, 1, 2) if output.shape[1] == output.shape[2] > 1 else None


@contextlib.contextmanager
def watched(network: nn.Module, hear: Callable[[str, nn.Module, Any], Any]) -> Iterator[None]:
    """Tell what each module gives, by its name; what is answered, unless None, takes its place."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], Any]:
        return lambda module, _, output: hear(name, module, output)

    handles = [module.register_forward_hook(hook(name)) for name, module in network.named_modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def layers(network: nn.Module, image: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """The layers that give maps, with the shape of these for one image `(1, C, H, W)`; in the order in which they end."""
    found: dict[str, tuple[int, ...]] = {}

    def hear(name: str, module: nn.Module, output: Any) -> None:
        maps = as_maps(output)
        if name and maps is not None:
            found.pop(name, None)
            found[name] = tuple(maps.shape)

    with watched(network, hear):
        network(image)
    return found


def target(network: nn.Module, image: torch.Tensor, wanted: str | None, called: str) -> str:
    """The layer that is explained: the one that is `wanted`, else the last that gives maps. Raises ArchbenchError where it gives none."""
    found = layers(network, image)
    if wanted is None:
        if not found:
            raise ArchbenchError(f"no layer of {called} gives maps of more than one place; --method occlusion needs none")
        return next(reversed(found))
    if not wanted or wanted not in dict(network.named_modules()):
        raise unknown(f"layer of {called}", wanted, found)
    if wanted not in found:
        raise ArchbenchError(f"the layer {wanted} of {called} gives no maps of more than one place; those that do: {_some(list(found))}")
    return wanted


def _some(names: list[str], most: int = 8) -> str:
    """The last ones, which are those that one would explain."""
    return f"{'..., ' * (len(names) > most)}{', '.join(names[-most:])}" if names else "none"

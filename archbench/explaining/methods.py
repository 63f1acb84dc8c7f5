"""The methods by name: from images to one map a class, at the places of a layer.

`class_map` and `cam` are exact: a map's mean, and with `cam` a bias, is the logit. They are refused where that does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from archbench.errors import ArchbenchError
from archbench.explaining import weighing
from archbench.explaining.places import as_maps, watched

PLACES = 8  # a side, of a map by occlusion
ROUNDING = 1e-3  # of the largest logit: far more than float32 loses, far less than another head would


@dataclass(frozen=True)
class Target:
    """A network in evaluation mode, how it is called in a message, and the layer that is explained."""

    network: nn.Module
    called: str
    layer: str


class Found(NamedTuple):
    """Maps `(N, h, w)` of the classes `(N,)`, and the logits `(N, K)`."""

    maps: torch.Tensor
    classes: torch.Tensor
    logits: torch.Tensor


Choice = Callable[[torch.Tensor], torch.Tensor]  # logits (N, K) -> of which class each map shall be, (N,)
Method = Callable[[Target, torch.Tensor, Choice], Found]


class Seen(NamedTuple):
    """Of one forward pass: the layer's maps, the logits, and the last linear layer that gave them, if one did."""

    maps: torch.Tensor
    logits: torch.Tensor
    linear: nn.Linear | None


def seen(target: Target, images: torch.Tensor) -> Seen:
    """What the network says of normalised images `(N, C, H, W)`."""
    maps: list[torch.Tensor] = []
    given: list[tuple[nn.Linear, torch.Tensor]] = []

    def hear(name: str, module: nn.Module, output: Any) -> None:
        found = as_maps(output) if name == target.layer else None
        if found is not None:
            maps[:] = [found]
        if isinstance(module, nn.Linear):
            given[:] = [(module, output)]

    with watched(target.network, hear):
        logits: torch.Tensor = target.network(images)
    linear = next((module for module, output in given if output.shape == logits.shape and torch.equal(output, logits)), None)
    return Seen(maps[0], logits, linear)


@torch.inference_mode()
def class_map(target: Target, images: torch.Tensor, choose: Choice) -> Found:
    """The layer's own map of the class (*Network In Network*, section 4.7): its mean is the logit."""
    maps, logits, _ = seen(target, images)
    if maps.shape[1] != logits.shape[1] or not _same(maps.mean((2, 3)), logits):
        raise ArchbenchError(
            f"class_map: the logits of {target.called} are not the means of one map a class at {target.layer}; cam or gradcam may suit it"
        )
    classes = choose(logits)
    return Found(_of_class(maps, classes), classes, logits)


@torch.inference_mode()
def cam(target: Target, images: torch.Tensor, choose: Choice) -> Found:
    """The maps weighted as the last linear layer weighs their means (Zhou et al. 2016, equation 2): the mean plus bias is the logit."""
    maps, logits, linear = seen(target, images)
    if linear is None or linear.in_features != maps.shape[1] or not _same(linear(maps.mean((2, 3))), logits):
        raise ArchbenchError(
            f"cam: the logits of {target.called} are not one linear layer on the means of the maps at {target.layer}; "
            "class_map or gradcam may suit it"
        )
    classes = choose(logits)
    return Found(torch.einsum("nchw,nc->nhw", maps, linear.weight[classes]), classes, logits)


@torch.inference_mode()
def occlusion(target: Target, images: torch.Tensor, choose: Choice) -> Found:
    """By how much the logit falls when a square of grey, a quarter of a side, lies over each place (Zeiler and Fergus 2014).

    The grey is the training images' mean. There are at most 8 x 8 places, and no layer is asked.
    """
    logits: torch.Tensor = target.network(images)
    classes, size = choose(logits), images.shape[-1]
    places = min(PLACES, size)
    step, half = size / places, max(size / 8, 0.5)
    spans = [slice(max(round((i + 0.5) * step - half), 0), round((i + 0.5) * step + half)) for i in range(places)]
    falls = []
    for down in spans:
        for right in spans:
            covered = images.clone()
            covered[:, :, down, right] = 0
            falls.append(_of_class(logits, classes) - _of_class(target.network(covered), classes))
    return Found(torch.stack(falls, 1).unflatten(1, (places, places)), classes, logits)


def _weighed(kind: str) -> Method:
    """One of the library's methods, at the layer's places and without its scaling to 0 to 1; blank for a network that is dead."""

    def method(target: Target, images: torch.Tensor, choose: Choice) -> Found:
        asked = weighing.activations(target.network, target.layer, images, choose)
        if not asked.gradients.any():
            if not _is_dead(target.network, images):
                raise ArchbenchError(f"{kind}: no gradient of the logits of {target.called} reaches {target.layer}; --layer names another")
            return Found(torch.zeros_like(asked.maps[:, 0]), asked.classes, asked.logits)
        return Found(weighing.weighed(kind, target.network, images, asked), asked.classes, asked.logits)

    return method


METHODS: dict[str, Method] = {
    "class_map": class_map,
    "cam": cam,
    **{name: _weighed(name) for name in weighing.KINDS},
    "occlusion": occlusion,
}


@torch.inference_mode()
def _is_dead(network: nn.Module, images: torch.Tensor) -> bool:
    """Whether these images and the mean one are all the same to the network, as to one whose units all died in training."""
    logits = network(torch.cat([images, torch.zeros_like(images[:1])]))
    return bool((logits == logits[0]).all())


def _of_class(values: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    return values[torch.arange(len(values), device=values.device), classes]


def _same(found: torch.Tensor, logits: torch.Tensor) -> bool:
    return bool((found - logits).abs().max() <= ROUNDING * logits.abs().max().clamp(min=ROUNDING))

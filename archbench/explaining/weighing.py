"""Grad-CAM and its kin, whose weights the library grad-cam works out from a layer's maps and their gradients."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from archbench.errors import ArchbenchError
from archbench.explaining.places import as_maps, watched

KINDS = {"gradcam": "GradCAM", "gradcam++": "GradCAMPlusPlus", "layercam": "LayerCAM", "scorecam": "ScoreCAM"}  # the library's names
FORWARD_BATCH = 128  # images that Score-CAM sends through the network at once


class Activations(NamedTuple):
    """A layer's maps `(N, C, h, w)` and the gradients of the chosen classes' logits by them; the logits `(N, K)`."""

    maps: torch.Tensor
    gradients: torch.Tensor
    classes: torch.Tensor
    logits: torch.Tensor


def check_installed(method: str) -> None:
    """Raise ArchbenchError where a method needs the library and it is not there."""
    if method in KINDS and importlib.util.find_spec("pytorch_grad_cam") is None:
        raise ArchbenchError(f"--method {method} needs grad-cam: pip install 'archbench[explain]'; class_map, cam and occlusion do not")


def activations(network: nn.Module, layer: str, images: torch.Tensor, choose: Callable[[torch.Tensor], torch.Tensor]) -> Activations:
    """One forward pass, and the backward pass as far as the layer: no gradient is worked out before it, nor of any weight."""
    kept: list[torch.Tensor] = []

    def hear(name: str, module: nn.Module, output: Any) -> torch.Tensor | None:
        if name != layer or as_maps(output) is None:
            return None
        kept[:] = [output.detach().requires_grad_()]
        return kept[0].clone()  # what follows may change it in place

    with _frozen(network), torch.enable_grad(), watched(network, hear):
        logits = network(images)
        classes = choose(logits.detach())
        total = logits.gather(1, classes[:, None]).sum() + kept[0].sum() * 0  # so that there is a path, even where nothing depends on them
        (gradients,) = torch.autograd.grad(total, kept[0])
    maps, by_maps = as_maps(kept[0].detach()), as_maps(gradients)
    assert maps is not None and by_maps is not None
    return Activations(maps, by_maps, classes, logits.detach())


def weighed(kind: str, network: nn.Module, images: torch.Tensor, asked: Activations) -> torch.Tensor:
    """The maps `(N, h, w)` of one of the library's methods; what speaks against the class is cut off, as their papers do."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    method = getattr(pytorch_grad_cam, KINDS[kind])(network, [])
    method.batch_size = FORWARD_BATCH
    targets = [ClassifierOutputTarget(int(each)) for each in asked.classes]
    arrays = (each.float().cpu().numpy() for each in (asked.maps, asked.gradients))
    with contextlib.redirect_stderr(io.StringIO()):  # Score-CAM draws a bar for each image
        raw = method.get_cam_image(images, [], targets, *arrays, False)
    return torch.from_numpy(raw).float().clamp(min=0)


@contextlib.contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """No parameter asks for a gradient meanwhile."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_()

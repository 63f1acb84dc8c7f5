"""Models of timm and torchvision, named `timm:NAME` and `torchvision:NAME`."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

from torch import nn

from archbench.errors import unknown
from archbench.models.entry import Entry, external_spec

TIMM, TORCHVISION = "timm:", "torchvision:"
IMAGENET_CLASSES = 1000
WITHOUT_AUXILIARY = ("googlenet", "inception_v3")  # torchvision's builders add heads for training to these unless told not to


@functools.cache
def known(prefix: str) -> list[str]:
    """Every full name of a library's classifiers."""
    if prefix == TIMM:
        import timm

        return [TIMM + name for name in timm.list_models()]
    from torchvision import models

    return [TORCHVISION + name for name in models.list_models(module=models)]


@functools.cache
def timm_entry(name: str) -> Entry:
    """A model of timm, as its builder makes it."""
    import timm

    short = name.removeprefix(TIMM)
    if name not in known(TIMM):
        raise unknown("model", name, known(TIMM))
    config: Any = timm.get_pretrained_cfg(short)
    size = config.input_size[-1] if config is not None else 224

    def build(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
        sized: dict[str, Any] = {"img_size": image_size} if config is not None and config.fixed_input_size else {}
        network: nn.Module = timm.create_model(short, pretrained=False, num_classes=num_classes, in_chans=in_channels, **sized)
        return network

    return Entry(external_spec(name, short, "timm", size, IMAGENET_CLASSES), build, _hash(f"timm {timm.__version__} {short}"))


@functools.cache
def torchvision_entry(name: str) -> Entry:
    """A classifier of torchvision, without heads for training alone, for any number of channels."""
    import torchvision
    from torchvision import models

    short = name.removeprefix(TORCHVISION)
    if name not in known(TORCHVISION):
        raise unknown("model", name, known(TORCHVISION))
    size = getattr(models.get_model_weights(short).DEFAULT.transforms(), "crop_size", [224])[0]
    options = {"aux_logits": False, "init_weights": True} if short in WITHOUT_AUXILIARY else {}

    def build(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
        sized = {"image_size": image_size} if short.startswith("vit_") else {}
        network: nn.Module = models.get_model(short, weights=None, num_classes=num_classes, **options, **sized)
        if in_channels != 3:
            _replace_first_convolution(network, in_channels)
        return network

    spec = external_spec(name, short, "torchvision", size, IMAGENET_CLASSES, _departures(short))
    return Entry(spec, build, _hash(f"torchvision {torchvision.__version__} {short}"))


def _departures(short: str) -> tuple[str, ...]:
    channels = "For a number of channels other than three the first convolution is made anew, with PyTorch's initial weights."
    return (channels, "The auxiliary heads are left out.") if short in WITHOUT_AUXILIARY else (channels,)


def _replace_first_convolution(network: nn.Module, in_channels: int) -> None:
    name, old = next((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    kept: Any = {key: getattr(old, key) for key in ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")}
    network.set_submodule(name, nn.Conv2d(in_channels, old.out_channels, bias=old.bias is not None, **kept))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_foreign(name: str) -> bool:
    """Whether a name is one of another library."""
    return name.startswith((TIMM, TORCHVISION))


def foreign_entry(name: str) -> Entry:
    """What a name with the prefix of a library leads to. Raises ArchbenchError when the library has none such."""
    return timm_entry(name) if name.startswith(TIMM) else torchvision_entry(name)

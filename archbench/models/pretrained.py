"""Weights that somebody else published, carried over into the zoo's networks by the names that a spec writes down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import nn

import zoo
from archbench.errors import ArchbenchError
from archbench.models.foreign import TIMM, TORCHVISION
from archbench.models.model import Model

AUXILIARY = "auxiliary."  # heads for training alone: the one part of published weights that may find no place

State = Mapping[str, torch.Tensor]


def weights_of(model: Model) -> zoo.Weights:
    """What the spec says of a model's published weights. Raises ArchbenchError where there are none for it."""
    weights = model.spec.weights
    if weights is None or not weights.tag:
        raise ArchbenchError(f"--pretrained: there are no published weights for {model.name}")
    if model.knobs:
        raise ArchbenchError(f"--pretrained: the published weights are for {model.name} without knobs (got {model.label})")
    return weights


def load(model: Model, network: nn.Module, download: bool) -> None:
    """Give the network its published weights. Raises ArchbenchError where they are not on this machine and may not be fetched."""
    weights = weights_of(model)
    fetch = _from_timm if weights.origin.startswith(TIMM) else _from_torchvision
    carry_over(fetch(weights, download), weights.rename, network)


def carry_over(state: State, rename: Iterable[tuple[str, str]], network: nn.Module) -> None:
    """Load a foreign state dict into a network; a linear layer's weights fit a 1x1 convolution, and the other way round.

    Raises ArchbenchError when the renamed state dict is not that of the network.
    """
    ours = network.state_dict()
    theirs = {renamed(name, rename): tensor for name, tensor in state.items()}
    theirs = {name: tensor for name, tensor in theirs.items() if name in ours or not name.startswith(AUXILIARY)}
    strange = sorted(set(theirs) ^ set(ours)) or [name for name in ours if theirs[name].numel() != ours[name].numel()]
    if strange:
        raise ArchbenchError(f"the weights do not fit the network: {strange[0]} (and {len(strange) - 1} more)")
    network.load_state_dict({name: tensor.reshape(ours[name].shape) for name, tensor in theirs.items()})


def renamed(name: str, rename: Iterable[tuple[str, str]]) -> str:
    """A foreign name as ours."""
    for pattern, ours in rename:
        name = re.sub(pattern, ours, name)
    return name


def _from_torchvision(weights: zoo.Weights, download: bool) -> State:
    from torchvision import models

    published = models.get_model_weights(weights.origin.removeprefix(TORCHVISION))[weights.tag]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(published.url).name
    if not cached.exists() and not download:
        raise _not_here(weights, cached.parent)
    try:
        state: State = published.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise ArchbenchError(f"the weights of {weights.origin} cannot be had: {' '.join(str(error).split())}") from None
    return state


def _from_timm(weights: zoo.Weights, download: bool) -> State:
    import timm
    from huggingface_hub import constants, try_to_load_from_cache

    name = f"{weights.origin.removeprefix(TIMM)}.{weights.tag}"
    config = timm.get_pretrained_cfg(name)
    assert config is not None
    if not download:
        hub_files = [
            try_to_load_from_cache(config.hf_hub_id, file) for file in ("model.safetensors", "pytorch_model.bin") if config.hf_hub_id
        ]
        cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(str(config.url or "none")).name
        if not cached.exists() and not any(isinstance(file, str) for file in hub_files):
            raise _not_here(weights, Path(constants.HF_HUB_CACHE) if config.hf_hub_id else cached.parent)
    try:
        state: State = timm.create_model(name, pretrained=True).state_dict()
    except (OSError, RuntimeError) as error:
        raise ArchbenchError(f"the weights of {weights.origin} cannot be had: {' '.join(str(error).split())}") from None
    return state


def _not_here(weights: zoo.Weights, folder: Path) -> ArchbenchError:
    return ArchbenchError(f"the weights of {weights.origin} ({weights.tag}) are not in {folder}: --download fetches them")

"""Weights that somebody else published, carried over into the zoo's networks by the names that a spec writes down."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

import zoo
from archbench.errors import ArchbenchError
from archbench.models.foreign import TIMM, TORCHVISION
from archbench.models.model import Model

AUXILIARY = "auxiliary."  # heads for training alone: the one part of published weights that may find no place
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.")

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
    if cached.exists():
        return _read(cached, lambda: torch.load(verified(cached), weights_only=True, map_location="cpu"))
    if not download:
        raise _not_here(weights, cached.parent)
    return _read(cached, lambda: published.get_state_dict(progress=False, check_hash=True))


def _from_timm(weights: zoo.Weights, download: bool) -> State:
    import timm

    name = f"{weights.origin.removeprefix(TIMM)}.{weights.tag}"
    config: Any = timm.get_pretrained_cfg(name)
    cached = _timm_file(config)
    if cached is not None:  # the file itself, so that nothing is asked of any server
        overlay = {"file": str(cached)}
        return _read(cached, lambda: timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay).state_dict())
    if not download:
        raise _not_here(weights, Path(torch.hub.get_dir()).parent)
    return _read(Path(name), lambda: timm.create_model(name, pretrained=True).state_dict())


def _timm_file(config: Any) -> Path | None:
    """The file that timm fetched earlier, from a hub or from an address."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(config.hf_hub_id, file) for file in HUB_FILES] if config.hf_hub_id else []
    fetched = [Path(torch.hub.get_dir()) / "checkpoints" / Path(str(config.url)).name] if config.url else []
    files = [*(Path(file) for file in found if isinstance(file, str)), *fetched]
    return next((file for file in files if file.exists()), None)


def _read(file: Path, read: Callable[[], State]) -> State:
    """What a reader gives. Raises ArchbenchError that names the file when it is damaged or cannot be had."""
    try:
        state = read()
    except ArchbenchError:
        raise
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError, KeyError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ArchbenchError(f"the weights in {file} cannot be had: {said[:200]}; delete the file and --download fetches it anew") from None
    if not isinstance(state, Mapping):
        raise ArchbenchError(f"the weights in {file} are no state dict but a {type(state).__name__}")
    return state


def verified(file: Path) -> Path:
    """A file whose name ends in the first digits of its SHA-256, as PyTorch's do. Raises ArchbenchError when they differ."""
    stated = HASH_IN_NAME.search(file.name)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if stated is not None and not found.startswith(stated[1]):
        raise ArchbenchError(f"{file} is damaged: its hash is {found[:8]}, not {stated[1]}; delete it and --download fetches it anew")
    return file


def _not_here(weights: zoo.Weights, folder: Path) -> ArchbenchError:
    return ArchbenchError(f"the weights of {weights.origin} ({weights.tag}) are not in {folder}: --download fetches them")

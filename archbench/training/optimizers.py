"""The optimizer of a recipe, by name: one of torch.optim (`sgd`, `adamw`, `nadam`, ...) or of timm (`timm:lamb`).

Weights decay, biases and the parameters of norms do not; biases and the last layer may have rates of their own. timm's Muon scales its step
by the square root of a layer's inputs, and so does what they add up to: a linear layer with very many has its rate in inverse proportion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from archbench.errors import ArchbenchError, brief, unknown
from archbench.training.recipe import MUON_INPUTS, Recipe, TrainingConfig

TIMM, MUON = "timm:", "timm:muon"
UNFIT = {"lbfgs": "it evaluates the loss several times a step", "sparseadam": "no network here has sparse gradients"}
Group = dict[str, Any]


def make(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer over a model's trained parameters. Each group keeps its factor on the rate as `lr_scale`.

    Raises ArchbenchError for a name or option that is not known.
    """
    if doubled := sorted({"lr", "weight_decay"} & set(recipe.optimizer_options)):
        raise ArchbenchError(f"{doubled[0]} is a key of the recipe, not one of optimizer_options")
    build = _timm if recipe.optimizer.startswith(TIMM) else _torch
    optimizer = build(groups(model, recipe), recipe)
    for group in optimizer.param_groups:
        group.setdefault("lr_scale", group["lr"] / recipe.lr)
    return optimizer


def groups(model: nn.Module, recipe: Recipe) -> list[Group]:
    """Parameters by whether they decay and by their factor on the rate; groups without a parameter are left out."""
    last = {id(parameter) for parameter in _last_layer(model)} if recipe.last_layer_lr_scale != 1 else set()
    most = recipe.muon_inputs if isinstance(recipe, TrainingConfig) else MUON_INPUTS
    wide = _wide_layers(model, most) if recipe.optimizer == MUON else {}
    found: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        scale = recipe.bias_lr_scale if name.rpartition(".")[2] == "bias" else 1.0
        scale *= recipe.last_layer_lr_scale if id(parameter) in last else 1.0
        scale *= wide.get(id(parameter), 1.0)
        found.setdefault((parameter.ndim > 1, scale), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": recipe.weight_decay if decays else 0.0, "lr": recipe.lr * scale}
        for (decays, scale), parameters in sorted(found.items(), key=lambda item: (not item[0][0], item[0][1]))
    ]


def check(recipe: Recipe) -> None:
    """Build it for a small layer and take a step. Raises ArchbenchError where that fails."""
    layer = nn.utils.skip_init(nn.Linear, 2, 2)  # draws no random numbers
    optimizer = make(layer, recipe)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    try:
        optimizer.step()
    except Exception as error:  # of any kind, as options fail that are somebody else's to check
        raise ArchbenchError(f"the optimizer {recipe.optimizer} cannot take a step: {brief(error)}") from None


def _last_layer(model: nn.Module) -> Iterable[nn.Parameter]:
    """Of the head; classifiers beside it, which help to train, are registered behind it."""
    named = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    layers = [layer for name, layer in named if "auxiliary" not in name.split(".")]
    return layers[-1].parameters(recurse=False) if layers else ()


def _wide_layers(model: nn.Module, most: int) -> dict[int, float]:
    """The weights of linear layers with more inputs than Muon's whole rate is for, by their ids, and what it is multiplied by."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear) and layer.in_features > most]
    return {id(layer.weight): most / layer.in_features for layer in layers}


def _torch(parameters: list[Group], recipe: Recipe) -> torch.optim.Optimizer:
    known: dict[str, Callable[..., torch.optim.Optimizer]] = {
        key.lower(): value
        for key, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
    }
    if recipe.optimizer in UNFIT:
        raise ArchbenchError(f"the optimizer {recipe.optimizer} is not for this training loop: {UNFIT[recipe.optimizer]}")
    if recipe.optimizer not in known:
        raise unknown("optimizer", recipe.optimizer, [*sorted(set(known) - set(UNFIT)), "timm:NAME"])
    try:
        return known[recipe.optimizer](parameters, lr=recipe.lr, **recipe.optimizer_options)
    except Exception as error:
        raise ArchbenchError(f"the optimizer {recipe.optimizer}: {brief(error)}") from None


def _timm(parameters: list[Group], recipe: Recipe) -> torch.optim.Optimizer:
    try:
        from timm.optim import create_optimizer_v2, list_optimizers  # type: ignore[attr-defined]
    except ImportError:
        raise ArchbenchError(f"the optimizer {recipe.optimizer} needs timm: pip install timm") from None
    name = recipe.optimizer.removeprefix(TIMM)
    known = [str(each) for each in list_optimizers()]
    if name not in known:
        raise unknown("optimizer of timm", name, known)
    try:
        made: torch.optim.Optimizer = create_optimizer_v2(parameters, opt=name, lr=recipe.lr, weight_decay=0.0, **recipe.optimizer_options)
    except Exception as error:
        raise ArchbenchError(f"the optimizer {recipe.optimizer}: {brief(error)}") from None
    return made

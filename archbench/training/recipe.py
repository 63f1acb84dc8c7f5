"""A recipe says how to train. Resolving it with a network's hints, a data set and the user's wishes gives the settings of one training."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import Field, ValidationError

import zoo
from archbench.config import Settings
from archbench.data import request, suggested
from archbench.errors import ArchbenchError, unknown
from archbench.records.schema import Strict


class Recipe(Strict):
    """How to train any network. `lr` is the peak rate, fractions are shares of the run, `translate` is in pixels."""

    name: str
    epochs: Annotated[int, Ge(1)]
    batch_size: Annotated[int, Ge(1)]
    lr: Annotated[float, Gt(0)]
    momentum: Annotated[float, Ge(0), Le(1)]
    nesterov: bool
    weight_decay: Annotated[float, Ge(0)]
    clip_norm: Annotated[float, Gt(0)] | None = None
    warmup_fraction: Annotated[float, Ge(0), Le(1)]
    decay: Literal["linear", "cosine"]
    label_smoothing: Annotated[float, Ge(0), Le(1)]
    dropout_scale: Annotated[float, Ge(0), Le(1)]
    init: Literal["default", "he"]
    translate: Annotated[int, Ge(0)]
    flip: bool


class TrainingConfig(Recipe):
    """A recipe resolved for one network and data set: every setting of a training. `hints` names what the network asked for and why."""

    start_alive: tuple[str, ...] = ()
    start_alive_bias: float = 1.0
    start_alive_weight_scale: float = 0.1
    hints: dict[str, Any] = Field(default_factory=dict)


def names() -> list[str]:
    """Names of the shipped recipes."""
    files = resources.files("archbench.training").joinpath("recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str) -> Recipe:
    """A shipped recipe. Raises ArchbenchError for a name that is not known."""
    if name not in names():
        raise unknown("recipe", name, names())
    text = resources.files("archbench.training").joinpath("recipes", f"{name}.toml").read_text()
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        raise ArchbenchError(f"recipe {name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def resolve(recipe: Recipe, wishes: zoo.TrainingHints, mirror_safe: bool, settings: Settings) -> TrainingConfig:
    """The settings of one training: the user's wish, else the data set's, else the network's hint, else the recipe's."""
    hints = {key: value for key, value in vars(wishes).items() if value not in (None, (), "", {})}
    hints.pop("unless", None)
    reason = hints.pop("reason", None)
    batch_size, epochs = suggested(request(settings))
    asked = {"epochs": settings.epochs or epochs, "batch_size": settings.batch_size or batch_size}
    mirrored = mirror_safe if settings.flip is None else settings.flip
    return TrainingConfig(
        **{
            **recipe.model_dump(),
            **hints,
            **{key: value for key, value in asked.items() if value is not None},
            "flip": recipe.flip and mirrored,
            "hints": {**hints, "reason": reason} if hints else {},
        }
    )

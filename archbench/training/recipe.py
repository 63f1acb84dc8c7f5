"""A recipe says how to train. Resolving it with a network's hints, a data set and the user's wishes gives the settings of one training."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, Field, ValidationError, model_validator

import zoo
from archbench.config import PRECISIONS, Settings
from archbench.data import request, suggested
from archbench.errors import ArchbenchError, unknown
from archbench.records.schema import Strict

Share = Annotated[float, Ge(0), Le(1)]
Positive = Annotated[float, Gt(0), Le(1e6)]
MUON_INPUTS = 4096
LARGEST = 2**53  # whole numbers up to here are the same in every reader of a Record


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Options as a Record can keep them: text, truth values, finite numbers, lists and tables of these. Raises ValueError."""
    for name, value in values.items():
        if isinstance(value, list):
            _plain({f"{name}[{place}]": each for place, each in enumerate(value)})
        elif isinstance(value, dict):
            _plain(value)
        elif why := _unfit(value):
            raise ValueError(f"{name} {why}")
    return values


def _unfit(value: Any) -> str:
    """Why an option cannot be kept; empty where it can."""
    if not isinstance(value, str | int | float):
        return f"cannot be {value}, a {type(value).__name__}"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "is a whole number beyond 2^53"
    return f"must be finite (got {value})" if isinstance(value, float) and not math.isfinite(value) else ""


Options = Annotated[dict[str, Any], AfterValidator(_plain)]


class Recipe(Strict):
    """How to train any network: the keys of a recipe's TOML file. Fractions are shares of the run, so that they hold at any length.

    `optimizer` and `schedule` are names (see optimizers.py and schedules.py), their options those of torch or timm. `lr` is the peak
    rate; with `lr_batch` it is that of a batch of so many images and grows in proportion to the batch. `bias_lr_scale` and
    `last_layer_lr_scale` multiply it for biases and for the last layer with weights, `weight_decay` is on weights alone. `milestones`
    and `gamma` belong to the schedule `step`. `whiten_first_layer` starts the first convolution with the directions of its patches,
    scaled to one variance. `translate` is in pixels; `flip_alternates` mirrors every other epoch instead of by chance. `average`
    is the share of the run over which weights are averaged, 0 for none. `test_flip` averages the logits of an image and its mirror
    image. `heeds_hints` lets a network's own wishes change the recipe.
    """

    name: Annotated[str, Field(pattern=r"^[\w.-]{1,40}$")]
    heeds_hints: bool = True
    epochs: Annotated[int, Ge(1), Le(1_000_000)]
    batch_size: Annotated[int, Ge(1), Le(1_000_000)]
    precision: str = "auto"
    optimizer: str = "sgd"
    optimizer_options: Options = Field(default_factory=dict)
    lr: Positive
    lr_batch: Annotated[int, Ge(1), Le(1_000_000)] | None = None
    bias_lr_scale: Positive = 1.0
    last_layer_lr_scale: Positive = 1.0
    weight_decay: Annotated[float, Ge(0), Le(1e6)] = 0.0
    clip_norm: Positive | None = None
    schedule: str = "cosine"
    schedule_options: Options = Field(default_factory=dict)
    warmup_fraction: Annotated[float, Ge(0), Lt(1)] = 0.0
    milestones: tuple[Annotated[float, Gt(0), Lt(1)], ...] = ()
    gamma: Annotated[float, Gt(0), Lt(1)] = 0.1
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    dropout_scale: Share = 1.0
    init: Literal["default", "he", "normal"] = "default"
    init_std: Positive | None = None
    whiten_first_layer: bool = False
    preprocessing: Literal["normalise", "gcn_zca"] = "normalise"
    translate: Annotated[int, Ge(0), Le(1024)] = 0
    flip: bool = False
    flip_alternates: bool = False
    average: Annotated[float, Ge(0), Lt(1)] = 0.0
    test_flip: bool = False

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.precision not in PRECISIONS:
            raise ValueError(str(unknown("precision", self.precision, PRECISIONS)))
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError("milestones and the schedule 'step' belong together")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must rise (got {list(self.milestones)})")
        if self.schedule != "step" and self.gamma != Recipe.model_fields["gamma"].default:
            raise ValueError(f"gamma belongs to the schedule 'step' (the schedule is {self.schedule!r})")
        if self.milestones and self.warmup_fraction >= self.milestones[0]:
            raise ValueError(f"the warm-up ({self.warmup_fraction:g} of the run) lasts beyond the first milestone ({self.milestones[0]:g})")
        if (self.init == "normal") != (self.init_std is not None):
            raise ValueError("init_std and the init 'normal' belong together")
        if self.whiten_first_layer and self.preprocessing == "gcn_zca":
            raise ValueError("images whitened by gcn_zca leave nothing for whiten_first_layer to do")
        if self.flip_alternates and not self.flip:
            raise ValueError("flip_alternates says how to flip, so it needs flip = true")
        return self


class TrainingConfig(Recipe):
    """A recipe resolved for one network and data set: every setting of a training. `hints` names what the network asked for and why.

    `muon_inputs` is how many inputs a linear layer may have that steps with Muon's whole rate; those with more step at a rate in inverse
    proportion. With 12,288 the units of `plain_cnn` died within an epoch of `fast`.
    """

    muon_inputs: int = MUON_INPUTS
    start_alive: tuple[str, ...] = ()
    start_alive_bias: float = 1.0
    start_alive_weight_scale: float = 0.1
    hints: dict[str, Any] = Field(default_factory=dict)


def complaint(error: ValidationError) -> str:
    """The first complaint, in one line."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    if not where:
        return message
    missing = first["type"] == "missing"
    return f"{where} is missing" if missing else f"{where}: {message[0].lower()}{message[1:]} (got {first['input']!r})"


def resolve(recipe: Recipe, wishes: zoo.TrainingHints, mirror_safe: bool, settings: Settings) -> TrainingConfig:
    """The settings of one training: the user's wish, else the data set's, else the network's hint, else the recipe's.

    A hint's rate is one for SGD and any usual batch, and its share of dropout is a factor on the recipe's. Raises ArchbenchError where
    these do not hold together.
    """
    hints = {key: value for key, value in vars(wishes).items() if value not in (None, (), "", {})} if recipe.heeds_hints else {}
    hints.pop("unless", None)
    reason = hints.pop("reason", None)
    if recipe.optimizer != "sgd":
        hints.pop("lr", None)
    if "dropout_scale" in hints:
        hints["dropout_scale"] *= recipe.dropout_scale
    batch_size, epochs = suggested(request(settings))
    asked = {"epochs": settings.epochs or epochs, "batch_size": settings.batch_size or batch_size}
    mirrored = mirror_safe if settings.flip is None else settings.flip
    flip = recipe.flip and mirror_safe if settings.flip is None else settings.flip
    values = {**recipe.model_dump(), **hints, **{key: value for key, value in asked.items() if value is not None}}
    if recipe.lr_batch is not None and "lr" not in hints:
        values["lr"] *= values["batch_size"] / recipe.lr_batch
    values["lr_batch"] = None  # said by the rate now
    values |= {"flip": flip, "flip_alternates": recipe.flip_alternates and flip, "test_flip": recipe.test_flip and mirrored}
    if values["init"] != "normal":
        values["init_std"] = None
    try:
        return TrainingConfig(**values, hints={**hints, "reason": reason} if hints else {})
    except ValidationError as error:
        also = f" with what the network asks for ({', '.join(hints)})" if hints else ""
        raise ArchbenchError(f"recipe {recipe.name} does not hold together{also}: {complaint(error)}") from None

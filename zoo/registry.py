"""The list of architectures: what is known of each (`ModelSpec`) and how it is built.

A family is one file in this package. Its builders register themselves when it is imported, and it is imported at the first look-up,
so this module needs no torch.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

KnobValue = str | int | float
Builder = Callable[..., "nn.Module"]


class ZooError(ValueError):
    """A model, knob or input that the zoo cannot give; the message is one line."""


@dataclass(frozen=True)
class Paper:
    """The publication of an architecture. `bibtex` is the whole entry; `arxiv` or `doi` its number, where there is one."""

    title: str
    bibtex: str
    arxiv: str = ""
    doi: str = ""


@dataclass(frozen=True)
class Published:
    """Counts that somebody else published, or that hand arithmetic gives; never our counter's.

    `params` counts trainable parameters, `macs` multiply-adds at the spec's own input, `source` says where they stand; `knobs` and
    `image_size` are what they hold for, if not the default network at its own size.
    """

    params: int
    macs: int
    source: str
    knobs: Mapping[str, KnobValue] = field(default_factory=dict)
    image_size: int | None = None


@dataclass(frozen=True)
class Claim:
    """An error that a paper reports, in percent, and where it stands."""

    dataset: str
    augmentation: str
    error_pct: float
    where: str


@dataclass(frozen=True)
class TrainingHints:
    """What a network asks of a recipe to train at all. None leaves the recipe's own setting.

    `lr` is a peak learning rate, `warmup_fraction` a share of the run, `clip_norm` the largest gradient norm, `dropout_scale` a factor
    on every dropout probability, `init` the initial weights ("default" or "he"), `start_alive` the names of layers whose weights and
    bias start so that the ReLU behind them passes something on everywhere, `unless` a knob with which none of this is needed.
    """

    lr: float | None = None
    warmup_fraction: float | None = None
    clip_norm: float | None = None
    dropout_scale: float | None = None
    init: str | None = None
    start_alive: tuple[str, ...] = ()
    reason: str = ""
    unless: Mapping[str, KnobValue] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelSpec:
    """All that is known of an architecture beside its code.

    `input_shape` is (channels, height, width) of the network as published; `min_size` the smallest image it can bear; `head` names the
    modules of the classifier head and `head_kind` says in a word what it is; `knobs` maps each knob of the builder to its valid values.
    """

    name: str
    title: str
    family: str
    year: int
    paper: Paper
    takes: str
    input_shape: tuple[int, int, int]
    min_size: int
    head_kind: str
    published: tuple[Published, ...]
    head: tuple[str, ...] = ("head",)
    aliases: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    knobs: Mapping[str, tuple[KnobValue, ...]] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()
    hints: TrainingHints = field(default_factory=TrainingHints)


_specs: dict[str, ModelSpec] = {}
_builders: dict[str, Builder] = {}


def register(spec: ModelSpec) -> Callable[[Builder], Builder]:
    """Enter an architecture; decorates its builder, `(num_classes, in_channels, image_size, *, knobs) -> nn.Module`.

    Raises ZooError when the name or an alias is taken, or when the spec names a knob that the builder lacks.
    """

    def enter(build: Builder) -> Builder:
        taken = {name for known in _specs.values() for name in (known.name, *known.aliases)}
        for name in (spec.name, *spec.aliases):
            if name in taken:
                raise ZooError(f"two architectures are called {name!r}")
        missing = set(spec.knobs) - set(inspect.signature(build).parameters)
        if missing:
            raise ZooError(f"the builder of {spec.name!r} has no parameter {sorted(missing)[0]!r}")
        _specs[spec.name] = spec
        _builders[spec.name] = build
        return build

    return enter


@functools.cache
def _discover() -> None:
    """Import every family file of this package once."""
    import zoo

    for module in pkgutil.iter_modules(zoo.__path__):
        if not module.name.startswith("_") and module.name != "registry":
            importlib.import_module(f"zoo.{module.name}")


def names() -> list[str]:
    """Names of all architectures, by year and then by name."""
    _discover()
    return sorted(_specs, key=lambda name: (_specs[name].year, name))


def resolve(name: str) -> str:
    """The registered name behind a name or an alias. Raises ZooError with the nearest one when there is none."""
    _discover()
    by_alias = {alias: spec.name for spec in _specs.values() for alias in (spec.name, *spec.aliases)}
    if name not in by_alias:
        near = difflib.get_close_matches(name, by_alias, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names())}"
        raise ZooError(f"unknown model {name!r}; {hint}")
    return by_alias[name]


def get(name: str) -> ModelSpec:
    """The spec of an architecture, by its name or an alias. Raises ZooError when there is none."""
    return _specs[resolve(name)]


def builder(name: str) -> Builder:
    """The function that builds an architecture, by its name or an alias. Raises ZooError when there is none."""
    return _builders[resolve(name)]


def create(name: str, num_classes: int = 10, in_channels: int = 3, image_size: int | None = None, **knobs: KnobValue) -> nn.Module:
    """Build an architecture with freshly drawn weights, in training mode.

    The network maps images `(N, in_channels, image_size, image_size)` to logits `(N, num_classes)`. `image_size` is the spec's own
    unless given. Raises ZooError for an unknown name, knob or value, and for an image below the smallest that the network can bear.
    """
    spec = get(name)
    size = spec.input_shape[1] if image_size is None else image_size
    check_input(spec, num_classes, in_channels, size)
    for key, value in knobs.items():
        check_knob(spec, key, value)
    return builder(name)(num_classes, in_channels, size, **knobs)


def check_input(spec: ModelSpec, num_classes: int, in_channels: int, image_size: int) -> None:
    """Raise ZooError unless the network can be built for this input."""
    if num_classes < 1 or in_channels < 1:
        raise ZooError(f"{spec.name} needs at least one class and one channel (got {num_classes} and {in_channels})")
    if image_size < spec.min_size:
        raise ZooError(f"{spec.name} needs images of at least {spec.min_size}x{spec.min_size} (got {image_size}x{image_size})")


def check_knob(spec: ModelSpec, key: str, value: KnobValue) -> None:
    """Raise ZooError unless the network has this knob and the knob this value."""
    if key not in spec.knobs:
        valid = ", ".join(spec.knobs) or "none"
        raise ZooError(f"{spec.name} has no knob {key!r} (its knobs: {valid})")
    if value not in spec.knobs[key]:
        raise ZooError(f"{spec.name}: {key} cannot be {value!r}; valid: {', '.join(map(str, spec.knobs[key]))}")

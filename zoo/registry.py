"""The list of architectures: what is known of each (`ModelSpec`) and how it is built.

A family is one file in this package. Its builders register themselves when it is imported, and it is imported at the first look-up,
so this module needs no torch.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zoo._claims import Claim

if TYPE_CHECKING:
    from torch import nn

KnobValue = str | int | float
Builder = Callable[..., "nn.Module"]
NAME = re.compile(r"\w+")
PLUGINS = "archbench.zoo"  # the entry point under which another package names a module of families


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

    `params` counts parameters, frozen ones too, `macs` multiply-adds at the spec's own input, `source` says where they stand; `knobs`
    and `image_size` are what they hold for, if not the default network at its own size.
    """

    params: int
    macs: int
    source: str
    knobs: Mapping[str, KnobValue] = field(default_factory=dict)
    image_size: int | None = None


@dataclass(frozen=True)
class Range:
    """The valid values of a knob that takes any number from `low` to `high`."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


WIDTH = Range(0.01, 16)  # a factor on the number of maps of every layer but the last


HALF = (0.5, 0.5, 0.5)  # mean and deviation of weights that came from TensorFlow


@dataclass(frozen=True)
class Weights:
    """Weights of the same network that somebody else published, and how their names become ours.

    `origin` is the builder (`torchvision:resnet50`, `timm:mixer_b16_224`), `tag` the weights' own name there, empty where there are
    none. Each `rename` is a regular expression and what takes its place, applied in order to every name of their state dict. `mean` and
    `deviation` normalise their input, of values from 0 to 1; an image's shorter side is scaled to `resize` pixels, bicubic or bilinear,
    before the centre is cropped.
    """

    origin: str
    tag: str
    rename: tuple[tuple[str, str], ...] = ()
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)
    resize: int = 256
    bicubic: bool = False


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

    `input_shape` is (channels, height, width) and `num_classes` the classes of the network as published; `min_size` is the smallest
    image it can bear. `head` names the modules of the classifier head and `head_kind` says in a word what it is; `knobs` maps each knob
    of the builder to its valid values, and `excludes` each knob to those that mean nothing once it departs from its default.
    `frozen_from` names the architecture whose trained weights it needs, and never changes. A model from outside the zoo has neither
    year nor paper.
    """

    name: str
    title: str
    family: str
    year: int | None
    paper: Paper | None
    takes: str
    input_shape: tuple[int, int, int]
    min_size: int
    head_kind: str
    published: tuple[Published, ...]
    num_classes: int = 10
    head: tuple[str, ...] = ("head",)
    aliases: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    knobs: Mapping[str, tuple[KnobValue, ...] | Range] = field(default_factory=dict)
    excludes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()
    weights: Weights | None = None
    frozen_from: str = ""
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
            if not NAME.fullmatch(name):
                raise ZooError(f"{name!r} is no name for an architecture: letters, digits and underscores")
            if name in taken:
                raise ZooError(f"two architectures are called {name!r}")
        if missing := set(spec.knobs) - set(inspect.signature(build).parameters):
            raise ZooError(f"the builder of {spec.name!r} has no parameter {sorted(missing)[0]!r}")
        _specs[spec.name] = spec
        _builders[spec.name] = build
        return build

    return enter


@functools.cache
def _discover() -> None:
    """Import every family file of this package once, and the modules that installed packages name. Raises ZooError for a broken one."""
    import zoo

    for module in pkgutil.iter_modules(zoo.__path__):
        if not module.name.startswith("_") and module.name != "registry":
            _import_family(f"zoo.{module.name}")
    for plugin in importlib.metadata.entry_points(group=PLUGINS):
        try:
            plugin.load()
        except (Exception, SystemExit) as error:
            package = plugin.dist.name if plugin.dist else plugin.value
            raise ZooError(f"the package {package} cannot add its architectures ({plugin.value}): {error}") from error


def _import_family(module: str) -> None:
    try:
        importlib.import_module(module)
    except ZooError:
        raise
    except (Exception, SystemExit) as error:
        raise ZooError(f"{module.replace('.', '/')}.py cannot be read: {type(error).__name__}: {error}") from error


def names() -> list[str]:
    """Names of all architectures, by year and then by name."""
    _discover()
    return sorted(_specs, key=lambda name: (_specs[name].year or 0, name))


def resolve(name: str) -> str:
    """The registered name behind a name or an alias. Raises ZooError with the nearest one when there is none."""
    _discover()
    by_alias = {alias: spec.name for spec in _specs.values() for alias in (spec.name, *spec.aliases)}
    if name not in by_alias:
        near = difflib.get_close_matches(name.lower(), by_alias, n=1, cutoff=0.5)
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
    check_knobs(spec, knobs)
    knobs = {key: _as_listed(spec, key, value) for key, value in knobs.items()}
    return builder(name)(num_classes, in_channels, size, **knobs)


def check_input(spec: ModelSpec, num_classes: int, in_channels: int, image_size: int) -> None:
    """Raise ZooError unless the network can be built for this input."""
    if num_classes < 1 or in_channels < 1:
        raise ZooError(f"{spec.name} needs at least one class and one channel (got {num_classes} and {in_channels})")
    if image_size < spec.min_size:
        raise ZooError(f"{spec.name} needs images of at least {spec.min_size}x{spec.min_size} (got {image_size}x{image_size})")


def defaults(name: str) -> dict[str, KnobValue]:
    """The value of each knob that is not set."""
    parameters = inspect.signature(builder(name)).parameters
    return {key: parameters[key].default for key in get(name).knobs}


def check_knobs(spec: ModelSpec, knobs: Mapping[str, KnobValue]) -> None:
    """Raise ZooError unless the network has these knobs, each this value, and none makes another void."""
    for key, value in knobs.items():
        _check_knob(spec, key, value)
    for key, void in spec.excludes.items():
        if key in knobs and knobs[key] != defaults(spec.name)[key]:
            for other in set(void) & set(knobs):
                raise ZooError(f"{spec.name}: {other}={knobs[other]} means nothing with {key}={knobs[key]}; leave one of the two out")


def _as_listed(spec: ModelSpec, key: str, value: KnobValue) -> KnobValue:
    """The valid value that equals this one: 1 for 1.0."""
    valid = spec.knobs[key]
    return value if isinstance(valid, Range) else next(each for each in valid if each == value)


def _check_knob(spec: ModelSpec, key: str, value: KnobValue) -> None:
    if key not in spec.knobs:
        raise ZooError(f"{spec.name} has no knob {key!r} (its knobs: {', '.join(spec.knobs) or 'none'})")
    valid = spec.knobs[key]
    if value not in valid:
        named = str(valid) if isinstance(valid, Range) else ", ".join(map(str, valid))
        raise ZooError(f"{spec.name}: {key} cannot be {value!r}; valid: {named}")

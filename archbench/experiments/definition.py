"""What an experiment is: networks with knobs × data sets × recipes × fractions × seeds, and the questions asked of it. Knows no torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from annotated_types import MinLen
from pydantic import Field, StrictFloat, StrictInt, StrictStr, model_validator

from archbench.records.schema import Strict

Level = StrictStr | StrictInt | StrictFloat  # so that true is not taken for 1
AXES = ("model", "recipe", "train_fraction")  # what may be compared beside knobs


class Block(Strict):
    """Networks by name, glob or group, each with every combination of these knobs' values; `equal` may be one of them."""

    names: Annotated[tuple[str, ...], MinLen(1)]
    knobs: dict[str, Annotated[tuple[Level, ...], MinLen(1)]] = Field(default_factory=dict)


class Question(Strict):
    """A comparison of runs that differ in the `factor` alone, each of its values with `against`; or the `spread` over two axes;
    or of `maps`.

    `factor` is a knob or one of `AXES`. `of` says what is compared: the test error, or its gap to the error on training images. Of `maps`
    it is asked at which link of class and ground they point at the object, whether those of weights that nobody trained do, or whether one
    on the ground foretells the error without it.
    """

    ask: Annotated[str, MinLen(1)]
    factor: str | None = None
    against: Level | None = None
    of: Literal["error", "gap"] = "error"
    spread: tuple[Literal["recipe"], Literal["model"]] | None = None
    maps: Literal["points", "untrained", "foretells"] | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if sum(each is not None for each in (self.factor, self.spread, self.maps)) != 1:
            raise ValueError("a question has a factor, or spread = ['recipe', 'model'], or maps = 'points', 'untrained' or 'foretells'")
        if (self.factor is None) != (self.against is None):
            raise ValueError("factor and against belong together: each value of the factor is compared with that one")
        return self


class Explain(Strict):
    """How each training is explained once it has ended, which takes a data set `shapes...`: by these `methods`, where its network can bear
    them, on the first `n` images of these `tests`.
    """

    methods: Annotated[tuple[str, ...], MinLen(1)]
    tests: Annotated[tuple[Literal["kept", "broken", "reversed"], ...], MinLen(1)] = ("kept",)
    n: Annotated[int, Field(ge=1)] = 500


class Experiment(Strict):
    """The keys of an experiment's TOML file; `settings` are those of a run, the same for all."""

    name: Annotated[str, Field(pattern=r"^[\w.-]{1,40}$")]
    title: str = ""
    models: tuple[Block | str, ...]
    datasets: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    train_fractions: tuple[StrictFloat, ...] = ()
    seeds: str | StrictInt | tuple[StrictInt, ...] = "0-4"
    settings: dict[str, Any] = Field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    explain: Explain | None = None

    @property
    def blocks(self) -> Iterator[Block]:
        """The models as blocks, those named alone too."""
        return (Block(names=(each,)) if isinstance(each, str) else each for each in self.models)


@dataclass(frozen=True)
class Cell:
    """A network with knobs as the experiment writes them, defaults too; `label` is what its Records are called."""

    network: str
    knobs: tuple[tuple[str, Level], ...]
    label: str


@dataclass(frozen=True)
class Point:
    """A cell under a recipe and with a share of the training set; None for what the experiment does not vary."""

    cell: Cell
    recipe: str | None = None
    train_fraction: float | None = None

    @property
    def levels(self) -> Mapping[str, Level | None]:
        """The value of every factor; that of `model` is the whole label, that of `network` what the knobs are put on."""
        whole = {"model": self.cell.label, "network": self.cell.network}
        return {**whole, **dict(self.cell.knobs), "recipe": self.recipe, "train_fraction": self.train_fraction}


@dataclass(frozen=True)
class Grid:
    """An experiment with its cells worked out, and the recipes and fractions that it varies, empty where there is one."""

    experiment: Experiment
    cells: tuple[Cell, ...]
    recipes: tuple[str, ...] = ()
    train_fractions: tuple[float, ...] = ()

    def points(self) -> list[Point]:
        """Every cell under everything that is varied."""
        return [Point(*each) for each in itertools.product(self.cells, self.recipes or (None,), self.train_fractions or (None,))]

    def pairs(self, question: Question) -> list[tuple[Point, Point]]:
        """The points that a question compares, that of `against` first in each pair."""
        assert question.factor is not None
        rest: dict[frozenset[tuple[str, Level | None]], list[Point]] = {}
        for point in self.points():
            if question.factor in point.levels:
                rest.setdefault(_others(point, question.factor), []).append(point)
        found = []
        for members in rest.values():
            base = [point for point in members if point.levels[question.factor] == question.against]
            found += [(one, other) for one in base[:1] for other in members if other.levels[question.factor] != question.against]
        return found


def _others(point: Point, factor: str) -> frozenset[tuple[str, Level | None]]:
    """What two points share that are compared: everything but the factor; of whole models the recipe and the fraction."""
    shared = (
        [axis for axis in AXES if axis != factor] if factor == "model" else [name for name in point.levels if name not in (factor, "model")]
    )
    return frozenset((name, point.levels[name]) for name in shared)

"""From an experiment and what the user gives beside it to the settings of each part of the grid, and to its cells."""

from __future__ import annotations

import fnmatch
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from archbench import models
from archbench.config import MOST_RUNS, Settings, named_models, too_many
from archbench.errors import ArchbenchError, unknown
from archbench.experiments import files
from archbench.experiments.definition import Block, Cell, Experiment, Grid, Question
from archbench.models import Model
from archbench.models.model import QUANTITIES
from archbench.training import recipe_file

# what an experiment varies, and the option that overrides it
VARIED = {"datasets": "dataset", "recipes": "recipe", "train_fractions": "train_fraction"}


def of(name: str, given: Mapping[str, Any]) -> tuple[Grid, list[Settings]]:
    """The grid of an experiment and the settings of its parts, one for each data set, recipe and fraction.

    `given` are the settings that the user gave beside it: they override the experiment's, and `models` picks among its networks.
    Raises ArchbenchError in one line for whatever cannot be run.
    """
    experiment = files.load(name)
    axes = {axis: _axis(experiment, axis, given) for axis in VARIED}
    try:
        _check_number(experiment, axes, {**experiment.settings, **given}.get("yes"))
        every = tuple(_cells(experiment))
        recipes = _recipe_names(experiment)
        experiment = _named_alike(experiment, recipes)
        _check_comparisons(Grid(experiment, every, tuple(recipes.values()), experiment.train_fractions))
        cells = _picked(every, given.get("models"))
    except ArchbenchError as error:
        raise ArchbenchError(f"experiment {name}: {error}") from None
    base = {**experiment.settings, "seeds": experiment.seeds, **given, "experiment": name}
    base["models"] = tuple(dict.fromkeys(cell.label for cell in cells))
    settings = [Settings.of(**{**base, **_without_none(values)}) for values in _combinations(axes)]
    varied = tuple(recipes.values()) if len(axes["recipes"]) > 1 else ()
    fractions = axes["train_fractions"] if len(axes["train_fractions"]) > 1 else ()
    return Grid(experiment, cells, varied, fractions), settings


def _recipe_names(experiment: Experiment) -> dict[str, str]:
    """What each recipe of an experiment calls itself, by how it is written there: a shipped one's name, or a file's path."""
    names: dict[str, str] = {}
    for written in experiment.recipes:
        name = recipe_file.load(written).name
        if other := next((each for each in names if names[each] == name and each != written), None):
            raise ArchbenchError(f"the recipes {other} and {written} are both called {name!r}; the tables would not tell them apart")
        names[written] = name
    return names


def _named_alike(experiment: Experiment, recipes: Mapping[str, str]) -> Experiment:
    """The experiment whose questions call recipes what these call themselves, as Records do."""

    def named(question: Question) -> Question:
        if question.factor != "recipe":
            return question
        against = recipes.get(str(question.against), question.against)
        if against not in recipes.values():
            raise ArchbenchError(f"{question.ask!r}: against = {question.against!r} is none of {', '.join(recipes.values())}")
        return question.model_copy(update={"against": against})

    return experiment.model_copy(update={"questions": tuple(map(named, experiment.questions))})


def _check_number(experiment: Experiment, axes: Mapping[str, Sequence[Any]], yes: Any) -> None:
    """Raise ArchbenchError for more networks with knobs, data sets, recipes and fractions than are planned without being asked twice.

    Before any of them is made: a name counts once here, though it may stand for several networks, and seeds do not.
    """
    networks = sum(len(block.names) * math.prod(map(len, block.knobs.values())) for block in experiment.blocks)
    runs = networks * math.prod(map(len, axes.values()))
    if runs > MOST_RUNS and not yes:
        raise too_many(runs)


def _axis(experiment: Experiment, axis: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values along an axis, each once; the user's own alone where one was given."""
    if VARIED[axis] in given:
        return (given[VARIED[axis]],)
    return tuple(dict.fromkeys(getattr(experiment, axis) or (None,)))


def _combinations(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(VARIED.values(), values, strict=True))


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _cells(experiment: Experiment) -> Iterator[Cell]:
    """Each network with each combination of its block's knobs, once."""
    seen: set[Cell] = set()
    for block in experiment.blocks:
        for network in _networks(block):
            for values in itertools.product(*block.knobs.values()):
                knobs = tuple(zip(block.knobs, values, strict=True))
                cell = Cell(network.label, knobs, _with_knobs(network, dict(knobs)).label)
                if cell not in seen:
                    seen.add(cell)
                    yield cell


def _networks(block: Block) -> list[Model]:
    """The networks of a block; a group leaves out what cannot be trained without more being said."""
    named = models.parse(name for name in block.names if not models.is_several(name))
    return [model for model in models.parse(block.names) if model in named or not model.spec.frozen_from]


def _with_knobs(network: Model, knobs: Mapping[str, Any]) -> Model:
    """The network with knobs. Where they are its defaults it equals itself, so that `equal` says nothing."""
    if knobs.get("equal", QUANTITIES[0]) not in QUANTITIES:
        raise ArchbenchError(f"{network.name}: equal cannot be {knobs['equal']!r}; valid: {', '.join(QUANTITIES)}")
    for key, value in knobs.items():
        if isinstance(value, str) and set(value) & set("+=,"):
            raise ArchbenchError(f"{network.name}: {key} cannot be {value!r}: each knob of an experiment has values of its own")
    (bare,) = models.parse(["+".join([network.label, *(f"{key}={value}" for key, value in knobs.items() if key != "equal")])])
    if "equal" not in knobs or not bare.knobs:
        return bare
    (equal,) = models.parse([f"{bare.label}+equal={knobs['equal']}"])
    return equal


def _check_comparisons(grid: Grid) -> None:
    """Raise ArchbenchError for a question that no two runs answer."""
    for question in grid.experiment.questions:
        if question.factor and not grid.pairs(question):
            one = f"{question.factor} {question.against}"
            raise ArchbenchError(f"{question.ask!r}: no run of {one} has another beside it that differs in the {question.factor} alone")


def _picked(cells: Collection[Cell], wanted: Any) -> tuple[Cell, ...]:
    """The cells whose network or label goes by one of the user's names; all without any."""
    if wanted is None:
        return tuple(cells)
    patterns = named_models(wanted)
    names = sorted({name for cell in cells for name in (cell.network, cell.label)})
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise unknown("model", pattern, names)
    return tuple(c for c in cells if any(fnmatch.fnmatchcase(name, p) for p in patterns for name in (c.network, c.label)))

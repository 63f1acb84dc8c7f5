"""Experiments as files: those that are shipped, by name, and a user's own, by path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from archbench.errors import ArchbenchError, unknown
from archbench.experiments.definition import AXES, Block, Experiment, Explain, Question
from archbench.toml_files import Shelf

EXPERIMENTS = Shelf("experiment", "archbench.experiments")
# settings that an experiment may fix, beside what it varies
FIXED = ("epochs", "batch_size", "limit_train", "val_fraction", "flip", "image_size", "precision", "compile", "micro_batch", "tuned")


def names() -> list[str]:
    """Names of the shipped experiments."""
    return EXPERIMENTS.names


def load(name: str) -> Experiment:
    """A shipped experiment by name, or a user's own by the path of its .toml file. Raises ArchbenchError in one line."""
    return parsed(EXPERIMENTS.text(name), name, Path(name).stem)


def parsed(text: str, source: str, default_name: str) -> Experiment:
    """An experiment from its TOML text; `source` names it in errors."""
    values = EXPERIMENTS.values(text, source)
    try:
        _check_keys(values)
        experiment = Experiment.model_validate({"name": default_name, **values})
        _check_questions(experiment)
    except ValidationError as error:
        raise ArchbenchError(f"experiment {source}: {_complaint(error)}") from None
    except ArchbenchError as error:
        raise ArchbenchError(f"experiment {source}: {error}") from None
    return experiment


def _check_keys(values: dict[str, Any]) -> None:
    """Raise ArchbenchError, with the near one, for a key that is not known, and where no model is named."""
    _only_known("key", values, Experiment)
    if not values.get("models"):
        raise ArchbenchError("it names no model; models = ['nin', 'vgg'], or a [[models]] with names and knobs")
    for name, value in values.items():
        if value == [] and name != "questions":
            raise ArchbenchError(f"{name} is empty, so there is nothing to run")
    for name, kind in (("models", Block), ("questions", Question)):
        listed = values.get(name, [])
        for each in listed if isinstance(listed, list) else []:
            if isinstance(each, dict):
                _only_known(f"key of [[{name}]]", each, kind)
    if isinstance(explain := values.get("explain", {}), dict):
        _only_known("key of [explain]", explain, Explain)
    if isinstance(fixed := values.get("settings", {}), dict):
        for name in fixed:
            if name not in FIXED:
                raise unknown("key of [settings]", name, FIXED)


def _only_known(what: str, given: Iterable[str], kind: type[BaseModel]) -> None:
    for key in given:
        if key not in kind.model_fields:
            raise unknown(what, key, kind.model_fields)


def _check_questions(experiment: Experiment) -> None:
    """Raise ArchbenchError for a question about something that the experiment does not vary."""
    asked = [question.ask for question in experiment.questions]
    if twice := [ask for ask in dict.fromkeys(asked) if asked.count(ask) > 1]:
        raise ArchbenchError(f"two questions are {twice[0]!r}; the tables would not tell them apart")
    knobs = {knob: values for block in experiment.blocks for knob, values in block.knobs.items()}
    for question in experiment.questions:
        if question.maps is not None and experiment.explain is None:
            raise ArchbenchError(f"{question.ask!r} is about maps, which [explain] makes")
        if question.factor is not None and question.factor not in (*AXES, *knobs):
            raise unknown("factor", question.factor, [*AXES, *knobs])
        varied = {"recipe": experiment.recipes, "train_fraction": experiment.train_fractions}
        for axis in question.spread or (question.factor,):
            if axis in varied and len(varied[axis]) < 2:
                raise ArchbenchError(f"{question.ask!r} compares each {axis}, of which {axis}s names fewer than two")
        values = {**varied, **knobs, "model": None}.get(question.factor or "model")
        if values is not None and question.factor == "train_fraction" and question.against not in values:
            raise ArchbenchError(f"{question.ask!r}: against = {question.against!r} is none of {', '.join(map(str, values))}")
        if question.factor in knobs and not any(
            question.against in block.knobs.get(question.factor or "", ()) for block in experiment.blocks
        ):
            raise ArchbenchError(f"{question.ask!r}: no model has {question.factor}={question.against} to compare with")


def _complaint(error: ValidationError) -> str:
    """The first complaint, in one line."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("Block", "str", "int", "tuple[int, ...]"))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "tuple_type" and isinstance(first["input"], str | int | float):
        return f"{where}: a list is needed, as {[first['input']]}"
    if where == "seeds" and not isinstance(first["input"], str):
        return f"seeds: whole numbers are needed, as 3, [0, 1] or '0-4' (got {first['input']!r})"
    if first["type"] == "too_short":
        return f"{where} is empty, so there is nothing to run"
    return f"{where}: {message[0].lower()}{message[1:]} (got {first['input']!r})" if where else message

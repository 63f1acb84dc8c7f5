"""Recipes as files: those that are shipped, by name, and a user's own, by path."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from archbench.errors import ArchbenchError, unknown
from archbench.toml_files import SUFFIX, Shelf
from archbench.training import optimizers, schedules
from archbench.training.recipe import Recipe, complaint

RECIPES = Shelf("recipe", "archbench.training", "recipes")


def names() -> list[str]:
    """Names of the shipped recipes."""
    return RECIPES.names


def load(name: str) -> Recipe:
    """A shipped recipe by name, or a user's own by the path of its .toml file. Raises ArchbenchError in one line."""
    return parsed(RECIPES.text(name), name, default_name=Path(name).stem if name.endswith(SUFFIX) else None)


def parsed(text: str, source: str, default_name: str | None = None) -> Recipe:
    """A recipe from its TOML text; `source` names it in errors. Its optimizer and schedule are built once, to see that they can be."""
    values = RECIPES.values(text, source)
    if unknown_keys := sorted(set(values) - set(Recipe.model_fields)):
        raise ArchbenchError(f"recipe {source}: {unknown('key', unknown_keys[0], Recipe.model_fields)}")
    values = {**({"name": default_name} if default_name else {}), **values}
    as_tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        recipe = Recipe.model_validate(as_tuples, strict=True)  # TOML has types, so that "3" is no number
    except ValidationError as error:
        raise ArchbenchError(f"recipe {source}: {complaint(error)}") from None
    try:
        optimizers.check(recipe)
        schedules.factors(recipe, 10)
    except ArchbenchError as error:
        raise ArchbenchError(f"recipe {source}: {error}") from None
    return recipe

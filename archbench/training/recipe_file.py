"""Recipes as files: those that are shipped, by name, and a user's own, by path."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from archbench.config import expanded
from archbench.errors import ArchbenchError, unknown
from archbench.training import optimizers, schedules
from archbench.training.recipe import Recipe, complaint


def names() -> list[str]:
    """Names of the shipped recipes."""
    files = resources.files("archbench.training").joinpath("recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str) -> Recipe:
    """A shipped recipe by name, or a user's own by the path of its .toml file. Raises ArchbenchError in one line."""
    if name.endswith(".toml"):
        return parsed(_text_of(expanded(Path(name))), name, default_name=Path(name).stem)
    if name not in names():
        raise unknown("recipe", name, [*names(), "FILE.toml"])
    return parsed(resources.files("archbench.training").joinpath("recipes", f"{name}.toml").read_text(), name)


def parsed(text: str, source: str, default_name: str | None = None) -> Recipe:
    """A recipe from its TOML text; `source` names it in errors. Its optimizer and schedule are built once, to see that they can be."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ArchbenchError(f"recipe {source} is not TOML: {error}") from None
    if unknown_keys := sorted(set(values) - set(Recipe.model_fields)):
        raise ArchbenchError(f"recipe {source}: {unknown('key', unknown_keys[0], Recipe.model_fields)}")
    try:
        recipe = Recipe.model_validate({**({"name": default_name} if default_name else {}), **values})
    except ValidationError as error:
        raise ArchbenchError(f"recipe {source}: {complaint(error)}") from None
    try:
        optimizers.check(recipe)
        schedules.factors(recipe, 10)
    except ArchbenchError as error:
        raise ArchbenchError(f"recipe {source}: {error}") from None
    return recipe


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ArchbenchError(f"recipe {path} cannot be read: {reason}") from None

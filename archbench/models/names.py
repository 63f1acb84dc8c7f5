"""Groups, globs, aliases, knobs and files of names: what a user writes for a model."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import zoo
from archbench.errors import ArchbenchError
from archbench.models import entries, user_file
from archbench.models.model import ADDED_KNOBS, Model
from archbench.models.user_file import no_file
from zoo import registry

FILE_MARK, FILE_HOLDS = "@", "@FILE holds names of models, one a line; its path is taken from the current directory"
FILE_ALONE = re.compile(r"(.*\.py)((?:\+.*)?)")  # without its function
COMMENT = re.compile(r"(^|\s)#.*")
NUMBER = re.compile(r"[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")
GROUPS: dict[str, Callable[[zoo.ModelSpec], bool]] = {
    "all": lambda spec: True,
    "lineage": lambda spec: not spec.name.endswith("_imagenet"),
    "imagenet": lambda spec: spec.name.endswith("_imagenet"),
}


def parse(names: Iterable[str]) -> list[Model]:
    """Models behind names, globs, groups and `@FILE`, each once, in the order asked for. Raises ArchbenchError for what is not there."""
    return list(dict.fromkeys(model for name in names for model in _asked(name)))


def is_several(text: str) -> bool:
    """Whether a name stands for whatever there is: a group, a glob, or a file that holds one."""
    if text.startswith(FILE_MARK):
        return any(is_several(name) for _, name in _lines(text))
    name = _split(text)[0]
    pattern = name.rpartition(":")[2] if entries.is_external(name) else name
    return name in GROUPS or any(character in pattern for character in "*?[")


def _asked(text: str) -> Iterator[Model]:
    if text.startswith(FILE_MARK):
        for place, name in _lines(text):
            yield from _known(name, f"{place}: ")
    else:
        yield from _known(text)


def _known(text: str, place: str = "") -> list[Model]:
    try:
        return list(_expand(text))
    except (zoo.ZooError, ArchbenchError) as error:
        raise ArchbenchError(f"{place}{error}") from None


def _lines(text: str) -> list[tuple[str, str]]:
    """The names in `@FILE`, one a line, each with its place; what follows a # is a comment. Raises ArchbenchError where there are none."""
    file = text.removeprefix(FILE_MARK)
    lines = ((number, COMMENT.sub("", line).strip()) for number, line in enumerate(_text_of(file).splitlines(), start=1))
    found = [(f"{file}, line {number}", name) for number, name in lines if name]
    if not found:
        raise ArchbenchError(f"{file} names no model; {FILE_HOLDS}")
    return found


def _text_of(file: str) -> str:
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, RuntimeError):  # the last: no such home directory
        raise ArchbenchError(f"{no_file(file)}; {FILE_HOLDS}") from None
    except OSError as error:
        raise ArchbenchError(f"{file} cannot be read: {error.strerror}; {FILE_HOLDS}") from None
    except ValueError:
        text = "\0"
    if "\0" in text:
        raise ArchbenchError(f"{file} is not text; {FILE_HOLDS}")
    return text


def _expand(text: str) -> Iterator[Model]:
    name, assignments = _split(text)
    for matched in _matching(name) if is_several(text) else [_resolve(name)]:
        yield _with_knobs(entries.entry(matched).spec, assignments)


def _split(text: str) -> tuple[str, list[str]]:
    """The name and its knobs; a plus sign in the path of a user's file begins no knob."""
    if alone := FILE_ALONE.fullmatch(text):
        return alone[1], alone[2].split("+")[1:]
    file, mark, rest = text.rpartition(user_file.MARK)
    name, *assignments = rest.split("+")
    return f"{file}{mark}{name}", assignments


def _matching(name: str) -> list[str]:
    if name in GROUPS:
        return [known for known in zoo.names() if GROUPS[name](zoo.get(known))]
    chosen = list(entries.matching(name))
    if not chosen:
        raise ArchbenchError(f"no model matches {name!r}; archbench list names those of the zoo")
    return chosen


def _resolve(name: str) -> str:
    if not name:
        raise ArchbenchError("--models has an empty name; write nin,resnet_bottleneck or a group (all, lineage)")
    if FILE_ALONE.fullmatch(name):
        raise user_file.without_function(name)
    if user_file.is_user_file(name):
        file, _, function = name.rpartition(":")
        name = f"{os.path.normpath(file)}:{function}"  # one file, one name
        user_file.refresh(name)
    return name if entries.is_external(name) else zoo.resolve(name)


def _with_knobs(spec: zoo.ModelSpec, assignments: list[str]) -> Model:
    knobs: dict[str, registry.KnobValue] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ArchbenchError(f"a knob is written KEY=VALUE, as in {spec.name}+KEY=VALUE (got {assignment!r})")
        if key in knobs:
            raise ArchbenchError(f"{spec.name}: the knob {key!r} is given twice")
        knobs[key] = text if key in ADDED_KNOBS else _typed(spec, key, text)
    if {"width", "equal"} <= set(knobs):
        raise ArchbenchError(f"{spec.name}: equal={knobs['equal']} finds the width, so width cannot be given too")
    own = {key: value for key, value in knobs.items() if key not in ADDED_KNOBS}
    registry.check_knobs(spec, own)
    changed = {key: value for key, value in own.items() if value != registry.defaults(spec.name)[key]} if own else {}
    added = {key: value for key, value in knobs.items() if key in ADDED_KNOBS}
    model = Model(spec.name, (*sorted(changed.items()), *sorted(added.items())))
    model.check_added_knobs()
    return model


def _typed(spec: zoo.ModelSpec, key: str, text: str) -> registry.KnobValue:
    """The valid value that is written so; a number where the knob takes a range; else the text, which is then refused."""
    valid = spec.knobs.get(key, ())
    if isinstance(valid, zoo.Range):
        return float(text) if NUMBER.fullmatch(text) else text
    return next((value for value in valid if str(value) == text), text)

"""From a name on the command line to a network: groups, globs, aliases and knobs."""

from __future__ import annotations

import ast
import dataclasses
import fnmatch
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

import zoo
from archbench.errors import ArchbenchError
from archbench.records.schema import ModelSnapshot
from zoo import registry

GROUPS: dict[str, Callable[[zoo.ModelSpec], bool]] = {
    "all": lambda spec: True,
    "lineage": lambda spec: not spec.name.endswith("_imagenet"),
    "imagenet": lambda spec: spec.name.endswith("_imagenet"),
}


@dataclass(frozen=True)
class Input:
    """What a network is built for: images `(N, in_channels, image_size, image_size)` of `num_classes` classes."""

    num_classes: int
    in_channels: int
    image_size: int

    def example(self, batch: int, device: str | torch.device = "cpu") -> torch.Tensor:
        """A batch of noise of this shape."""
        return torch.randn(batch, self.in_channels, self.image_size, self.image_size, device=device)


@dataclass(frozen=True)
class Model:
    """A registered architecture with knobs. `label` is the name a user would type for it."""

    name: str
    knobs: tuple[tuple[str, registry.KnobValue], ...] = ()

    @property
    def label(self) -> str:
        """`nin+head=fc`."""
        return "+".join([self.name, *(f"{key}={value}" for key, value in self.knobs)])

    @property
    def spec(self) -> zoo.ModelSpec:
        """What the zoo knows of it."""
        return zoo.get(self.name)

    @property
    def head_kind(self) -> str:
        """The classifier head in a word, as the knobs make it."""
        return str(dict(self.knobs).get("head", self.spec.head_kind))

    @property
    def hints(self) -> zoo.TrainingHints:
        """What it asks of a recipe; nothing where a knob makes the reason void."""
        hints = self.spec.hints
        return zoo.TrainingHints() if set(hints.unless.items()) & set(self.knobs) else hints

    @property
    def native_input(self) -> Input:
        """The input of its paper, with the ten or thousand classes that go with it."""
        channels, size, _ = self.spec.input_shape
        return Input(1000 if self.name.endswith("_imagenet") else 10, channels, size)

    def check(self, shape: Input) -> None:
        """Raise ArchbenchError unless the network can be built for this input."""
        try:
            registry.check_input(self.spec, shape.num_classes, shape.in_channels, shape.image_size)
        except zoo.ZooError as error:
            raise ArchbenchError(str(error)) from None

    def build(self, shape: Input) -> nn.Module:
        """The network with freshly drawn weights. Raises ArchbenchError when the zoo refuses."""
        try:
            return zoo.create(self.name, shape.num_classes, shape.in_channels, shape.image_size, **dict(self.knobs))
        except zoo.ZooError as error:
            raise ArchbenchError(str(error)) from None

    def snapshot(self, shape: Input) -> ModelSnapshot:
        """All that a Record keeps of the network."""
        spec = dataclasses.asdict(self.spec)
        return ModelSnapshot(
            label=self.label,
            name=self.name,
            knobs=dict(self.knobs),
            source_sha256=source_hash(self.name),
            spec={**spec, "head_kind": self.head_kind},
            **dataclasses.asdict(shape),
        )


def parse(names: Iterable[str]) -> list[Model]:
    """Models behind names, globs and groups, each once, in the order asked for. Raises ArchbenchError for what is not there."""
    try:
        models = [model for name in names for model in _expand(name)]
    except zoo.ZooError as error:
        raise ArchbenchError(str(error)) from None
    return list(dict.fromkeys(models))


def _expand(text: str) -> Iterator[Model]:
    name, *assignments = text.split("+")
    matches = _matching(name)
    for matched in matches:
        yield _with_knobs(zoo.get(matched), assignments)


def _matching(name: str) -> list[str]:
    if name in GROUPS:
        chosen = [known for known in zoo.names() if GROUPS[name](zoo.get(known))]
    elif any(character in name for character in "*?["):
        chosen = fnmatch.filter(zoo.names(), name)
    else:
        return [_resolve(name)]
    if not chosen:
        raise ArchbenchError(f"no model matches {name!r}; known are {', '.join(zoo.names())}")
    return chosen


def _resolve(name: str) -> str:
    if not name:
        raise ArchbenchError("--models has an empty name; write nin,resnet_bottleneck or a group (all, lineage)")
    return zoo.resolve(name)


def _with_knobs(spec: zoo.ModelSpec, assignments: list[str]) -> Model:
    knobs: dict[str, registry.KnobValue] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ArchbenchError(f"a knob is written KEY=VALUE, as in {spec.name}+KEY=VALUE (got {assignment!r})")
        if key in knobs:
            raise ArchbenchError(f"{spec.name}: the knob {key!r} is given twice")
        value = next((valid for valid in spec.knobs.get(key, ()) if str(valid) == text), text)
        registry.check_knob(spec, key, value)
        knobs[key] = value
    defaults = inspect.signature(registry.builder(spec.name)).parameters
    changed = {key: value for key, value in knobs.items() if value != defaults[key].default}
    return Model(spec.name, tuple(sorted(changed.items())))


@functools.cache
def source_hash(name: str) -> str:
    """SHA-256 of the code that builds a model: its family's file and every file of the zoo that it draws on.

    Comments, docstrings and what is said in terms of the registry (specs, papers, hints) are left out: they change no network.
    """
    build = registry.builder(name)
    family = inspect.getsourcefile(getattr(build, "func", build))
    assert family is not None
    fixed = sorted(getattr(build, "keywords", {}).items())
    code = [_code_only(ast.parse(file.read_text())) for file in _files_behind(Path(family))]
    return hashlib.sha256("\n".join([build.__name__ if not fixed else repr(fixed), *code]).encode()).hexdigest()


def _files_behind(family: Path) -> list[Path]:
    """The family's file and the files of its package that it imports, directly or not; the registry apart."""
    found, ahead = [], [family]
    while ahead:
        file = ahead.pop(0)
        found.append(file)
        imports = (node.module or "" for node in ast.parse(file.read_text()).body if isinstance(node, ast.ImportFrom))
        names = (module.removeprefix("zoo.") for module in imports if module.startswith("zoo.") and module != "zoo.registry")
        ahead += [path for path in (family.with_name(f"{name}.py") for name in names) if path not in (*found, *ahead)]
    return found


def _code_only(tree: ast.Module) -> str:
    """A module without docstrings, decorators and statements that use the registry."""
    from_registry = {
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "zoo.registry" for alias in node.names
    }
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) or not _names(node) & from_registry]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = []
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            node.body = [line for line in node.body if not _is_docstring(line)]
    return ast.unparse(tree)


def _names(node: ast.stmt) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)

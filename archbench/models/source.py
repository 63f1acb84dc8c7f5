"""What the code of a model is, in one hash: a Record says by it which network it speaks of."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zoo
from zoo import registry

REGISTRY = "zoo.registry"  # what is said in its terms (specs, papers, hints) changes no network
UNTOLD = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


@dataclass(frozen=True)
class Definition:
    """A function, class or assignment at the top of a module: its code, and the names it uses."""

    module: str
    name: str
    code: str
    uses: frozenset[str]


@functools.cache
def source_hash(name: str) -> str:
    """SHA-256 of the code that builds a model: its builder and every definition of its package that the builder leads to.

    Comments, docstrings, layout and the registry are left out. Code outside the builder's own package and the zoo is not followed.
    """
    build = registry.builder(zoo.resolve(name))
    function = getattr(build, "func", build)
    fixed = (getattr(build, "args", ()), sorted(getattr(build, "keywords", {}).items()))
    reached = sorted(_reached(function.__module__, function.__name__), key=lambda each: (each.module, each.name))
    text = "\n".join(f"{each.module}.{each.name}: {each.code}" for each in reached)
    return hashlib.sha256(f"{function.__module__}.{function.__name__} {fixed}\n{text}".encode()).hexdigest()


def _reached(module: str, name: str) -> list[Definition]:
    """The definition of this name and all that it leads to, each once."""
    found: dict[tuple[str, str], Definition] = {}
    ahead = [(module, name)]
    while ahead:
        place = ahead.pop()
        definition = _definitions(place[0]).get(place[1])
        if definition is None and (whole := _submodule(*place)) is not None:  # a module used by its name: all that it defines
            ahead += [(whole, inner) for inner in _definitions(whole) if (whole, inner) not in found]
        if place in found or definition is None:
            continue
        found[place] = definition
        imported = _imports(place[0])
        ahead += [imported.get(used, (place[0], used)) for used in definition.uses]
    return list(found.values())


def _submodule(module: str, name: str) -> str | None:
    """A module of this name inside a package, if there is one; the registry is none."""
    whole = f"{module}.{name}"
    if not name or whole == REGISTRY or importlib.util.find_spec(module) is None:
        return None
    try:
        return whole if importlib.util.find_spec(whole) is not None else None
    except ModuleNotFoundError:
        return None


@functools.cache
def _tree(module: str) -> tuple[str, ast.Module]:
    spec = importlib.util.find_spec(module)
    file = inspect.getsourcefile(importlib.import_module(module)) if spec is None or spec.origin is None else spec.origin
    assert file is not None
    text = Path(file).read_text()
    return text, ast.parse(text)


@functools.cache
def _definitions(module: str) -> dict[str, Definition]:
    """What a module of the zoo or of a package that adds to it defines at its top; nothing for the registry and other libraries."""
    text, tree = _tree(module)
    return {name: Definition(module, name, _code(text, node), _uses(node)) for node in tree.body for name in _names_of(node)}


def _names_of(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def _uses(node: ast.stmt) -> frozenset[str]:
    """Names that a definition uses, what its decorators say of the registry left out."""
    parts = [node] if not isinstance(node, ast.FunctionDef | ast.ClassDef) else [*node.body, *_signature(node)]
    return frozenset(inner.id for part in parts for inner in ast.walk(part) if isinstance(inner, ast.Name))


def _signature(node: ast.FunctionDef | ast.ClassDef) -> list[ast.AST]:
    return [node.args] if isinstance(node, ast.FunctionDef) else list(node.bases)


@functools.cache
def _imports(module: str) -> dict[str, tuple[str, str]]:
    """Names that a module takes from the zoo or from its own package, anywhere in it, and where they are defined."""
    package = module.partition(".")[0]
    taken: dict[str, tuple[str, str]] = {}
    for node in ast.walk(_tree(module)[1]):
        if isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            origin = importlib.util.resolve_name(source, module.rpartition(".")[0]) if node.level else source
            if origin.partition(".")[0] in (package, "zoo") and origin != REGISTRY:
                taken |= {alias.asname or alias.name: (origin, alias.name) for alias in node.names}
            elif origin == REGISTRY:
                taken |= {alias.asname or alias.name: (REGISTRY, "") for alias in node.names}
    return taken


def _code(text: str, node: ast.stmt) -> str:
    """The tokens of a definition, its comments, docstrings and decorators left out, so that layout does not count."""
    lines = text.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno]
    hidden = {
        line - node.lineno + 1
        for inner in ast.walk(node)
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and _docstring(inner) is not None
        for line in range(_docstring(inner).lineno, (_docstring(inner).end_lineno or 0) + 1)  # type: ignore[union-attr]
    }
    tokens = tokenize.generate_tokens(io.StringIO("".join(lines)).readline)
    return " ".join(token.string for token in tokens if token.type not in UNTOLD and token.start[0] not in hidden)


def _docstring(node: ast.FunctionDef | ast.ClassDef) -> ast.Expr | None:
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return first if is_text else None  # type: ignore[return-value]

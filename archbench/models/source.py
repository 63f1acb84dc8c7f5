"""What the code of a model is, in one hash: a Record says by it which network it speaks of."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
from pathlib import Path

import zoo
from zoo import registry

ZOO = Path(registry.__file__).parent


@functools.cache
def source_hash(name: str) -> str:
    """SHA-256 of the code that builds a model of the zoo: its family's file and every file of the zoo that it draws on.

    Comments, docstrings and what is said in terms of the registry (specs, papers, hints) are left out: they change no network.
    """
    build = registry.builder(zoo.resolve(name))
    family = inspect.getsourcefile(getattr(build, "func", build))
    assert family is not None
    fixed = sorted(getattr(build, "keywords", {}).items())
    code = [_code_only(ast.parse(file.read_text())) for file in _files_behind(Path(family))]
    called = f"{getattr(build, 'func', build).__name__} {fixed}"
    return hashlib.sha256("\n".join([called, *code]).encode()).hexdigest()


def _files_behind(family: Path) -> list[Path]:
    """The family's file and the files of the zoo that it imports, directly or not; the registry apart."""
    found, ahead = [], [family]
    while ahead:
        file = ahead.pop(0)
        found.append(file)
        imports = (node.module or "" for node in ast.parse(file.read_text()).body if isinstance(node, ast.ImportFrom))
        names = (module.removeprefix("zoo.") for module in imports if module.startswith("zoo.") and module != "zoo.registry")
        ahead += [path for path in (ZOO / f"{name}.py" for name in names) if path not in (*found, *ahead)]
    return found


def _code_only(tree: ast.Module) -> str:
    """A module without docstrings, decorators and what uses the registry."""
    from_registry = {
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "zoo.registry" for alias in node.names
    } - {"ZooError"}
    undecorated = [_undecorated(node) for node in tree.body]
    tree.body = [node for node in undecorated if not _names(node) & from_registry]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            node.body = [line for line in node.body if not _is_docstring(line)]
    return ast.unparse(tree)


def _undecorated(node: ast.stmt) -> ast.stmt:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        node.decorator_list = []
    return node


def _names(node: ast.stmt) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)

"""Models of a user's own: `FILE.py:FUNCTION`. Naming a file runs its code: name only files that you trust."""

from __future__ import annotations

import difflib
import hashlib
import importlib.machinery
import importlib.util
import inspect
import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from archbench.errors import ArchbenchError, Terminated, brief
from archbench.models.entry import Entry, external_spec
from archbench.models.isolation import preserved_settings

MARK = ".py:"
FORM = "a model of your own is named FILE.py:FUNCTION"
ARGUMENTS = ("num_classes", "in_channels", "image_size")
SIZE, CLASSES = 32, 10
_read: dict[str, tuple[str, Entry]] = {}  # by name: the hash of the file that was read, and what it holds


def is_user_file(name: str) -> bool:
    """Whether a name is a function in a file."""
    return MARK in name


def without_function(name: str) -> ArchbenchError:
    """The error for a file alone, with the functions that it has. Raises ArchbenchError when it cannot be read or run."""
    own = _functions(_module(_existing(name, name)))
    return ArchbenchError(f"{FORM}; {name} has {', '.join(own) or 'no function'}")


def no_file(file: str) -> str:
    """That a file is not there, and where it was looked for."""
    is_whole = file.startswith("~") or Path(file).is_absolute()
    return f"there is no file {file}" if is_whole else f"there is no file {file} in {Path.cwd()}"


def refresh(name: str) -> None:
    """Read the file again if it has changed. Raises ArchbenchError in one line when it has no such function."""
    path, function = _split(name)
    source = _hash_of(path)
    if name not in _read or _read[name][0] != source:
        _read[name] = source, _entry(name, path, function, source)


def user_entry(name: str) -> Entry:
    """What the function makes, as the file was when it was last read: an edit during a run changes nothing."""
    if name not in _read:
        refresh(name)
    return _read[name][1]


@dataclass(frozen=True)
class Text:
    """A user's file, to be taken to another machine: where it lies here, and what is in it."""

    path: str
    content: bytes


def text_of(name: str) -> Text:
    """The file of a model. Raises ArchbenchError when it cannot be read."""
    path, _ = _split(name)
    try:
        return Text(str(path.resolve()), path.read_bytes())
    except OSError as error:
        raise ArchbenchError(f"{path} cannot be read: {error.strerror}") from None


def take_over(name: str, text: Text, folder: Path) -> None:
    """Let a model's name lead to a file of another machine: to the same one where it lies here too, so that it finds what lies beside it,
    else to a copy in `folder`. Raises ArchbenchError when it cannot be run.
    """
    source = hashlib.sha256(text.content).hexdigest()
    if name in _read and _read[name][0] == source:
        return
    path = Path(text.path)
    if not path.is_file() or _hash_of(path) != source:
        path = folder / path.name
        path.write_bytes(text.content)
    _read[name] = source, _entry(name, path, name.rpartition(":")[2], source)


def functions(pattern: str) -> list[str]:
    """Full names of the public functions that the pattern's file itself defines."""
    path, _ = _split(pattern)
    file = pattern.rpartition(":")[0]
    return [f"{file}:{name}" for name in _functions(_module(path))]


def _split(name: str) -> tuple[Path, str]:
    file, _, function = name.rpartition(":")
    return _existing(name, file), function


def _existing(name: str, file: str) -> Path:
    try:
        path = Path(file).expanduser()
    except RuntimeError:
        raise ArchbenchError(f"{name}: there is no such home directory") from None
    if not path.is_file():
        raise ArchbenchError(f"{name}: {no_file(file)}; {FORM}")
    return path


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ArchbenchError(f"{path} cannot be read: {error.strerror}") from None


def _entry(name: str, path: Path, function: str, source: str) -> Entry:
    module = _module(path)
    make = getattr(module, function, None)
    if not callable(make):
        own = _functions(module)
        near = difflib.get_close_matches(function, own, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(own) or 'none'}"
        raise ArchbenchError(f"{path} has no function {function!r}; {hint}")

    takes = _takes(make)
    last: list[Any] = []  # a weak reference to the module that was returned last

    def build(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
        given = dict(zip(ARGUMENTS, (num_classes, in_channels, image_size), strict=True))
        network = make(**{key: value for key, value in given.items() if key in takes})
        if not isinstance(network, nn.Module):
            raise ArchbenchError(f"{name} returned {type(network).__name__}, not a torch.nn.Module")
        if last and last[0]() is network:
            raise ArchbenchError(
                f"{name} returns the same module each time; make a new one in each call, so that runs do not share weights"
            )
        last[:] = [weakref.ref(network)]
        return network

    return Entry(external_spec(name, function, path.stem, SIZE, CLASSES), build, source, takes)


def _takes(make: Any) -> frozenset[str]:
    """Those of the arguments that a function takes."""
    parameters = inspect.signature(make).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return frozenset(ARGUMENTS)
    return frozenset(ARGUMENTS) & {parameter.name for parameter in parameters}


class _AsItIs(importlib.machinery.SourceFileLoader):
    """Reads a file, whatever bytecode lies beside it: that of an edit before within the same second, and as long, passes for its own."""

    def path_stats(self, path: str) -> Any:
        """Nothing by which bytecode could be known."""
        raise OSError(path)


@preserved_settings()
def _module(path: Path) -> ModuleType:
    """The user's file, run as a module. Raises ArchbenchError that says where it is wrong."""
    name = f"archbench_user_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_AsItIs(name, str(path)))
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up by name
    sys.path.insert(0, str(path.resolve().parent))  # it may import what lies beside it
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ArchbenchError(f"{path}, line {error.lineno}: {error.msg}") from None
    except (KeyboardInterrupt, Terminated):
        raise
    except BaseException as error:  # also of a kind of its own
        raise ArchbenchError(f"{path} cannot be run: {type(error).__name__}: {brief(error)}") from error
    finally:
        sys.path.pop(0)
    return module


def _functions(module: ModuleType) -> list[str]:
    own = (name for name, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module.__name__)
    return [name for name in own if not name.startswith("_")]

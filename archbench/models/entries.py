"""Where a name leads: an architecture of the zoo, `timm:NAME`, `torchvision:NAME`, or `FILE.py:FUNCTION`, a user's own.

A user's file is run when its model is looked up: name only files whose code you trust.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib.util
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

import zoo
from archbench.errors import ArchbenchError, unknown
from archbench.models.source import source_hash
from zoo import registry

Builder = Callable[..., nn.Module]
TIMM, TORCHVISION, FILE_MARK = "timm:", "torchvision:", ".py:"
IMAGENET_CLASSES, USER_SIZE = 1000, 32


@dataclass(frozen=True)
class Entry:
    """What is known of a model and how it is built: `build(num_classes, in_channels, image_size, **knobs)`."""

    spec: zoo.ModelSpec
    build: Builder
    source_sha256: str


def is_external(name: str) -> bool:
    """Whether a name leads out of the zoo."""
    return name.startswith((TIMM, TORCHVISION)) or FILE_MARK in name


def entry(name: str) -> Entry:
    """What a full name or an alias leads to. Raises ArchbenchError in one line when there is nothing."""
    if name.startswith(TIMM):
        return _timm(name)
    if name.startswith(TORCHVISION):
        return _torchvision(name)
    if FILE_MARK in name:
        path = _file_and_function(name)[0]
        return _user(name, path.stat().st_mtime_ns)
    try:
        return Entry(zoo.get(name), registry.builder(name), source_hash(name))
    except zoo.ZooError as error:
        raise ArchbenchError(str(error)) from None


def known(prefix: str) -> list[str]:
    """Every full name behind a prefix: of timm, of torchvision, or of a user's file; of the zoo when it is empty."""
    if prefix == TIMM:
        import timm

        return [TIMM + name for name in timm.list_models()]
    if prefix == TORCHVISION:
        from torchvision import models

        return [TORCHVISION + name for name in models.list_models(module=models)]
    if prefix:
        return [prefix + name for name in _functions(_module(Path(prefix.removesuffix(":"))))]
    return zoo.names()


def _external_spec(name: str, title: str, family: str, size: int, num_classes: int) -> zoo.ModelSpec:
    return zoo.ModelSpec(
        name=name,
        title=title,
        family=family,
        year=None,
        paper=None,
        takes="",
        input_shape=(3, size, size),
        num_classes=num_classes,
        min_size=1,
        head_kind="",
        published=(),
        head=(),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _timm(name: str) -> Entry:
    import timm

    short = name.removeprefix(TIMM)
    if not timm.is_model(short):
        raise unknown("model", name, known(TIMM))
    size = timm.get_pretrained_cfg_value(short, "input_size") or (3, 224, 224)
    fixed = bool(timm.get_pretrained_cfg_value(short, "fixed_input_size"))

    def build(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
        sized: dict[str, Any] = {"img_size": image_size} if fixed else {}
        network: nn.Module = timm.create_model(short, pretrained=False, num_classes=num_classes, in_chans=in_channels, **sized)
        return network

    return Entry(_external_spec(name, short, "timm", size[-1], IMAGENET_CLASSES), build, _hash(f"timm {timm.__version__} {short}"))


@functools.cache
def _torchvision(name: str) -> Entry:
    import torchvision
    from torchvision import models

    short = name.removeprefix(TORCHVISION)
    if name not in known(TORCHVISION):
        raise unknown("model", name, known(TORCHVISION))
    weights = models.get_model_weights(short).DEFAULT
    size = getattr(weights.transforms(), "crop_size", [224])[0]
    accepted = {"aux_logits": False, "init_weights": False}
    options = {key: value for key, value in accepted.items() if short in ("googlenet", "inception_v3")}

    def build(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
        network: nn.Module = models.get_model(short, weights=None, num_classes=num_classes, **options)
        if in_channels != 3:
            _replace_first_convolution(network, in_channels)
        return network

    source = _hash(f"torchvision {torchvision.__version__} {short}")
    return Entry(_external_spec(name, short, "torchvision", size, IMAGENET_CLASSES), build, source)


def _replace_first_convolution(network: nn.Module, in_channels: int) -> None:
    """torchvision's builders take three channels: the first convolution is made anew for another number."""
    name, old = next((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    network.set_submodule(name, new)


def _file_and_function(name: str) -> tuple[Path, str]:
    file, _, function = name.rpartition(":")
    path = Path(file).expanduser()
    if not path.is_file():
        raise ArchbenchError(f"{name}: there is no file {file}; a model of your own is named FILE.py:FUNCTION")
    return path, function


@functools.lru_cache
def _user(name: str, _changed_ns: int) -> Entry:
    path, function = _file_and_function(name)
    module = _module(path)
    make = getattr(module, function, None)
    if not callable(make):
        near = difflib.get_close_matches(function, _functions(module), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(_functions(module)) or 'none'}"
        raise ArchbenchError(f"{path} has no function {function!r}; {hint}")
    takes = set(inspect.signature(make).parameters)

    def build(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
        given = {"num_classes": num_classes, "in_channels": in_channels, "image_size": image_size}
        try:
            network = make(**{key: value for key, value in given.items() if key in takes})
        except Exception as error:
            raise ArchbenchError(f"{name} failed: {type(error).__name__}: {error}") from error
        if not isinstance(network, nn.Module):
            raise ArchbenchError(f"{name} returned {type(network).__name__}, not a torch.nn.Module")
        return network

    source = hashlib.sha256(path.read_bytes()).hexdigest()
    return Entry(_external_spec(name, function, path.stem, USER_SIZE, 10), build, source)


def _module(path: Path) -> ModuleType:
    """The user's file, run as a module. Raises ArchbenchError that says where it is wrong."""
    spec = importlib.util.spec_from_file_location(f"archbench_user_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ArchbenchError(f"{path}, line {error.lineno}: {error.msg}") from None
    except Exception as error:
        raise ArchbenchError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module


def _functions(module: ModuleType) -> list[str]:
    """Public functions and classes that the file itself defines."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and _is_own(value, module)]


def _is_own(value: object, module: ModuleType) -> bool:
    return (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__


def matching(pattern: str) -> Iterable[str]:
    """Full names that match a pattern, in whichever room its prefix names."""
    import fnmatch

    prefix = next((mark for mark in (TIMM, TORCHVISION) if pattern.startswith(mark)), "")
    if FILE_MARK in pattern:
        file, _, _ = pattern.rpartition(":")
        prefix = f"{file}:"
        _file_and_function(pattern)
    return [name for name in known(prefix) if fnmatch.fnmatchcase(name, pattern)]

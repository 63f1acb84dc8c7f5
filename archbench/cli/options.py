"""Options of the commands, made from the fields of `Settings`: a setting is written down once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from archbench.config import Settings

MODEL = ("models", "dataset", "data_dir", "image_size", "device", "precision", "results", "tag", "rerun", "batch_size")
DATA = ("download", "skip_broken", "limit_train", "train_fraction", "val_fraction", "flip", "images_from", "memory_limit")
TRAINING = (
    *("pretrained", "recipe", "epochs", "seeds", "tuned", "compile", "micro_batch", "devices", "sync_norm"),
    *("deterministic", "track", "shard", "engine"),
)
TUNING = ("recipe", "epochs", "trials", "span", "compile", "micro_batch", "deterministic", "engine")
EXPERIMENT = ("experiment", "yes")
PROFILING = ("batch_sizes", "modes", "launches", "time", "shard")
FLAG_PAIRS = {"rerun": "--rerun/--resume", "flip": "--flip/--no-flip"}
JSON = Annotated[bool, typer.Option("--json", help="Machine-readable result on stdout; all else goes to stderr")]
CLASSES = Annotated[int | None, typer.Option("--classes", min=1, help="Number of classes  [default: the paper's]")]
CHANNELS = Annotated[int | None, typer.Option("--channels", min=1, help="Channels of the image  [default: the paper's]")]
SIZE = Annotated[int | None, typer.Option("--image-size", min=1, help="Side of the square image, in pixels  [default: the paper's]")]
DRY_RUN = Annotated[bool, typer.Option("--dry-run", help="Say what would be run, what is there and what it takes, and run nothing")]
MODELS_OF = Annotated[str, typer.Option("--models", help="Of a table only these: names or globs, with commas")]
DATASET_OF = Annotated[str | None, typer.Option("--dataset", help="Of a table only trainings on this data set, and profiles")]
CONDITION_OF = Annotated[
    str, typer.Option("--condition", help="Of a table only those whose captions hold these words, as in archbench tables")
]
QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="No progress")]


@dataclass(frozen=True)
class Request:
    """What a command was asked: settings by name, those of them that were `given`, how to answer, and what else it takes."""

    settings: dict[str, Any]
    given: frozenset[str]
    json: bool
    quiet: bool
    more: dict[str, Any] = dataclasses.field(default_factory=dict)


def takes(names: Iterable[str], **more: Any) -> Callable[[Callable[[Request], None]], Callable[..., None]]:
    """Give a command the options of these settings, `--json`, `--quiet` and `more`: annotations of flags, or of what must be given.

    It is called with a Request.
    """

    def decorate(command: Callable[[Request], None]) -> Callable[..., None]:
        @functools.wraps(command)
        def call(*, context: typer.Context, json: bool, quiet: bool, **settings: Any) -> None:
            extra = {name: settings.pop(name) for name in more}
            values = {name: value for name, value in settings.items() if value is not None}
            command(Request(values, frozenset(filter(functools.partial(_is_given, context), values)), json, quiet, extra))

        flags = {name for name, annotation in more.items() if typing.get_args(annotation)[0] is bool}
        own = [_keyword(name, annotation, False if name in flags else inspect.Parameter.empty) for name, annotation in more.items()]
        context = _keyword("context", typer.Context, inspect.Parameter.empty)
        parameters = [context, *own, *_parameters(set(names)), _keyword("json", JSON), _keyword("quiet", QUIET)]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return call

    return decorate


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line, rather than having its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _parameters(names: set[str]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(Settings, include_extras=True)
    fields = (field for field in dataclasses.fields(Settings) if field.name in names)
    return [_parameter(field, hints[field.name]) for field in fields]


def _parameter(field: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    kind, *metadata = typing.get_args(hint)
    text = next(entry for entry in metadata if isinstance(entry, str))
    flags = (FLAG_PAIRS[field.name],) if field.name in FLAG_PAIRS else (f"--{field.name.replace('_', '-')}",)
    default = field.default
    if isinstance(default, tuple):
        kind, default = str | None, ",".join(map(str, default)) or None
    elif isinstance(default, Path):
        kind, default = str, str(default)
    option = typer.Option(*flags, help=text, show_default=default is not None)
    return _keyword(field.name, Annotated[kind, option], default)


def _keyword(name: str, annotation: Any, default: Any = False) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

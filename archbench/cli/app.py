"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from archbench.cli import count, export, profile, run, show, tables, train
from archbench.cli import list as list_command
from archbench.errors import ArchbenchError

EXIT_FAILED, EXIT_MISTAKE, EXIT_INTERRUPTED = 1, 2, 130
USAGE_ERROR: Any = typer.BadParameter.__base__  # click's, or typer's own copy of it, by typer's version

app = typer.Typer(
    name="archbench",
    help="Train and profile Network In Network, its ancestors and its descendants under one protocol.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 140},
)
for _module in (run, train, profile, list_command, show, count, export, tables):
    app.command(name=_module.__name__.rpartition(".")[2])(_module.command)


@app.callback(invoke_without_command=True)
def _without_command(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version and stop")] = False
) -> None:
    """Train and profile Network In Network, its ancestors and its descendants under one protocol."""
    if version:
        from archbench import __version__

        print(f"archbench {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> NoReturn:
    """Run the command line; a mistake of the user's is one line on stderr and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a sign shows another
    sys.exit(_status())


def _status() -> int:
    try:
        status = app(standalone_mode=False) or 0
    except ArchbenchError as error:
        return _complain(str(error))
    except USAGE_ERROR as error:
        return _complain(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        status = EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        return _complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    if status == EXIT_INTERRUPTED:
        print("interrupted: finished Records are kept, and the same command goes on from here", file=sys.stderr)
    return status


def _complain(message: str) -> int:
    line = "".join(sign if sign.isprintable() else "?" for sign in " ".join(message.split()))
    print(f"archbench: {line}", file=sys.stderr)
    return EXIT_MISTAKE


def _usage(error: Any) -> str:
    """A usage error in one line, with the nearest option where one is near."""
    near = getattr(error, "possibilities", None)
    if near:
        return f"there is no option {error.option_name}; did you mean {near[0]}?"
    return str(error.format_message()) + ("" if error.ctx is None else f" ({error.ctx.command_path} --help lists what there is)")

"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import importlib
import io
import keyword
import os
import signal
import sys
from collections.abc import Iterable
from typing import Annotated, Any, NoReturn

import typer

from archbench.errors import ArchbenchError, Terminated, complaint

EXIT_FAILED, EXIT_MISTAKE, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143
USAGE_ERROR: Any = typer.BadParameter.__base__  # click's, or typer's own copy of it, by typer's version

ABOUT = "Train and profile Network In Network, its ancestors and its descendants under one protocol."
# a module of this package for each; its parameters are read only when it is asked for, which keeps --help quick
COMMANDS = {
    "run": "Train and profile models on one data set, and compare them in a table.",
    "train": "Train models on one data set.",
    "tune": "Search each model's learning rate and weight decay, the same budget for each, on held-out training images.",
    "profile": "Count parameters and MACs, time and weigh models; on their own input unless --dataset is given.",
    "list": "List models with their counts at their own input, by year.",
    "show": "Show what is known of a model, and its layers with their shapes and counts.",
    "count": "Count parameters and MACs by operator class, on the meta device.",
    "export": "Write a network as ONNX or as a torch.export program, with fresh weights or those of a Record.",
    "doctor": "Say what this machine is fit to measure, with advice for each doubt.",
    "compare": "Say for each measurement of two sides whether it differs, with an interval; --fail-above for CI.",
    "cite": "Cite Records or a table: entries for archbench and the papers, methods, the command that makes them again, and hashes.",
    "verify": "Recompute what Records tell and needs no training; --rerun trains or profiles again. Exit status 1 where something differs.",
    "bundle": "Pack Records, predictions, tables, figures and methods into one archive to attach to a paper, as RO-Crate.",
    "import": "Take an archive of archbench bundle, or benchmarks that pytest-benchmark timed, into the results folder.",
    "evaluate": "Test the kept weights of a training on another data set's test split.",
    "explain": "Draw class activation maps of trained networks on a few images, or keep them as arrays.",
    "score": "Score the class maps of a training against objects that are known and maps of no merit.",
    "merge": "Join results folders, as those of the parts that --shard cuts: Records, the files beside them, and tags.",
    "runs": "List Records and mark them with tags; list and prune checkpoints.",
    "tables": "Make tables from Records: results, errors, classes, claims, operators, lineage, latency, maps and more.",
    "figures": "Draw figures from Records: error against cost, the lineage by year, shares of MACs and time, the roofline and more.",
    "report": "Write all that a results folder says as one HTML file that opens from the disk.",
    "serve": "Show the report of a results folder in a browser on this machine, up to date while runs write Records.",
}


def build(arguments: Iterable[str]) -> typer.Typer:
    """The application for a command line: the commands that it names in full, of the others the name and a line about it."""
    application = typer.Typer(
        name="archbench",
        help=ABOUT,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 140},
    )
    application.callback(invoke_without_command=True)(_without_command)
    asked = set(arguments)
    for name, text in COMMANDS.items():
        command = _module(name).command if name in asked else _not_asked_for
        application.command(name=name, help=text, short_help=text)(command)
    return application


def _module(name: str) -> Any:
    """The module of a command; one whose name is a word of Python's has an underscore behind it."""
    return importlib.import_module(f"archbench.cli.{name}{'_' * keyword.iskeyword(name)}")


def _not_asked_for() -> None:
    """Stands for a command that the command line does not name."""


def _without_command(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version and stop")] = False
) -> None:
    if version:
        from archbench import __version__

        print(f"archbench {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> NoReturn:
    """Run the command line; a mistake of the user's is one line on stderr and exit status 2."""
    signal.signal(signal.SIGTERM, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a sign shows another
    sys.exit(_status())


def _end(*_: object) -> NoReturn:
    """Handle SIGTERM as an interruption, by which what is half done is taken back; commands that train leave a checkpoint first."""
    raise Terminated


def _status() -> int:
    try:
        status = build(sys.argv[1:])(standalone_mode=False) or 0
    except ArchbenchError as error:
        return _complain(str(error))
    except USAGE_ERROR as error:
        return _complain(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        status = EXIT_INTERRUPTED
    except Terminated:
        status = EXIT_TERMINATED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        return _complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    if status in (EXIT_INTERRUPTED, EXIT_TERMINATED):
        print("interrupted: finished Records are kept, and the same command goes on from here", file=sys.stderr)
    return status


def _complain(message: str) -> int:
    print(complaint(message), file=sys.stderr)
    return EXIT_MISTAKE


def _usage(error: Any) -> str:
    """A usage error in one line, with the nearest option where one is near."""
    near = getattr(error, "possibilities", None)
    if near:
        return f"there is no option {error.option_name}; did you mean {near[0]}?"
    return str(error.format_message()) + ("" if error.ctx is None else f" ({error.ctx.command_path} --help lists what there is)")

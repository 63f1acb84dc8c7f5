"""`archbench compare`: is a difference between two sets of Records real."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbench.cli.options import JSON
from archbench.config import Settings, split_names
from archbench.errors import ArchbenchError

if TYPE_CHECKING:
    from archbench.publish.compare import Difference

SIDE = "A Record's id, a Record's file, a results folder, or COMMIT:FOLDER"


def command(
    before: Annotated[str, typer.Argument(help=SIDE)],
    after: Annotated[str, typer.Argument(help=SIDE)],
    results: Annotated[Path, typer.Option("--results", help="Folder in which ids are looked for")] = Settings.results,
    fail_above: Annotated[
        str | None, typer.Option("--fail-above", help="Exit 1 when a run is lost or something worse by more, as 5%")
    ] = None,
    only: Annotated[
        str, typer.Option("--only", help="Compare these measurements alone: names or globs with commas, as latency,train_*")
    ] = "",
    json: JSON = False,
) -> None:
    """Say for each measurement that two sides have in common whether it differs, with an interval."""
    from archbench.api import compared
    from archbench.cli import view
    from archbench.publish import differences, gate

    limit_pct = _percent(fail_above) if fail_above is not None else math.inf
    names = split_names(only)
    found = compared(before, after, results=results, only=names)
    judged = gate.judged(found.differences, limit_pct, names)
    if json:
        verdicts = [(each, differences.verdict(each, judged.untold)) for each in found.differences]
        view.print_json([{**_plain(each), "verdict": verdict, "failed": each in judged.failed} for each, verdict in verdicts])
    elif found.differences:
        view.print_tables([differences.table(found.differences, found.circumstances, judged.untold)])
    for lost in found.lost:
        view.say(lost.line)
    for each in judged.failed:
        view.say(f"{differences.line(each)}: worse by more than {limit_pct:g} %")
    if fail_above is None:
        return
    view.say(judged.closing(len(found.lost)))
    if judged.failed or found.lost:
        raise typer.Exit(1)


def _percent(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text)
    if match is None:
        raise ArchbenchError(f"--fail-above takes a share as 5% (got {text!r})")
    percent, sign = float(match[1]), match[2]
    if not sign and 0 < percent < 1:
        raise ArchbenchError(f"--fail-above takes percent: {100 * percent:g}% or {percent:g}% (got {text!r}, which may mean either)")
    return percent


def _plain(difference: Difference) -> dict[str, object]:
    """What JSON can hold."""
    plain = dataclasses.asdict(difference)
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in plain.items()}

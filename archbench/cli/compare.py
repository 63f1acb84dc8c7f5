"""`archbench compare`: is a difference between two sets of Records real."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbench.cli.options import JSON
from archbench.config import Settings
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
    json: JSON = False,
) -> None:
    """Say for each measurement that two sides have in common whether it differs, with an interval."""
    from archbench.api import compared
    from archbench.cli import view
    from archbench.publish import differences
    from archbench.publish.compare import worse_than

    limit_pct = _percent(fail_above) if fail_above is not None else math.inf
    found = compared(before, after, results=results)
    worse = worse_than(found.differences, limit_pct)
    if json:
        view.print_json([{**_plain(each), "failed": each in worse} for each in found.differences])
    elif found.differences:
        view.print_tables([differences.table(found.differences, found.circumstances)])
    for lost in found.lost:
        view.say(lost.line)
    for each in worse:
        view.say(f"{each.model}: {each.name} is worse by {abs(each.relative_pct):.1f} %, more than {limit_pct:g} %")
    if worse or (found.lost and fail_above is not None):
        raise typer.Exit(1)


def _percent(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", text)
    if match is None:
        raise ArchbenchError(f"--fail-above takes a share as 5% (got {text!r})")
    return float(match[1])


def _plain(difference: Difference) -> dict[str, object]:
    """What JSON can hold."""
    plain = dataclasses.asdict(difference)
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in plain.items()}

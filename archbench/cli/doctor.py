"""`archbench doctor`: what this machine is fit to measure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbench.cli.options import JSON
from archbench.config import DEFAULT_DATA_DIR, Settings
from archbench.events import Event, Notice

if TYPE_CHECKING:
    from archbench.examining import Finding


def command(
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")] = Settings.device,
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Folder of the data sets")] = DEFAULT_DATA_DIR,
    json: JSON = False,
) -> None:
    """Say what this machine is fit to measure, with advice for each doubt; takes about ten seconds."""
    from archbench.api import doctor
    from archbench.cli import view

    with view.kept_clean():
        findings = doctor(device, results=results, data_dir=data_dir, emit=_say)
    if json:
        view.print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        _print(findings)


def _say(event: Event) -> None:
    from archbench.cli import view

    if isinstance(event, Notice):
        view.say(event.message)


def _print(findings: Sequence[Finding]) -> None:
    """The findings as a table, and a line of advice for each doubt."""
    from rich.text import Text

    from archbench.cli import view

    view.print_table(view.columns_table({"what": [each.topic for each in findings], "found": [each.found for each in findings]}))
    doubts = [each for each in findings if each.advice]
    view.out.print()
    for each in doubts:
        view.out.print(Text(f"· {each.topic}: {each.advice}"))
    if not doubts:
        view.out.print(Text("no doubt about this machine"))

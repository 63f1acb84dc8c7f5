"""`archbench report`: everything that a results folder says, in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.config import Settings, expanded


def command(
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    out: Annotated[Path, typer.Option("--out", help="The file to write")] = Path("archbench-report.html"),
) -> None:
    """Write what the Records say as one HTML file that opens from the disk: summary, plots, tables, lineage, networks, Records, method."""
    from archbench import reporting
    from archbench.cli import view

    results, out = expanded(results), expanded(out)
    source, signs = reporting.made(results, out)
    view.say(f"{out}: {len(source.records):,} Record{'s' * (len(source.records) != 1)}, {signs / 1e6:.1f} MB")
    view.report_problems(source.problems)

"""`archbench report`: everything that a results folder says, in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.config import Settings, expanded
from archbench.errors import ArchbenchError


def command(
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    out: Annotated[Path, typer.Option("--out", help="The file to write")] = Path("archbench-report.html"),
) -> None:
    """Write what the Records say as one HTML file that opens from the disk: summary, plots, tables, lineage, networks, Records, method."""
    from archbench import reporting
    from archbench.cli import view
    from archbench.publish.report.content import content
    from archbench.publish.report.document import document

    results, out = expanded(results), expanded(out)
    if not results.is_dir():
        raise ArchbenchError(f"there is no results folder {results}; archbench run makes one, --results looks elsewhere")
    source = reporting.source(results)
    text = document(content(source))
    reporting.write(text, out)
    view.say(f"{out}: {len(source.records):,} Record{'s' * (len(source.records) != 1)}, {len(text) / 1e6:.1f} MB")
    view.report_problems(source.problems)

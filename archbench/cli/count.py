"""`archbench count`: parameters and MACs by operator class, and why other counters say something else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.cli.options import CHANNELS, CLASSES, JSON, SIZE


def command(
    models: Annotated[
        str, typer.Argument(help="Models as in --models, with commas; @FILE holds names, one a line, what follows a # is a comment")
    ],
    explain: Annotated[bool, typer.Option("--explain", help="Other counters beside ours, each difference split into its causes")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the counts as Markdown to this file")] = None,
    classes: CLASSES = None,
    channels: CHANNELS = None,
    image_size: SIZE = None,
    json: JSON = False,
) -> None:
    """Count parameters and MACs by operator class, on the meta device."""
    from archbench.api import count_models, write_reconciliation
    from archbench.cli import counts_view, view

    with view.kept_clean():
        rows = count_models(models, explain=explain, num_classes=classes, in_channels=channels, image_size=image_size)
    if out is not None:
        write_reconciliation(rows, out)
        view.say(f"written: {out}")
    elif json:
        view.print_json(rows)
    else:
        counts_view.print_counts(rows)

"""`archbench count`: parameters and MACs by operator class, and why other counters say something else."""

from __future__ import annotations

from typing import Annotated

import typer

from archbench.cli.options import CHANNELS, CLASSES, JSON, SIZE


def command(
    models: Annotated[str, typer.Argument(help="Models as in --models, with commas")],
    explain: Annotated[bool, typer.Option("--explain", help="Other counters beside ours, each difference split into its causes")] = False,
    classes: CLASSES = None,
    channels: CHANNELS = None,
    image_size: SIZE = None,
    json: JSON = False,
) -> None:
    """Count parameters and MACs by operator class, on the meta device."""
    from archbench.api import count_models
    from archbench.cli import view

    with view.kept_clean():
        rows = count_models(models, explain=explain, num_classes=classes, in_channels=channels, image_size=image_size)
    if json:
        view.print_json(rows)
    else:
        view.print_counts(rows)

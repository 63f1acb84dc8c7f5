"""`archbench list`: the models there are."""

from __future__ import annotations

from typing import Annotated

import typer

from archbench.cli.options import JSON


def command(
    models: Annotated[str, typer.Option("--models", help="Names, globs (resnet*) or groups (all, lineage), with commas")] = "all",
    json: JSON = False,
) -> None:
    """List models with their counts at their own input."""
    from archbench.api import list_models
    from archbench.cli import view

    rows = list_models(models)
    if json:
        view.print_json(rows)
    else:
        view.print_models(rows)

"""`archbench list`: the models there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.cli.options import JSON


def command(
    models: Annotated[str | None, typer.Option("--models", help="Names, globs (resnet*) or groups (all, lineage), with commas")] = None,
    tree: Annotated[bool, typer.Option("--tree", help="Draw the lineage: who took the idea from whom")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the whole zoo as Markdown to this file")] = None,
    json: JSON = False,
) -> None:
    """List models with their counts at their own input, by year."""
    from archbench import api
    from archbench.cli import view

    if out is not None:
        api.write_zoo_page(out)
        view.say(f"written: {out}")
    elif tree:
        view.print_tree(api.lineage(models or "lineage"))
    elif json:
        view.print_json(api.list_models(models or "all"))
    else:
        view.print_models(api.list_models(models or "all"))

"""`archbench list`: the models there are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from archbench.cli.options import JSON


def command(
    models: Annotated[str | None, typer.Option("--models", help="Names, globs (resnet*) or groups (all, lineage), with commas")] = None,
    tree: Annotated[bool, typer.Option("--tree", help="Draw the lineage: who took the idea from whom")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the zoo as Markdown to this file, to layers.json its layers, to another .json its claims"),
    ] = None,
    json: JSON = False,
) -> None:
    """List models with their counts at their own input, by year."""
    from archbench import api
    from archbench.cli import models_view, view

    with view.kept_clean():
        if out is not None:
            api.write_zoo_page(out)
        found: Any = None if out is not None else api.lineage(models or "lineage") if tree else api.list_models(models or "all")
    if out is not None:
        view.say(f"written: {out}")
    elif json:
        view.print_json([dataclasses.asdict(root) for root in found] if tree else found)
    elif tree:
        models_view.print_tree(found)
    else:
        models_view.print_models(found)

"""`archbench show`: one model in full."""

from __future__ import annotations

from typing import Annotated

import typer

from archbench.cli.options import CHANNELS, CLASSES, JSON, SIZE


def command(
    name: Annotated[str, typer.Argument(help="A model as in --models, knobs included")],
    classes: CLASSES = None,
    channels: CHANNELS = None,
    image_size: SIZE = None,
    json: JSON = False,
) -> None:
    """Show what is known of a model, and its layers with their shapes and counts."""
    from archbench.api import describe
    from archbench.cli import models_view, view

    with view.kept_clean():
        described = describe(name, classes, channels, image_size)
    if json:
        view.print_json(described)
    else:
        models_view.print_model(described)

"""`archbench export`: a network as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.cli.options import CHANNELS, CLASSES, SIZE
from archbench.config import Settings


def command(
    name: Annotated[str, typer.Argument(help="A model as in --models, knobs included")],
    out: Annotated[Path, typer.Option("--out", help="The file to write")],
    form: Annotated[str, typer.Option("--format", help="onnx (needs archbench[onnx]) or torch (torch.export)")] = "onnx",
    record: Annotated[str | None, typer.Option("--record", help="Take the trained weights of this Record, by its id")] = None,
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    classes: CLASSES = None,
    channels: CHANNELS = None,
    image_size: SIZE = None,
) -> None:
    """Write a network as ONNX or as a torch.export program, with fresh weights or those of a Record."""
    from archbench.api import export
    from archbench.cli import view

    with view.kept_clean():
        export(name, out, form=form, record=record, results=results, num_classes=classes, in_channels=channels, image_size=image_size)
    view.say(f"written: {out} ({out.stat().st_size / 2**20:.1f} MiB)")

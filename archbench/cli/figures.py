"""`archbench figures`: pictures from the Records of a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.config import Settings, expanded, split_names

NAMES_HELP = (
    "error, lineage, shares, roofline, pointwise, time, curves, data_scale, minutes, maps; all (the default); or a picture, as "
    "lineage-3x32x32-b4"
)
CHECK_HELP = "Write nothing; exit status 1, naming them, where figures that are there, or those that are named, lag behind the Records"
CAPTION_HELP = "Leave title, condition and notes out of the pictures and write them to NAME.txt, to be taken into a caption"
MOST_NAMED = 8  # files


def command(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help=NAMES_HELP)] = None,
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to  [default: figures/ in --results]")] = None,
    form: Annotated[str, typer.Option("--format", help="pdf, svg, png; several with commas")] = "png",
    style: Annotated[str, typer.Option("--style", help="Sizes for paper, talk or web")] = "paper",
    columns: Annotated[int, typer.Option("--columns", help="Width of 1 or 2 columns")] = 2,
    models: Annotated[str, typer.Option("--models", help="Only these: names or globs as they stand in the tables, with commas")] = "*",
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only trainings on this data set, and profiles")] = None,
    caption_beside: Annotated[bool, typer.Option("--caption-beside", help=CAPTION_HELP)] = False,
    check: Annotated[bool, typer.Option("--check", help=CHECK_HELP)] = False,
) -> None:
    """Draw figures from Records: error against cost, the lineage by year, shares of MACs and time, the roofline, learning curves and more.

    A picture holds what may be compared: for each condition one of its own, NAME-CONDITION.pdf. Its data are in the file, as JSON
    among the metadata (Subject in a PDF, description in SVG and PNG), with their SHA-256.
    """
    from archbench.cli import view
    from archbench.illustrating import checked_columns, checked_formats, pictured
    from archbench.publish.figures import checking, files
    from archbench.publish.figures.look import Look

    formats, look = checked_formats(form), Look.of(style, checked_columns(columns), not caption_beside)
    results = expanded(results)
    folder = results / "figures" if out is None else expanded(out)
    found = pictured(names or (), results, split_names(models), dataset)
    lag = checking.lagging(found.pictures, folder, names or ()) if check else []
    for line in lag:
        print(line)
    if check and found.pictures and not lag:
        view.say(f"{'these' if names else 'all'} figures are as the Records have them")
    if check and not found.pictures:
        for line in found.missing:
            view.say(f"not drawn: {line}")
    if not check:
        written = files.write_all(found.pictures, look, formats, folder)
        if found.boxes:
            view.say(found.boxes)
        if written:
            names_said = ", ".join(path.name for path in written) if len(written) <= MOST_NAMED else f"{len(written)} files"
            view.say(f"written to {folder}: {names_said}")
        if written or names:
            for line in found.missing:
                view.say(f"not drawn: {line}")
        else:
            view.say(f"no finished run in {results} that a figure could be drawn from; archbench run makes some")
    view.report_problems(found.problems)
    if lag or (names and not found.pictures):
        raise typer.Exit(1)

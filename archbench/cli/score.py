"""`archbench score`: what the class maps of a training are worth, on images whose objects are known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbench.cli.options import JSON, QUIET
from archbench.config import Settings

if TYPE_CHECKING:
    from archbench.records.schema import Record

RECORD_HELP = "The Record of a training with weights, by its id or the beginning of it"
DATASET_HELP = (
    "shapes with its parameters, as shapes+link=95+test=broken, of the size that the network takes; or NAME=imagefolder:DIR, with --boxes"
)
BOXES_HELP = (
    "The objects in the test images of class folders: a CSV of file, left, top, right, bottom and perhaps class, a COCO file, or a folder "
    "of masks; files are named from DIR/test (or DIR/val) on"
)
N_HELP = "How many test images: of shapes the first ones, of class folders at most so many that are marked, evenly over classes"
METHOD_HELP = "As of archbench explain: class_map, cam, gradcam, gradcam++, layercam, scorecam, occlusion"
SHOWN = {  # measurements, and how their columns are headed
    "pointing_pct": "points at it, %",
    "energy_object_pct": "on it, %",
    "energy_ground_pct": "on ground, %",
    "deletion": "deletion",
    "insertion": "insertion",
    "road": "ROAD",
}


def command(
    record: Annotated[str, typer.Argument(metavar="RECORD", help=RECORD_HELP)],
    dataset: Annotated[str, typer.Option("--dataset", help=DATASET_HELP)] = "shapes",
    boxes: Annotated[Path | None, typer.Option("--boxes", help=BOXES_HELP)] = None,
    method: Annotated[str, typer.Option("--method", help=METHOD_HELP)] = "gradcam",
    n: Annotated[int, typer.Option("--n", min=1, help=N_HELP)] = 500,
    layer: Annotated[str | None, typer.Option("--layer", help="The layer to explain  [default: the last with more than one place]")] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")] = Settings.device,
    skip_broken: Annotated[bool, typer.Option("--skip-broken", help="Leave out training images that cannot be read")] = False,
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Where decoded images are kept")] = Settings.data_dir,
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    tag: Annotated[str | None, typer.Option("--tag", help="Mark the Record; several with commas")] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Score anew what has a Record already")] = False,
    json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Score the class maps of a training against objects that are known and maps of no merit; leaves a Record of kind explain."""
    given = {"dataset": dataset, "data_dir": data_dir, "skip_broken": skip_broken, "device": device, "results": results, "rerun": rerun}
    settings = Settings.of(**given, **({"tag": tag} if tag else {}))

    from archbench import running
    from archbench.cli import progress as shown
    from archbench.cli import view

    with view.kept_clean(), shown.Progress(quiet) as progress:
        executed = running.scored(record, method, n, layer, settings, progress.listen, boxes)
    (made,) = executed.records
    rows = [{"of": of, **{name: made.figure(name, {"of": of}) for name in SHOWN}} for of in _sources(made)]
    view.print_of_weights(made, {"explained": made.config["weights"], "scores": rows}, _columns, settings.results, json, quiet)


def _sources(record: Record) -> list[str]:
    return list(dict.fromkeys(str(row.at["of"]) for row in record.measurements if "of" in row.at))


def _columns(record: Record) -> dict[str, list[str]]:
    """The network's maps and each baseline, a row each."""
    from archbench.publish.formats import figure

    def cell(of: str, name: str) -> str:
        row = record.measurement(name, of=of)
        value, low, high = (math.nan if each is None else each for each in (row.value, row.low, row.high)) if row else [math.nan] * 3
        return figure(value, low, high)

    return {"maps": _sources(record), **{header: [cell(of, name) for of in _sources(record)] for name, header in SHOWN.items()}}

"""`archbench explain`: where a network's evidence for a class lies, as a sheet of maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.cli.options import JSON, QUIET
from archbench.config import Settings

RECORD_HELP = "Records of trainings, by their ids or the beginnings of them; several stand beside each other on the same images"
METHOD_HELP = (
    "class_map (NIN's own: a map a class), cam (an average and one linear layer); for any network gradcam, gradcam++, layercam, scorecam, "
    "which need archbench[explain], and occlusion"
)
BOXES_HELP = (
    "The objects in the images of --images: a CSV of file, left, top, right, bottom and perhaps class, a COCO file, or a folder of masks; "
    "--json and .npz then say whether the maps point at them"
)
OUT_HELP = "The file to write: .png, .svg, or .npz with the arrays; may be given several times"


def command(
    records: Annotated[list[str], typer.Argument(metavar="RECORD...", help=RECORD_HELP)],
    out: Annotated[list[Path], typer.Option("--out", help=OUT_HELP)],
    images: Annotated[
        Path | None, typer.Option("--images", help="A folder of image files; folders called as classes tell the truth")
    ] = None,
    boxes: Annotated[Path | None, typer.Option("--boxes", help=BOXES_HELP)] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Take images of this set's test split, evenly over its classes")] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=1000, help="How many images")] = 16,
    method: Annotated[str, typer.Option("--method", help=METHOD_HELP)] = "gradcam",
    of: Annotated[str, typer.Option("--class", help="Whose maps: predicted, truth, or a class by its name")] = "predicted",
    layer: Annotated[str | None, typer.Option("--layer", help="The layer to explain  [default: the last with more than one place]")] = None,
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Where data sets are looked for")] = Settings.data_dir,
    download: Annotated[bool, typer.Option("--download", help="Fetch the data set if it is not there")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")] = Settings.device,
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Draw class activation maps of trained networks on a few images, or keep them as arrays."""
    from archbench import api
    from archbench.cli import progress as shown
    from archbench.cli import view
    from archbench.publish import sheet

    for path in out:
        sheet.check(path)
    settings = {"dataset": dataset, "data_dir": data_dir, "download": download, "device": device, "results": results}
    with view.kept_clean(), shown.Progress(quiet) as progress:
        explained = api.explain(
            *records, method=method, of=of, n=n, layer=layer, images=images, boxes=boxes, emit=progress.listen, **settings
        )
        for path in out:
            sheet.save(explained, path)
    if json:
        view.print_json(explained.rows())
    if not quiet:
        drawn = f"{len(explained.images)} images, {len(explained.columns)} Record{'s' * (len(explained.columns) != 1)}, {method}"
        view.say(f"written: {', '.join(map(str, out))} ({drawn})")

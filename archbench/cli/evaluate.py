"""`archbench evaluate`: the kept weights of a training on another data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from archbench.cli.options import Request, takes
from archbench.config import Settings

if TYPE_CHECKING:
    from archbench.records.schema import Record

TAKEN = (
    "dataset",
    "data_dir",
    "download",
    "skip_broken",
    "images_from",
    "memory_limit",
    "image_size",
    "batch_size",
    "device",
    "precision",
    "results",
    "tag",
    "rerun",
)
RECORD = Annotated[str, typer.Argument(metavar="RECORD", help="The Record of a training, by its id or the beginning of it")]
SHOWN = {
    "test_error_pct": "test error, %",
    "test_top5_error_pct": "top-5 error, %",
    "test_nll": "negative log-likelihood",
    "test_calibration_error_pct": "calibration error, %",
}


@takes(TAKEN, record=RECORD)
def command(request: Request) -> None:
    """Test the kept weights of a training on another data set's test split, whose classes must be the same."""
    settings = Settings.of(**request.settings)

    from archbench import running
    from archbench.cli import progress as shown
    from archbench.cli import view

    with view.kept_clean(), shown.Progress(request.quiet) as progress:
        tested = running.tested(request.more["record"], settings, progress.listen)
    (record,) = tested.records
    told = {"weights": record.config["weights"], **{name: _value(record, name) for name in SHOWN}}
    view.print_of_weights(record, told, _columns, settings.results, request.json, request.quiet)


def _value(record: Record, name: str) -> float | None:
    row = record.measurement(name)
    return row.value if row is not None else None


def _columns(record: Record) -> dict[str, list[str]]:
    """A row a measurement, with its interval where it has one."""
    rows = [(label, record.measurement(name)) for name, label in SHOWN.items()]
    found = [(label, row) for label, row in rows if row is not None and row.value is not None]
    return {
        "measurement": [label for label, _ in found],
        "value": [f"{row.value:.3f}" for _, row in found],
        "interval": ["" if row.low is None else f"{row.low:.3f}–{row.high:.3f}" for _, row in found],
        "images": [str(row.n) for _, row in found],
        "by": [row.method for _, row in found],
    }

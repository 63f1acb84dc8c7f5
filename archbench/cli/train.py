"""`archbench train`: train without profiling."""

from __future__ import annotations

from archbench.cli.execute import execute
from archbench.cli.options import DATA, DRY_RUN, EXPERIMENT, MODEL, TRAINING, Request, takes


@takes([*EXPERIMENT, *MODEL, *DATA, *TRAINING], dry_run=DRY_RUN)
def command(request: Request) -> None:
    """Train models on one data set."""
    execute(request, ("train",))

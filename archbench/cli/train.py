"""`archbench train`: train without profiling."""

from __future__ import annotations

from archbench.cli.execute import execute
from archbench.cli.options import DATA, MODEL, TRAINING, Request, takes


@takes([*MODEL, *DATA, *TRAINING])
def command(request: Request) -> None:
    """Train models on one data set."""
    execute(request, ("train",))

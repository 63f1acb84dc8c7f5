"""`archbench run`: train and profile."""

from __future__ import annotations

from archbench.cli.execute import execute
from archbench.cli.options import DATA, DRY_RUN, EXPERIMENT, MODEL, PROFILING, TRAINING, Request, takes


@takes([*EXPERIMENT, *MODEL, *DATA, *TRAINING, *PROFILING], dry_run=DRY_RUN)
def command(request: Request) -> None:
    """Train and profile models on one data set, and compare them in a table."""
    execute(request, ("train", "profile"))

"""`archbench run`: train and profile."""

from __future__ import annotations

from archbench.cli.execute import execute
from archbench.cli.options import DATA, MODEL, PROFILING, TRAINING, Request, takes


@takes([*MODEL, *DATA, *TRAINING, *PROFILING])
def command(request: Request) -> None:
    """Train and profile models on one data set, and compare them in a table."""
    execute(request, ("train", "profile"))

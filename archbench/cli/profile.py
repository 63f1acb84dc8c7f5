"""`archbench profile`: measure without training."""

from __future__ import annotations

from archbench.cli.execute import execute
from archbench.cli.options import DRY_RUN, MODEL, PROFILING, Request, takes


@takes([*MODEL, *PROFILING], dry_run=DRY_RUN)
def command(request: Request) -> None:
    """Count parameters and MACs, and time and weigh models; on their own input unless --dataset is given."""
    execute(request, ("profile",))

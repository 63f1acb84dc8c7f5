"""`archbench verify`: recompute what Records tell."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from archbench.cli.options import JSON, QUIET
from archbench.config import DEFAULT_DATA_DIR, Settings, expanded

NAMED_HELP = "Records: ids or their beginnings, files, results folders, or bundles"
RERUN_HELP = "Train or profile each again in a temporary folder, and say whether it lies as near as chance allows"
MOST_REASONS = 8  # why something cannot be checked
DATASET_HELP = "With --rerun, the folder of a Record's images, which it does not tell: NAME=imagefolder:DIR"


def command(
    named: Annotated[list[str], typer.Argument(metavar="RECORD|DIR|ZIP...", help=NAMED_HELP)],
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    rerun: Annotated[bool, typer.Option("--rerun", help=RERUN_HELP)] = False,
    dataset: Annotated[str | None, typer.Option("--dataset", help=DATASET_HELP)] = None,
    data_dir: Annotated[Path, typer.Option("--data-dir", help="With --rerun, where data sets lie")] = DEFAULT_DATA_DIR,
    failures: Annotated[bool, typer.Option("--failures", help="Show only what differs, and why the rest cannot be checked")] = False,
    json: JSON = False,
    quiet: QUIET = False,
) -> None:
    """Recompute what Records tell and needs no training: ids, hashes and sizes of files, statistics, counts, the tables of a folder.

    A line a check: ok, differs, or cannot be checked and why. Exit status 1 where something differs. With --rerun the two test errors
    of a training must lie in each other's reach (Newcombe's 95 % interval of their difference holds 0; every prediction is the same where
    both are deterministic on one machine), the latencies of a profile must not be called different by archbench compare.
    """
    import dataclasses

    from archbench.cli import progress as shown
    from archbench.cli import view
    from archbench.errors import ArchbenchError
    from archbench.evidence import verified
    from archbench.verifying import CANNOT, DIFFERS, OK, Check, summary

    if dataset is not None and not rerun:
        raise ArchbenchError("--dataset names the images of a training that --rerun makes again")
    found: list[Check] = []
    left_out = (OK, CANNOT) if failures else ()
    with shown.Progress(quiet) as progress:
        checks = verified(named, expanded(results), rerun, dataset, expanded(data_dir), progress.listen)
        while True:
            with view.kept_clean():  # a network may print while it is counted or trained
                check = next(checks, None)
            if check is None:
                break
            found.append(check)
            if not json and check.status not in left_out:
                view.print_line(check.line)
    if json:
        view.print_json([dataclasses.asdict(each) for each in found if each.status not in left_out])
    counted = ", ".join(f"{number} {status}" for status, number in summary(found).items())
    if not quiet:
        view.say(f"{len(found)} checks: {counted}")
        for why, number in Counter(check.why for check in found if failures and check.status == CANNOT).most_common(MOST_REASONS):
            view.say(f"cannot be checked, {number}: {why}")
    if any(each.status == DIFFERS for each in found):
        raise typer.Exit(1)

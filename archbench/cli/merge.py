"""`archbench merge`: join results folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbench.cli.options import JSON
from archbench.config import expanded

if TYPE_CHECKING:
    from archbench.records.merging import Merged


def command(
    stores: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Results folders to join; they stay as they are")],
    into: Annotated[Path, typer.Option("--into", help="Results folder that takes what they hold; made where there is none")],
    json: JSON = False,
) -> None:
    """Join results folders, as those of the parts that --shard cuts: Records, the files beside them, and tags.

    The same Record in several is taken once; other runs of one key are all kept; two files that say they are one Record and differ are
    refused, and nothing is written. Again, the same command changes nothing. What is damaged is named and left (exit status 1), and
    checkpoints, studies of searches and curves of trackers stay where they are.
    """
    import dataclasses
    import sys

    from archbench.records.merging import merge

    merged = merge(map(expanded, stores), expanded(into))

    from archbench.cli import view

    if json:
        view.print_json(dataclasses.asdict(merged))
    else:
        view.say(said(into, merged))
        for line in merged.left:
            view.say(line)
    for problem in merged.problems:
        print(f"archbench: {' '.join(problem.split())}", file=sys.stderr)
    if merged.problems:
        raise typer.Exit(1)


def said(into: Path, merged: Merged) -> str:
    """`all: 2 Records and 2 files added, 1 Record there already`."""
    records, files = (f"{count} {name}{'s' * (count != 1)}" for count, name in ((merged.added, "Record"), (merged.files, "file")))
    return f"{into}: {records} and {files} added, {merged.there} Record{'s' * (merged.there != 1)} there already"

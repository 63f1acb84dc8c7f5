"""`archbench import`: benchmarks that pytest-benchmark timed become Records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archbench.cli.options import JSON
from archbench.config import Settings

if TYPE_CHECKING:
    from archbench.importing import Imported


def command(
    file: Annotated[Path, typer.Argument(help="What pytest --benchmark-json=FILE or --benchmark-save wrote")],
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    json: JSON = False,
) -> None:
    """Take the benchmarks of a pytest-benchmark file into the results folder."""
    from archbench.api import import_benchmarks
    from archbench.cli import view
    from archbench.publish.results import tables

    taken = import_benchmarks(file, results=results)
    if json:
        view.print_json(_rows(taken))
    else:
        view.print_tables(tables([*taken.new, *taken.known]))
    view.say(f"imported into {results}: {len(taken.new)}{f' · already there and skipped: {len(taken.known)}' if taken.known else ''}")
    view.report_problems(taken.problems)


def _rows(taken: Imported) -> list[dict[str, Any]]:
    """What `--json` gives: an object a Record, and whether it is new."""
    fields = {"id", "created", "measurements"}
    whole = [(record, is_new) for records, is_new in ((taken.new, True), (taken.known, False)) for record in records]
    return [{"name": record.model.label, "new": is_new, **record.model_dump(include=fields)} for record, is_new in whole]

"""`archbench import`: benchmarks that pytest-benchmark timed become Records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from archbench.cli.options import JSON
from archbench.config import Settings, expanded


def command(
    file: Annotated[Path, typer.Argument(help="What pytest --benchmark-json=FILE or --benchmark-save wrote")],
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    json: JSON = False,
) -> None:
    """Take the benchmarks of a pytest-benchmark file into the results folder."""
    from archbench.cli import view
    from archbench.importing import Imported, import_file
    from archbench.publish.results import tables
    from archbench.records.store import Store

    def rows(taken: Imported) -> list[dict[str, Any]]:
        fields = {"id", "created", "measurements"}
        whole = [(record, is_new) for records, is_new in ((taken.new, True), (taken.known, False)) for record in records]
        return [{"name": record.model.label, "new": is_new, **record.model_dump(include=fields)} for record, is_new in whole]

    taken = import_file(expanded(file), Store(expanded(results)))
    if json:
        view.print_json(rows(taken))
    else:
        view.print_tables(tables([*taken.new, *taken.known]))
    view.say(f"imported into {results}: {len(taken.new)}{f' · already there and skipped: {len(taken.known)}' if taken.known else ''}")
    view.report_problems(taken.problems)

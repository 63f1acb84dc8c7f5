"""`archbench import`: the Records of a bundle, or benchmarks that pytest-benchmark timed, come into a results folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archbench.cli.options import JSON
from archbench.config import Settings, expanded

if TYPE_CHECKING:
    from archbench.importing import Imported

FILE_HELP = "What archbench bundle wrote, or pytest --benchmark-json=FILE or --benchmark-save"
ZIP = b"PK"  # how a zip archive begins


def command(
    file: Annotated[Path, typer.Argument(help=FILE_HELP)],
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    json: JSON = False,
) -> None:
    """Take a bundle, or the benchmarks of a pytest-benchmark file, into the results folder.

    A bundle is joined as archbench merge joins folders. One that is damaged, altered, larger unpacked than 16 GiB, or with names that lead
    out of it is refused, and nothing is written.
    """
    from archbench.cli import view

    if _is_bundle(expanded(file)):
        _take(file, results, json)
        return

    from archbench.api import import_benchmarks
    from archbench.publish.results import tables

    taken = import_benchmarks(file, results=results)
    if json:
        view.print_json(_rows(taken))
    else:
        view.print_tables(tables([*taken.new, *taken.known]))
    view.say(f"imported into {results}: {len(taken.new)}{f' · already there and skipped: {len(taken.known)}' if taken.known else ''}")
    view.report_problems(taken.problems)


def _is_bundle(file: Path) -> bool:
    """Whether a file is meant as a zip archive, be it whole or not."""
    if file.suffix.lower() == ".zip" or not file.is_file():
        return file.suffix.lower() == ".zip"
    with file.open("rb") as content:
        return content.read(len(ZIP)) == ZIP


def _take(file: Path, results: Path, json: bool) -> None:
    """Take a bundle, and say what came of it as `archbench merge` does."""
    import dataclasses

    from archbench.cli import view
    from archbench.cli.merge import said
    from archbench.evidence import import_bundle

    merged = import_bundle(file, results=results)
    if json:
        view.print_json(dataclasses.asdict(merged))
    else:
        view.say(said(results, merged))
    view.report_problems(merged.problems)


def _rows(taken: Imported) -> list[dict[str, Any]]:
    """What `--json` gives: an object a Record, and whether it is new."""
    fields = {"id", "created", "measurements"}
    whole = [(record, is_new) for records, is_new in ((taken.new, True), (taken.known, False)) for record in records]
    return [{"name": record.model.label, "new": is_new, **record.model_dump(include=fields)} for record, is_new in whole]

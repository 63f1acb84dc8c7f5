"""`archbench tables`: tables from the Records of a results folder."""

from __future__ import annotations

import fnmatch
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbench.config import Settings, expanded, split_names
from archbench.errors import ArchbenchError

if TYPE_CHECKING:
    from archbench.records.schema import Record


class Format(StrEnum):
    """How a table is written."""

    terminal = "terminal"
    md = "md"
    csv = "csv"


def command(
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    models: Annotated[str, typer.Option("--models", help="Only these: names or globs as they stand in the table, with commas")] = "*",
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only trainings on this data set, and profiles")] = None,
    form: Annotated[Format, typer.Option("--format", help="How the tables are written")] = Format.terminal,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write results.md and results.csv to")] = None,
    json: Annotated[bool, typer.Option("--json", help="The rows as JSON on stdout")] = False,
) -> None:
    """Make the results table from Records, without torch."""
    from archbench.cli import view
    from archbench.publish import formats
    from archbench.publish.results import frame, tables
    from archbench.records.store import Store, write_atomically

    results = expanded(results)
    if not results.is_dir():
        raise ArchbenchError(f"there is no results folder {results}; archbench run makes one, --results looks elsewhere")
    stored, problems = Store(results).load()
    records = [record for record in stored if _wanted(record, split_names(models), dataset)]
    made = tables(records)
    if out is not None:
        texts = {"results.md": formats.markdown(made), "results.csv": formats.csv(frame(records))}
        for name, text in texts.items():
            write_atomically(out / name, lambda file, text=text: file.write(text.encode()))  # type: ignore[misc]
        view.say(f"written: {', '.join(str(out / name) for name in texts)}")
    elif json:
        view.print_json(view.rows(records))
    elif not made:
        view.say(f"no finished run {'of these ' if stored else ''}in {results} yet")
    elif form is Format.terminal:
        view.print_tables(made)
    else:
        print(formats.markdown(made) if form is Format.md else formats.csv(frame(records)), end="")
    view.report_problems(problems)


def _wanted(record: Record, models: tuple[str, ...], dataset: str | None) -> bool:
    """Whether a Record is asked for by the model's label or name, and by its data set where it has one."""
    data = record.config.get("data")
    named = any(fnmatch.fnmatchcase(name, pattern) for pattern in models for name in (record.model.label, record.model.name))
    return named and (dataset is None or data is None or data["name"] == dataset)

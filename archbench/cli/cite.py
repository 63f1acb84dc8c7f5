"""`archbench cite`: how Records, or the table that they make, are cited."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archbench.cli.options import CONDITION_OF, DATASET_OF, MODELS_OF
from archbench.cli.tables import PAGES_HELP
from archbench.config import Settings, expanded

NAMED_HELP = f"Records: ids or their beginnings, files, results folders; or tables: {PAGES_HELP}"


class Format(StrEnum):
    """How a citation is written."""

    text = "text"
    markdown = "markdown"
    bibtex = "bibtex"
    ris = "ris"


def command(
    named: Annotated[list[str], typer.Argument(metavar="RECORD|TABLE...", help=NAMED_HELP)],
    form: Annotated[Format, typer.Option("--format", help="How the citation is written")] = Format.text,
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    models: MODELS_OF = "*",
    dataset: DATASET_OF = None,
    condition: CONDITION_OF = "",
    out: Annotated[Path | None, typer.Option("--out", help="File to write it to")] = None,
) -> None:
    """Cite Records or a table: entries for archbench and the papers, methods, the command that makes them again, and hashes."""
    from archbench.evidence import cite
    from archbench.publish.writing import place

    if out is not None:
        place.check(expanded(out), b"archbench", "citation")
    text = cite(*named, form=form.value, results=results, models=models, dataset=dataset, condition=condition)
    if out is None:
        print(text, end="")
        return

    from archbench.cli import view
    from archbench.records.store import write_atomically

    write_atomically(expanded(out), lambda file: file.write(text.encode()))
    view.say(f"written: {out}")

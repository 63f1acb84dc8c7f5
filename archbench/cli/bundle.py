"""`archbench bundle`: Records with what belongs to them in one archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archbench.cli.options import CONDITION_OF, DATASET_OF, JSON, MODELS_OF
from archbench.config import Settings

NAMED_HELP = "Records or tables, named as in archbench cite"
WHERE_HELP = "The Records that this is true of, as in archbench runs --where"
LICENCE_HELP = "What the Records are licensed under, for their readers: a name as CC-BY-4.0, or a web address"


def command(
    out: Annotated[Path, typer.Option("--out", help="The archive to write, FILE.zip")],
    named: Annotated[list[str] | None, typer.Argument(metavar="[RECORD|TABLE]...", help=NAMED_HELP)] = None,
    where: Annotated[str | None, typer.Option("--where", help=WHERE_HELP)] = None,
    models: MODELS_OF = "*",
    dataset: DATASET_OF = None,
    condition: CONDITION_OF = "",
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    licence: Annotated[str | None, typer.Option("--licence", help=LICENCE_HELP)] = None,
    json: JSON = False,
) -> None:
    """Pack Records, predictions, tables, figures and methods into one archive, as RO-Crate; archbench import takes it into another store.

    Unpacked it is a results folder. The same Records give the same bytes with the same matplotlib; weights stay behind.
    """
    import dataclasses

    from archbench.cli import view
    from archbench.evidence import bundle

    packed = bundle(
        *(named or []), out=out, results=results, where=where, models=models, dataset=dataset, condition=condition, licence=licence
    )
    if json:
        view.print_json(dataclasses.asdict(packed))
    else:
        records, files = (
            f"{count} {name}{'s' * (count != 1)}" for count, name in ((packed.records, "Record"), (packed.predictions, "file"))
        )
        drawn = f"; figures: {', '.join(packed.figures)}" if packed.figures else ""
        view.say(f"{out}: {records}, {files} of predictions, tables: {', '.join(packed.tables) or 'none'}{drawn}")
    view.report_problems(packed.problems)

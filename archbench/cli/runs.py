"""`archbench runs`: find Records and mark them; list checkpoints and remove those that nobody needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archbench.cli.options import JSON
from archbench.config import INDEX, Settings, expanded, split_names
from archbench.errors import ArchbenchError, harmless

if TYPE_CHECKING:
    from archbench.records.checkpoints import Kept
    from archbench.records.listed import Listed
    from archbench.records.store import Store

WHERE = """Only these, as 'model=nin* and (dataset=digits or error<20) and not tag=old'; the fields are id, when, model, kind, dataset,
recipe, epochs, batch, seed, precision, device, status, error (percent) and tag"""

PRUNE = "Remove checkpoints of finished runs, those untouched for 30 days, and predictions and weights a day old that no Record names"


def command(
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    where: Annotated[str | None, typer.Option("--where", help=WHERE.replace("\n", " "))] = None,
    tag: Annotated[str, typer.Option("--tag", help="Mark those that --where finds; several with commas", show_default=False)] = "",
    untag: Annotated[str, typer.Option("--untag", help="Take such marks away", show_default=False)] = "",
    checkpoints: Annotated[bool, typer.Option("--checkpoints", help="List the checkpoints of interrupted trainings instead")] = False,
    prune: Annotated[bool, typer.Option("--prune", help=PRUNE)] = False,
    json: JSON = False,
) -> None:
    """List Records and mark them with tags; list and prune checkpoints."""
    from archbench.cli import view
    from archbench.records import index, tags
    from archbench.records.listed import listed
    from archbench.records.store import Store

    added, removed = tags.checked(split_names(tag)), tags.checked(split_names(untag))
    if (added or removed) and where is None:
        raise ArchbenchError("--tag and --untag mark what --where finds; --where 'id=*' finds all")
    if (checkpoints or prune) and (where is not None):
        raise ArchbenchError("--where finds Records, and checkpoints have none; leave it out")
    store = Store.of(expanded(results))
    if checkpoints or prune:
        _show_checkpoints(store, prune, json)
        return
    records, problems = index.load(store, INDEX)
    found = listed(store, records, where)
    if added or removed:
        tags.change(store, [record.id for record in found.records], added, removed)
        view.say(f"{len(found.records)} Record{'s' * (len(found.records) != 1)} marked")
        found = listed(store, records, where)
    _show(found, store, json)
    view.report_problems(problems)


def _show(found: Listed, store: Store, json: bool) -> None:
    """Records, oldest first: the fields of `--where`, in the terminal those that tell them apart."""
    from archbench.cli import view
    from archbench.records.where import FIELDS

    rows = [{name: get(record, found.tags) for name, get in FIELDS.items()} for record in found.records]
    if json:
        view.print_json([{**row, "tag": list(found.tags.get(record.id, ()))} for row, record in zip(rows, found.records, strict=True)])
        return
    if not rows:
        view.say(f"no such Records in {store.root}")
        return
    shown = ("id", "when", "model", "kind", "dataset", "recipe", "seed", "status", "error", "tag")
    columns = {name: [_cell(name, row[name]) for row in rows] for name in shown}
    used = {name: cells for name, cells in columns.items() if any(cells)}
    view.print_table(view.columns_table(used, whole="id", yielding=("model", "dataset", "recipe", "tag")))


def _cell(name: str, value: object) -> str:
    if name == "when":
        return harmless(str(value)[: len("2026-01-01")])
    if isinstance(value, float):
        return f"{value:.2f}"
    return harmless(" ".join(value)) if isinstance(value, tuple) else "" if value is None else harmless(str(value))


def _show_checkpoints(store: Store, prune: bool, json: bool) -> None:
    """What there is, or what of it was removed."""
    from datetime import UTC, datetime

    from archbench.cli import view
    from archbench.records import checkpoints

    records, problems = store.load()
    if problems and prune:
        raise ArchbenchError(f"nothing is removed while a Record cannot be read: {problems[0]}")
    work = checkpoints.prune if prune else checkpoints.kept
    found = work(store, records, datetime.now(UTC))
    if json:
        view.print_json([_plain(each) for each in found])
    elif found:
        columns = {name: [str(_plain(each)[name]) for each in found] for name in ("key", "written", "bytes", "state")}
        view.print_table(view.columns_table(columns, whole="key"))
    if prune or not found:
        others = sum(each.path.is_relative_to(store.root / "files") for each in found)
        checkpoint = len(found) - others
        and_others = f" and the files of {others} run{'s' * (others != 1)} without a Record" * bool(others)
        view.say(f"{checkpoint} checkpoint{'s' * (checkpoint != 1)}{and_others} {'removed' if prune else 'there'}")
    view.report_problems(problems)


def _plain(each: Kept) -> dict[str, object]:
    return {"key": each.key, "written": each.written.isoformat(timespec="seconds"), "bytes": each.bytes, "state": each.state}

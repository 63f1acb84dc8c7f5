"""What `run`, `train` and `profile` share: say what will be done, show it being done, show what came of it."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from archbench.cli.options import Request
from archbench.config import Settings, expanded

if TYPE_CHECKING:
    from archbench.experiments.definition import Grid
    from archbench.plan import Plan
    from archbench.records.schema import Record
    from archbench.running import Asked


def execute(request: Request, kinds: tuple[str, ...]) -> None:
    """Carry out a request, or with `--dry-run` show its plan; exit status 1 when a run failed."""
    from archbench import running
    from archbench.cli import view

    with view.kept_clean():
        asked = running.asked(request.settings, request.given)

    from archbench.cli import progress as shown
    from archbench.publish.results import tables
    from archbench.publish.writing import rows
    from archbench.records.store import Store

    settings = asked.settings
    if request.more.get("dry_run"):
        _show_plan(asked, request, kinds)
        return

    def announce(plan: Plan) -> None:
        for line in shown.announcement(plan, settings):
            view.say(line)
        progress.expect({job.label: seconds for job, seconds in zip(plan.jobs, plan.seconds, strict=True)})

    with view.kept_clean(), shown.Progress(request.quiet) as progress:
        signal.signal(signal.SIGTERM, progress.end)
        executed = running.execute(asked, kinds, progress.listen, announce if not request.quiet else None)
    if asked.grid is not None:
        _show_answers(asked.grid, executed.records, settings, request.json)
    elif request.json:
        view.print_json(rows.of_results(executed.records))
    else:
        view.print_tables(tables(executed.records))
    view.say_failures(executed.failed)
    for reason in executed.refused:
        view.say(reason)
    if not request.quiet:
        view.say(f"Records: {settings.results / 'runs'} · archbench tables --results {settings.results} shows all of them")
    view.report_problems(Store(settings.results).load()[1])
    if executed.failed or executed.refused:
        raise typer.Exit(1)


def _show_answers(grid: Grid, records: Sequence[Record], settings: Settings, json: bool) -> None:
    """The page of an experiment, from the Records of this run; their figures alone where there is nothing to compare."""
    from archbench.cli import view
    from archbench.publish.pages import experiment_page, said_once
    from archbench.publish.predictions import Kept
    from archbench.publish.results import tables
    from archbench.publish.writing import rows

    page = experiment_page(grid, records, Kept(expanded(settings.results)))
    if json:
        view.print_json(rows.of_frame(page.frame))
    elif not page.tables:
        view.print_tables(tables(records))
        view.say(f"no question of {grid.experiment.name} has runs on both sides yet")
    else:
        view.print_tables(said_once([page])[0].tables)
        view.print_readings(page.readings)


def _show_plan(asked: Asked, request: Request, kinds: tuple[str, ...]) -> None:
    """What would be run, a row a group of runs that differ in the seed alone, and what all of it takes."""
    from archbench import estimate, running
    from archbench.cli import plan_view, view
    from archbench.cli import progress as shown

    with view.kept_clean(), shown.Progress(request.quiet) as progress:
        plan = running.dry(asked, kinds, progress.listen)
        rows = estimate.planned(plan)
    if request.json:
        view.print_json([dataclasses.asdict(row) for row in rows])
    else:
        view.print_table(view.columns_table(plan_view.columns(rows), yielding=("model",)))
    if not request.quiet:
        view.say(plan_view.summary(rows, asked.settings))
    for reason in plan.refused:
        view.say(reason)
    if plan.refused:
        raise typer.Exit(1)

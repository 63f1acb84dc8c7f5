"""What `run`, `train` and `profile` share: say what will be done, show it being done, show what came of it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import typer

from archbench.cli.options import Request
from archbench.config import Settings

if TYPE_CHECKING:
    from archbench.plan import Plan


def execute(request: Request, kinds: tuple[str, ...]) -> None:
    """Carry out a request; exit status 1 when a run failed."""
    settings = Settings.of(**request.settings)

    from archbench import running
    from archbench.cli import progress as shown
    from archbench.cli import view
    from archbench.publish.results import tables
    from archbench.records.store import Store

    def announce(plan: Plan) -> None:
        for line in shown.announcement(plan, settings):
            view.say(line)
        progress.expect({job.label: seconds for job, seconds in zip(plan.jobs, plan.seconds, strict=True)})

    with view.kept_clean(), shown.Progress(request.quiet) as progress:
        signal.signal(signal.SIGTERM, progress.end)
        executed = running.execute(settings, kinds, progress.listen, announce if not request.quiet else None)
    if request.json:
        view.print_json(view.rows(executed.records))
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

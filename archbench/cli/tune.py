"""`archbench tune`: search learning rate and weight decay of each model."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from archbench.cli.options import DATA, MODEL, TUNING, Request, takes
from archbench.config import Settings

if TYPE_CHECKING:
    from archbench.plan import Plan
    from archbench.studies import Found

NOT_OF_A_RUN = ("trials", "span", "val_fraction", "rerun", "download")  # settings


@takes({*MODEL, *DATA, *TUNING} - {"tag"})  # a search leaves no Record to mark
def command(request: Request) -> None:
    """Search each model's learning rate and weight decay, the same budget for each, on held-out training images.

    The first trial has the recipe's own values. The test split is not read. A tenth of the training images is held out unless
    --val-fraction says otherwise. `archbench run --tuned` then trains with what was found.
    """
    settings = Settings.of(**request.settings)

    from archbench import running
    from archbench.cli import progress as shown
    from archbench.cli import view

    def announce(plan: Plan) -> None:
        for line in _announcement(plan, settings):
            view.say(line)

    with view.kept_clean(), shown.Progress(request.quiet) as progress:
        signal.signal(signal.SIGTERM, progress.end)
        tuned = running.search(settings, progress.listen, announce if not request.quiet else None)
    if request.json:
        view.print_json([dataclasses.asdict(found) for found in tuned.found])
    else:
        view.print_table(view.columns_table(_columns(tuned.found)))
    empty = [found.model for found in tuned.found if found.val_error_pct is None]
    for reason in (*tuned.refused, *(f"{model}: no trial ended with a validation error" for model in empty)):
        view.say(reason)
    if not request.quiet and len(empty) < len(tuned.found):
        usable = tuple(found.model for found in tuned.found if found.model not in empty)
        asked = dataclasses.replace(settings, models=usable, tuned=True)
        view.say(f"train with these values: {asked.command('run', NOT_OF_A_RUN)}")
    if tuned.refused or empty:
        raise typer.Exit(1)


def _announcement(plan: Plan, settings: Settings) -> list[str]:
    """What a search is about to do, and how long it may take."""
    from archbench.cli.live import duration_text

    job = plan.jobs[0]
    assert job.training is not None and job.data is not None
    epochs = f"{job.training.epochs} epoch{'s' * (job.training.epochs != 1)}"
    models = f"{len(plan.jobs)} model{'s' * (len(plan.jobs) != 1)}"
    return [
        f"{job.data.name}: {job.data.train_images:,} training and {job.data.test_images:,} validation images · "
        f"recipe {job.training.name}, {epochs}, batch {job.batch}, {job.plan.precision} on {job.device.name}",
        f"to do: {settings.trials} trial{'s' * (settings.trials != 1)} of {models}, less those that are there, "
        f"at most about {duration_text(plan.estimate_s)}; rate and decay from 1/{settings.span:g} to {settings.span:g} times the recipe's",
    ]


def _columns(found: Sequence[Found]) -> dict[str, list[str]]:
    """The table of what was found, a column under each header."""
    return {
        "model": [each.model for each in found],
        "trials": [str(each.trials) for each in found],
        "pruned": [str(each.pruned) for each in found],
        "failed": [str(each.failed) for each in found],
        "recipe's error, %": [_percent(each.recipe_error_pct) for each in found],
        "best error, %": [_percent(each.val_error_pct) for each in found],
        "lr": [_value(each, "lr") for each in found],
        "weight, decay": [_value(each, "weight_decay") for each in found],
    }


def _percent(error_pct: float | None) -> str:
    return "–" if error_pct is None else f"{error_pct:.2f}"


def _value(found: Found, name: str) -> str:
    return f"{found.values[name]:.3g}" if name in found.values else "–"

"""What a run says and shows while it works: what it will do, and what it does."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.text import Text

from archbench.cli.live import LiveView, duration_text, input_text
from archbench.cli.time_left import TimeLeft
from archbench.cli.view import err
from archbench.config import Settings
from archbench.errors import Terminated
from archbench.events import Epoch, Event, Finished, Notice, Started

if TYPE_CHECKING:
    from archbench.plan import Plan


class Progress:
    """Listens to events: the live view on a terminal, a line an epoch elsewhere, nothing when quiet. A line for each Record on both."""

    def __init__(self, quiet: bool, console: Console = err) -> None:
        self.quiet, self.console = quiet, console
        shows = not quiet and console.is_terminal and not console.is_dumb_terminal
        self.view = LiveView(console) if shows else None
        self.must_end = self.has_begun = False

    def __enter__(self) -> Self:
        if self.view is not None:
            self.view.live.start()
        return self

    def __exit__(self, *details: object) -> None:
        if self.view is not None:
            with contextlib.suppress(OSError):  # the terminal is gone
                self.view.live.stop()

    def expect(self, planned_s: Mapping[str, float]) -> None:
        """Count on these jobs, each with the seconds that it is planned to take."""
        if self.view is not None:
            self.view.time_left = TimeLeft(planned_s)

    def listen(self, event: Event) -> None:
        """Show an event; a log that nobody reads any more ends no run. Raises Terminated where the process was asked to end."""
        if self.must_end:
            raise Terminated
        self.has_begun = self.has_begun or isinstance(event, Started)
        if self.quiet:
            return
        try:
            self._show(event)
        except OSError:
            self.quiet = True

    def end(self, signal_number: int, _: object) -> None:
        """Handle SIGTERM: let the next event end the run, and a second signal the process. Before any job has begun, end at once."""
        self.must_end = True
        signal.signal(signal_number, signal.SIG_DFL)
        if not self.has_begun:
            raise Terminated

    def _show(self, event: Event) -> None:
        if self.view is not None:
            self.view.follow(event)
        match event:
            case Notice(message):
                self._line(message)
            case Epoch() if self.view is None:
                self._epoch(event)
            case Finished(job, _, record, duration, summary):
                self._line(f"{job}: {summary} ({duration_text(duration)}){f' · Record {record}' if record else ''}")

    def _epoch(self, event: Epoch) -> None:
        error = "" if event.val_error_pct is None else f" · validation error {event.val_error_pct:.2f} %"
        rate = f"{event.images_per_s:,.0f} images/s{f' ({input_text(event.input)})' if event.input else ''}"
        self._line(f"{event.job}: epoch {event.epoch}/{event.epochs} · loss {event.loss:.3f}{error} · {rate}")

    def _line(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


def announcement(plan: Plan, settings: Settings) -> list[str]:
    """What a run is about to do, and about how long it will take."""
    trainings = sum(job.kind == "train" for job in plan.jobs)
    tests = sum(job.kind == "imported" for job in plan.jobs)
    explained = sum(job.kind == "explain" for job in plan.jobs) + len(plan.to_follow)
    profiles = sum(job.kind == "profile" for job in plan.jobs)
    parts = [f"{trainings} training{'s' * (trainings != 1)}"] * bool(trainings)
    parts += [f"{tests} test{'s' * (tests != 1)} of published weights"] * bool(tests)
    parts += [f"{explained} score{'s' * (explained != 1)} of maps"] * bool(explained)
    parts += [f"{profiles} profile{'s' * (profiles != 1)}"] * bool(profiles)
    lines = []
    if plan.done:
        labels = ", ".join(dict.fromkeys(f"{record.model.label} ({record.kind})" for record in plan.done))
        lines.append(f"already there and skipped (--rerun runs them again): {labels}")
    for job in plan.jobs[:1]:
        if job.training is not None and job.data is not None:
            epochs = f"{job.training.epochs} epoch{'s' * (job.training.epochs != 1)}"
            lines.append(
                f"{job.data.name}: {job.data.train_images:,} training and {job.data.test_images:,} test images · "
                f"recipe {job.training.name}, {epochs}, batch {job.batch}, {job.plan.precision} on {job.device.name}"
            )
    if parts:
        compiling = ", compiling not counted" if settings.compile != "no" else ""
        beside = "" if settings.engine == Settings.engine else ", one after the other"
        lines.append(f"to do: {' and '.join(parts)}, about {duration_text(plan.estimate_s)}{beside}{compiling}")
    return lines

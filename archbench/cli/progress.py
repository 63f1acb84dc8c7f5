"""What a run shows while it works: what it will do, a bar or a line for what it does."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from archbench.cli.view import err
from archbench.config import Settings
from archbench.errors import Terminated
from archbench.events import Epoch, Event, Finished, Loading, Notice, Started, Step

if TYPE_CHECKING:
    from archbench.plan import Plan


class Progress:
    """Listens to events: a bar a job on a terminal, a line an epoch elsewhere, nothing when quiet."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}", markup=False),
            TimeRemainingColumn(),
        )
        self.bars = Bars(*columns, console=err, disable=quiet or not err.is_terminal, transient=True)
        self.tasks: dict[str, TaskID] = {}
        self.must_end = False

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.bars.stop()

    def listen(self, event: Event) -> None:
        """Show an event; a log that nobody reads any more ends no run. Raises Terminated where the process was asked to end."""
        if self.must_end:
            raise Terminated
        try:
            self._show(event)
        except OSError:
            self.quiet = True

    def end(self, signal_number: int, _: object) -> None:
        """Handle SIGTERM: let the next event end the run, and a second signal the process."""
        self.must_end = True
        signal.signal(signal_number, signal.SIG_DFL)

    def _show(self, event: Event) -> None:
        match event:
            case Notice(message):
                self._line(message)
            case Loading(what, done, total):
                self._advance(what, done, total, f"{done:,} of {total:,} images")
            case Started(job, steps, done):
                self._advance(job, done, steps, "")
            case Step(job, done, loss, rate):
                self._advance(job, done, None, "" if loss is None else f"loss {loss:.3f} · {rate:,.0f} images/s")
            case Epoch():
                self._epoch(event)
            case Finished(job, _, record, duration, summary):
                self._close(job)
                self._line(f"{job}: {summary} ({duration_text(duration)}){f' · Record {record}' if record else ''}")

    def _advance(self, name: str, done: int, total: int | None, state: str) -> None:
        if name not in self.tasks:
            self.tasks[name] = self.bars.add_task(name, total=total, state=state)
        self.bars.update(self.tasks[name], completed=done, state=state)
        if total is not None and done == total:
            self._close(name)

    def _close(self, name: str) -> None:
        if name in self.tasks:
            self.bars.remove_task(self.tasks.pop(name))

    def _epoch(self, event: Epoch) -> None:
        error = "" if event.val_error_pct is None else f" · validation error {event.val_error_pct:.2f} %"
        rate = f"{event.images_per_s:,.0f} images/s"
        self._line(f"{event.job}: epoch {event.epoch}/{event.epochs} · loss {event.loss:.3f}{error} · {rate}")

    def _line(self, line: str) -> None:
        if not self.quiet:
            self.bars.console.print(Text(line), soft_wrap=True)


def announcement(plan: Plan, settings: Settings) -> list[str]:
    """What a run is about to do, and about how long it will take."""
    trainings = sum(job.kind == "train" for job in plan.jobs)
    tests = sum(job.kind == "imported" for job in plan.jobs)
    profiles = len(plan.jobs) - trainings - tests
    parts = [f"{trainings} training{'s' * (trainings != 1)}"] * bool(trainings)
    parts += [f"{tests} test{'s' * (tests != 1)} of published weights"] * bool(tests)
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
        compiling = ", compiling not counted" if settings.compile else ""
        lines.append(f"to do: {' and '.join(parts)}, about {duration_text(plan.estimate_s)}{compiling}")
    return lines


def duration_text(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

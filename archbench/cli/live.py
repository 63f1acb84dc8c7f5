"""The live view of a terminal: a bar for each model that runs, and a line about all of them. Drawn for the width and height there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archbench.cli.time_left import TimeLeft
from archbench.events import Epoch, Event, Finished, Input, Loading, Memory, Started, Step

LEAST_S = 0.25  # between two drawings
NARROW, LEAST_BAR = 60, 6  # columns; a narrower terminal has no bars
LONGEST_NAME = 40
SEPARATOR = " · "


@dataclass
class Row:
    """What is known of a job that runs."""

    total: int
    done: int = 0
    unit: str = ""
    epoch: str = ""
    loss: float | None = None
    images_per_s: float | None = None
    input: Input | None = None
    val_error_pct: float | None = None

    def state(self, room: int) -> str:
        """In so many columns: what matters most stays."""
        parts = {
            "epoch": self.epoch,
            "loss": "" if self.loss is None else f"loss {self.loss:.3f}",
            "error": "" if self.val_error_pct is None else f"val. err. {self.val_error_pct:.1f} %",
            "rate": "" if self.images_per_s is None else f"{self.images_per_s:,.0f} images/s",
            "input": "" if self.input is None else input_text(self.input),
            "count": f"{self.done:,} of {self.total:,} {self.unit}" if self.unit else "",
        }
        return fitted(parts, ("count", "loss", "error", "rate", "input", "epoch"), room)


def fitted(parts: dict[str, str], by_weight: tuple[str, ...], room: int) -> str:
    """The parts in their order, without the lightest where they would not fit. The first of `by_weight` weighs most."""
    kept = [name for name in by_weight if parts[name]]
    while True:
        line = SEPARATOR.join(parts[name] for name in parts if name in kept)
        if cell_len(line) <= room or len(kept) <= 1:
            return line
        kept.pop()


def shortened(label: str, room: int) -> str:
    """A job's name in so many columns, its model cut before what tells its jobs apart, as `a_long_na… · seed 3`."""
    model, separator, rest = label.rpartition(SEPARATOR)
    if cell_len(label) <= room or not separator or cell_len(rest) > room // 2:
        return label
    return f"{set_cell_size(model, room - cell_len(separator + rest) - 1).rstrip()}…{separator}{rest}"


class LiveView:
    """Follows events; `time_left` and `jobs`, how many there are, are known once there is a plan."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.clock = console, clock
        self.rows: dict[str, Row] = {}
        self.time_left: TimeLeft | None = None
        self.finished = 0
        self.memory: dict[str, Memory] = {}  # of each job that runs
        self._drawn_s = -LEAST_S
        self.live = Live(get_renderable=self.drawing, console=console, auto_refresh=False, transient=True)

    def follow(self, event: Event) -> None:
        """Take an event in, and draw if it is time."""
        self._take(event)
        now_s = self.clock()
        if now_s - self._drawn_s >= LEAST_S:
            self._drawn_s = now_s
            self.live.refresh()

    def drawing(self) -> RenderableType:
        """All of it, at most as high as the screen."""
        shown, hidden = self._shown()
        lines: list[RenderableType] = [self._bars(shown)] if shown else []
        if hidden:
            lines.append(Text(f"and {hidden} more", style="dim"))
        if summary := self._summary():
            lines.append(summary)
        return Group(*lines)

    def _take(self, event: Event) -> None:
        match event:
            case Loading(what, done, total):
                self.rows[what] = Row(total, done, unit="images")
                if done >= total:
                    del self.rows[what]
            case Started(job, steps, done):
                self.rows[job] = Row(steps, done)
                if self.time_left is not None:
                    self.time_left.started(job, steps, done, self.clock())
            case Step(job, done):
                self._step(event)
                if self.time_left is not None:
                    self.time_left.stepped(job, done)
            case Epoch(job, epoch, epochs) if job in self.rows:
                self.rows[job].epoch = f"epoch {epoch}/{epochs}"
                self.rows[job].val_error_pct = event.val_error_pct
            case Finished(job):
                self.rows.pop(job, None)
                self.memory.pop(job, None)
                self.finished += 1
                if self.time_left is not None:
                    self.time_left.finished(job)

    def _step(self, event: Step) -> None:
        if event.job in self.rows:
            row = self.rows[event.job]
            row.done, row.loss, row.images_per_s, row.input = event.done, event.loss, event.images_per_s, event.input
        if event.memory is not None:
            self.memory[event.job] = event.memory

    def _shown(self) -> tuple[dict[str, Row], int]:
        """Those that fit the screen, the first to have begun, and how many more there are. Two lines are left for what stands below."""
        room = max(self.console.height - 3, 1)
        names = list(self.rows)
        return {name: self.rows[name] for name in names[:room]}, len(names[room:])

    def _bars(self, rows: dict[str, Row]) -> Table:
        width = self.console.width - 1  # a cursor in the last column makes some terminals wrap
        bar = 0 if width < NARROW else max(width // 4 - 14, LEAST_BAR)
        bare = not any(row.state(width) for row in rows.values())  # as profiles are
        name = min(max(map(cell_len, rows)), LONGEST_NAME, width // (2 if bare else 4 if bar else 3))
        state = max(width - name - bar - 4 - (3 if bar else 2), 1)
        table = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        for column in (name, bar, 4, state):
            if column:
                table.add_column(width=column, no_wrap=True, overflow="ellipsis", justify="right" if column == 4 else "left")
        for label, row in rows.items():
            share = row.done / row.total if row.total else 0.0
            cells: list[RenderableType] = [Text(shortened(label, name)), Text(f"{100 * share:.0f}%"), Text(row.state(state))]
            if bar:
                cells.insert(1, ProgressBar(total=max(row.total, 1), completed=row.done, width=bar))
            table.add_row(*cells)
        return table

    def _summary(self) -> Text:
        parts = {"done": "", "left": "", "memory": all_memory_text(self.memory.values())}
        if self.time_left is not None and (jobs := len(self.time_left.planned)):
            parts["done"] = f"{self.finished} of {jobs} done" if jobs > 1 else ""
            left_s = self.time_left.seconds(self.clock())
            parts["left"] = "" if left_s is None or left_s < 1 else f"about {duration_text(left_s)} left"
        line = Text(fitted(parts, ("left", "memory", "done"), self.console.width - 1), style="dim")
        line.truncate(self.console.width - 1, overflow="ellipsis")
        return line


def input_text(read: Input) -> str:
    """`input 210, model 1,234`: images/s of each; the smaller makes the other wait."""
    return f"input {read.images_per_s:,.0f}, model {read.model_images_per_s:,.0f}"


def memory_text(memory: Memory) -> str:
    """`1.2 GiB resident`, `870 MiB GPU peak`."""
    gib = memory.bytes / 2**30
    return f"{gib:.1f} GiB {memory.of}" if gib >= 1 else f"{1024 * gib:.0f} MiB {memory.of}"


def all_memory_text(memories: Iterable[Memory]) -> str:
    """Of all jobs that run, each kind summed: jobs that run at once have processes of their own."""
    sums: dict[str, int] = {}
    for memory in memories:
        sums[memory.of] = sums.get(memory.of, 0) + memory.bytes
    return ", ".join(memory_text(Memory(of, total)) for of, total in sums.items())


def duration_text(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

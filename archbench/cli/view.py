"""What the terminal shows: progress on stderr, tables and JSON on stdout."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement as RichMeasurement
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table as RichTable
from rich.text import Text
from rich.tree import Tree

from archbench.config import Settings
from archbench.events import Epoch, Event, Finished, Loading, Notice, Started, Step
from archbench.publish import formats, results
from archbench.publish.results import Table
from archbench.records.schema import Record

if TYPE_CHECKING:
    from archbench.catalogue import Node
    from archbench.plan import Plan

INTEGERS = ("year", "params", "macs", "infer_peak_bytes", "train_peak_bytes")
NUMERIC = {"year", "test error, %", "params", "MACs", "in 1×1, %", "latency, ms", "images/s"}

WRAPPED = {"title", "from", "test error, %"}
WIDE, WIDEST_WHOLE = 100, 18  # columns: from here on a table has wider gaps; longest cell that is never broken

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextlib.contextmanager
def kept_clean() -> Iterator[None]:
    """What a user's model prints goes to stderr, so that stdout holds the result alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def say(line: str) -> None:
    """A line for the reader, not for a pipe."""
    with contextlib.suppress(OSError):  # a log that nobody reads any more ends no run
        err.print(Text(line), soft_wrap=True)


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

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.bars.stop()

    def listen(self, event: Event) -> None:
        """Show an event; a log that nobody reads any more ends no run."""
        try:
            self._show(event)
        except OSError:
            self.quiet = True

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
                self._line(f"{job}: {summary} ({duration_text(duration)}) · Record {record}")

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


def print_tables(made: Sequence[Table]) -> None:
    """Each table with its caption above and its notes below."""
    for table in made:
        out.print(Text(f"\n{table.caption}", style="bold"))
        print_table(_rich(formats.cells(table).to_dict("list")))  # type: ignore[arg-type]
        out.print()
        for note in table.notes:
            out.print(Text(f"· {note}", style="dim"))


def print_table(drawn: RichTable) -> None:
    """A table, wider than the terminal where its figures would else be cut."""
    least = RichMeasurement.get(out, out.options, drawn).minimum
    out.print(drawn, width=max(out.width, least), crop=False, no_wrap=least > out.width)


def _rich(columns: dict[str, list[str]], whole: str = "") -> RichTable:
    """A table whose figures stay whole, and the column `whole`; text with spaces and very long names give way on a narrow terminal."""
    gap = 1 if out.width >= WIDE else 0
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap), pad_edge=False)
    for header, cells in columns.items():
        wraps = header != whole and (header in WRAPPED or max(map(len, cells), default=0) > WIDEST_WHOLE)
        justify: Literal["right", "left"] = "right" if header in NUMERIC or header.endswith("%") else "left"
        drawn.add_column(header.replace(", ", "\n"), justify=justify, no_wrap=not wraps, overflow="fold")
    for row in zip(*columns.values(), strict=True):
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def print_models(models: Sequence[dict[str, Any]]) -> None:
    """The list of models as a table; a narrow terminal leaves out what the name nearly says."""
    columns: dict[str, list[str]] = {
        "name": [row["name"] for row in models],
        "title": [row["title"] for row in models],
        "family": [row["family"] for row in models],
        "year": [str(row["year"] or formats.MISSING) for row in models],
        "from": [", ".join(row["parents"]) for row in models],
        "input": [row["input"] for row in models],
        "params": [formats.scaled(row["params"]) for row in models],
        "MACs": [formats.scaled(row["macs"]) for row in models],
        "head": [row["head"] for row in models],
    }
    if out.width < WIDE:
        columns = {header: cells for header, cells in columns.items() if header not in ("title", "family", "input")}
    print_table(_rich(columns, whole="name"))
    for row in models:
        if row["uncounted"]:
            out.print(Text(f"· {row['name']}: not counted: {', '.join(row['uncounted'])}", style="dim"))


def print_tree(roots: Sequence[Node]) -> None:
    """The lineage: each model under the first of its parents."""
    for root in roots:
        drawn = Tree(_leaf(root), guide_style="dim")
        _grow(drawn, root)
        out.print(drawn)


def _grow(branch: Tree, node: Node) -> None:
    for child in node.children:
        _grow(branch.add(_leaf(child)), child)


def _leaf(node: Node) -> Text:
    also = f" (also from {', '.join(node.others)})" if node.others else ""
    return Text.assemble((node.name, "bold"), f"  {node.year or ''} {node.title}", (also, "dim"))


def print_model(described: dict[str, Any]) -> None:
    """What is known of a model, line by line, then its layers, then the BibTeX entry."""
    paper, shape = described["paper"], described["input"]
    where = {"arXiv": paper["arxiv"], "doi": paper["doi"]} if paper else {}
    facts = {
        "paper": f"{paper['title']} ({', '.join(f'{key}:{value}' for key, value in where.items() if value)})" if paper else "",
        "from": ", ".join(described["parents"]),
        "takes": described["takes"],
        "input": f"{shape['in_channels']}x{shape['image_size']}x{shape['image_size']}, {shape['num_classes']} classes",
        "params, MACs": f"{described['params']:,} and {described['macs']:,}",
        "width": f"{described['width']:.4g}" if described["width"] else "",
        "MACs in": ", ".join(f"{kind} {100 * part / described['macs']:.0f} %" for kind, part in described["macs_by_class"].items()),
        "head": described["head_kind"],
        "knobs": " · ".join(f"{key}={', '.join(map(str, values))}" for key, values in described["knobs"].items()),
        "not counted": ", ".join(row["operator"] for row in described["uncounted"]),
    }
    year = f", {described['year']}" if described["year"] else ""
    out.print(Text(f"{described['name']}: {described['title']}{year}", style="bold"))
    for fact, text in facts.items():
        _fact(fact, text)
    for each in described["published"]:
        _fact("published", f"{each['params']:,} and {each['macs']:,}{each['form']} ({each['source']})")
    for each in described["claims"]:
        _fact("claim", f"{each['error_pct']:g} % on {each['dataset']}, {each['with']} ({each['where']})")
    for deviation in described["deviations"]:
        _fact("departs", deviation)
    print_table(_rich(_layer_columns(described["layers"])))
    if paper:
        out.print(Text(f"\n{paper['bibtex']}"))


def print_counts(counted: Sequence[dict[str, Any]]) -> None:
    """Counts by operator class, a line a model; then, where other counters were asked, what tells each of them from ours."""
    kinds = dict.fromkeys(kind for row in counted for kind in row["operators"])
    columns: dict[str, list[str]] = {
        "model": [row["model"] for row in counted],
        "input": [row["input"] for row in counted],
        "params": [formats.scaled(row["params"]) for row in counted],
        "MACs": [formats.scaled(row["macs"]) for row in counted],
        **{f"{kind.replace('_', ', ')}, %": [_share(row, kind) for row in counted] for kind in kinds},
    }
    print_table(_rich(columns, whole="model"))
    for row in counted:
        for line in _count_lines(row):
            out.print(Text(line))


def _share(row: dict[str, Any], kind: str) -> str:
    share = 100 * row["operators"].get(kind, 0) / max(row["macs"], 1)
    return f"{share:.1f}" if share else formats.MISSING


def _count_lines(row: dict[str, Any]) -> Iterator[str]:
    """Exact figures, what is not counted, and each other counter with its causes."""
    yield f"\n{row['model']} ({row['input']}): {row['params']:,} parameters, {row['macs']:,} MACs, {row['activations']:,} activations"
    if row["uncounted"]:
        yield "  not counted: " + ", ".join(f"{each['operator']} ({each['calls']})" for each in row["uncounted"])
    for other in row.get("counters", ()):
        if other["failure"]:
            yield f"  {other['counter']}: could not count ({other['failure']})"
            continue
        yield f"  {other['counter']}: {other['macs']:,}"
        for cause in other["causes"]:
            yield f"    {cause['macs']:+,}  {cause['name']}"
        yield f"    {other['unexplained']:+,}  unexplained"


def _fact(name: str, text: str) -> None:
    if text:
        grid = RichTable.grid(padding=(0, 1))
        grid.add_column(width=12)
        grid.add_column()
        grid.add_row(Text(name, style="dim"), Text(text))
        out.print(grid)


def _layer_columns(layers: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    return {
        "layer": [layer["name"] or "(network)" for layer in layers],
        "class": [layer["operator_class"] for layer in layers],
        "output": ["×".join(map(str, layer["shape"][1:])) for layer in layers],
        "params": [f"{layer['params']:,}" for layer in layers],
        "MACs": [f"{layer['macs']:,}" for layer in layers],
    }


def rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """What `--json` gives: an object a row of the results table, and one for each run that failed."""
    records = list(records)
    frame = results.frame(records).rename(columns={"model": "name"})
    failed = [
        {
            "name": record.model.label,
            "params": results.value(record, "params"),
            "macs": results.value(record, "macs"),
            "kind": record.kind,
            "status": record.status,
            "failure": record.failure.message,
        }
        for record in records
        if record.failure is not None and record.status != "diverged"
    ]
    found: list[dict[Any, Any]] = [*frame.to_dict("records"), *failed]
    return [{str(key): _plain(str(key), value) for key, value in row.items()} for row in found]


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if name in INTEGERS and value is not None else value


def print_json(value: Any) -> None:
    """JSON on stdout."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def say_failures(failed: Iterable[Record]) -> None:
    """A line for each run that gave no result."""
    for record in failed:
        assert record.failure is not None
        say(f"{record.model.label} ({record.kind}) {record.status.replace('_', ' ')}: {record.failure.message}")


def report_problems(problems: Sequence[str]) -> None:
    """Name the Records that could not be read; exit status 2, after everything else is done."""
    for problem in problems:
        print(f"archbench: {' '.join(problem.split())}", file=sys.stderr)
    if problems:
        raise typer.Exit(2)

"""What `--dry-run` shows of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archbench.cli.live import duration_text
from archbench.placing import RAY
from archbench.publish.formats import MISSING

if TYPE_CHECKING:
    from archbench.config import Settings
    from archbench.estimate import Planned

MIB = 2**20


def columns(rows: Sequence[Planned]) -> dict[str, list[str]]:
    """A column under each header; one in which all rows are alike and empty is left out."""
    found = {
        "model": [row.model for row in rows],
        "kind": [row.kind for row in rows],
        "data": [row.data or MISSING for row in rows],
        "recipe": [row.recipe or MISSING for row in rows],
        "training set, %": [f"{100 * row.train_fraction:g}" for row in rows],
        "to do": [f"{row.todo:,}" for row in rows],
        "there": [f"{row.there:,}" for row in rows],
        "time": [duration_text(row.seconds) if row.todo else MISSING for row in rows],
        "memory": [MISSING if row.bytes is None else f"{row.bytes / MIB:,.0f} MiB" for row in rows],
    }
    dull = {"training set, %": {"100"}, "there": {"0"}}
    return {header: cells for header, cells in found.items() if set(cells) - dull.get(header, {MISSING})}


def summary(rows: Sequence[Planned], settings: Settings) -> str:
    """`60 runs: 45 to do, about 2 h 5 min, 15 there; at most about 900 MiB of memory in each of 2 processes`."""
    todo, there, seconds = sum(row.todo for row in rows), sum(row.there for row in rows), sum(row.seconds for row in rows)
    most = max((row.bytes for row in rows if row.bytes is not None), default=None)
    memory = "" if most is None else f"; at most about {most / MIB:,.0f} MiB of memory{_in_each(settings)}"
    runs = f"{todo + there:,} run{'s' * (todo + there != 1)}"
    return f"{runs}: {todo:,} to do, about {duration_text(seconds)}, one after the other; {there:,} there{memory}"


def _in_each(settings: Settings) -> str:
    """Where several processes train at once, each with memory of its own."""
    beside = settings.processes_beside
    if beside == 0 and settings.engine.partition(":")[0] != RAY:
        return ""
    return f" in each of {beside} processes" if beside else " in each process"

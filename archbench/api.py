"""What a notebook calls, and what the command line calls too. Nothing here prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbench.config import Settings
from archbench.events import Listener, ignore
from archbench.publish import results
from archbench.records.schema import Record
from archbench.records.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from archbench.plan import Plan


def run(*, emit: Listener = ignore, **settings: Any) -> pd.DataFrame:
    """Train and profile models; one row a model and condition, as `archbench run` shows it, figures as numbers.

    Takes the settings of `archbench run` by their names: `run(models=["nin"], epochs=4, seeds="0-2")`. Raises ArchbenchError for a
    setting that is not known or not valid.
    """
    return results.frame(execute(Settings.of(**settings), ("train", "profile"), emit).records)


def train(*, emit: Listener = ignore, **settings: Any) -> list[Record]:
    """Train models; the Record of each run, those that were there already included."""
    return execute(Settings.of(**settings), ("train",), emit).records


def profile(*, emit: Listener = ignore, **settings: Any) -> list[Record]:
    """Profile models; the Record of each, those that were there already included."""
    return execute(Settings.of(**settings), ("profile",), emit).records


def load(results: str | Path = Settings.results) -> list[Record]:
    """All Records of a results folder that can be read, oldest first."""
    return Store(Path(results)).load()[0]


@dataclass(frozen=True)
class Executed:
    """The Records of a run, those that were there already included."""

    records: list[Record]

    @property
    def failed(self) -> list[Record]:
        """Those that ended without a result."""
        return [record for record in self.records if record.status in ("failed", "out_of_memory")]


def execute(settings: Settings, kinds: tuple[str, ...], emit: Listener, announce: Callable[[Plan], None] | None = None) -> Executed:
    """Plan and carry out; `announce` is called with the plan before the work begins."""
    from archbench import plan as planning
    from archbench.engines import local

    store = Store(settings.results)
    plan = planning.make(settings, kinds, store, emit)
    if announce is not None:
        announce(plan)
    return Executed([*plan.done, *local.execute(plan, store, emit)])

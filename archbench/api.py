"""What a notebook calls, and what the command line calls too. Nothing here prints."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbench.config import Settings, expanded
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
    """All Records of a results folder, oldest first; a UserWarning names each that cannot be read."""
    records, problems = Store(expanded(Path(results))).load()
    for problem in problems:
        warnings.warn(problem, stacklevel=2)
    return records


def list_models(models: str | Iterable[str] = "all") -> list[dict[str, Any]]:
    """Models with what their specs say and their counts at their own input, by year."""
    from archbench.measure import complexity
    from archbench.models import parse

    rows = []
    for model in parse(Settings.of(models=models).models):
        spec, counted = model.spec, complexity.count(model, model.native_input)
        rows.append(
            {
                "name": model.label,
                "title": spec.title,
                "family": spec.family,
                "year": spec.year,
                "parents": list(spec.parents),
                "head": model.head_kind,
                "input": "x".join(map(str, spec.input_shape)),
                "params": counted.params,
                "macs": counted.macs,
                "aliases": list(spec.aliases),
                "knobs": {key: list(values) for key, values in spec.knobs.items()},
            }
        )
    return rows


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
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it, set before its first use
    from archbench import plan as planning
    from archbench.engines import local

    store = Store(expanded(settings.results))
    plan = planning.make(settings, kinds, store, emit)
    if announce is not None:
        announce(plan)
    return Executed([*plan.done, *local.execute(plan, store, emit)])

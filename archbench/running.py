"""Carries out what was asked for: plans it, hands the Jobs to an engine, and tags what comes of them. Nothing here prints."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archbench.config import Settings, expanded
from archbench.errors import ArchbenchError
from archbench.events import Listener
from archbench.placing import RAY, WORKERS, Placing
from archbench.records import tags
from archbench.records.schema import Record
from archbench.records.store import Store

if TYPE_CHECKING:
    from archbench.engines.base import Engine
    from archbench.experiments.definition import Grid
    from archbench.plan import Plan
    from archbench.studies import Found


@dataclass(frozen=True)
class Executed:
    """The Records of a run, those that were there already included, and why some models could not run at all."""

    records: list[Record]
    refused: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Record]:
        """Those that ended without a result."""
        return [record for record in self.records if record.status in ("failed", "out_of_memory")]


@dataclass(frozen=True)
class Tuned:
    """What the searches found, and why some models could not run at all."""

    found: list[Found]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """The settings of a run: of several parts, and with its grid, where it is an experiment."""

    parts: list[Settings]
    grid: Grid | None = None

    @property
    def settings(self) -> Settings:
        """What all parts have in common, and the first one's data set, recipe and fraction."""
        return self.parts[0]


def asked(values: Mapping[str, Any], given: Collection[str]) -> Asked:
    """What `values` of settings ask for. Beside an experiment those alone count that were `given`, not left at their defaults.

    Raises ArchbenchError for what is not valid.
    """
    name = values.get("experiment")
    if name is None:
        return Asked([Settings.of(**values)])
    from archbench.experiments import grid

    found, parts = grid.of(str(name), {each: values[each] for each in given if each != "experiment"})
    return Asked(parts, found)


def execute(wanted: Asked, kinds: tuple[str, ...], emit: Listener, announce: Callable[[Plan], None] | None = None) -> Executed:
    """Plan and carry out; `announce` is called with the plan before the work begins."""
    from archbench import tracking

    settings = wanted.settings
    store = _store(settings)
    with _engine(settings) as engine:
        plan = planned(wanted, kinds, emit)
        engine.check(plan)
        if announce is not None:
            announce(plan)
        with tracking.listening(settings.track, store.root, plan.jobs, emit) as listen:
            return _carried_out(plan, engine, store, settings.tag, listen)


def dry(wanted: Asked, kinds: tuple[str, ...], emit: Listener) -> Plan:
    """The plan that `execute` would carry out. Raises ArchbenchError as it does, but for what only the nodes of a cluster can tell."""
    engine = _engine(wanted.settings)
    plan = planned(wanted, kinds, emit)
    engine.check(plan)
    return plan


def _engine(settings: Settings) -> Engine:
    """The engine, which is not entered yet, with all that must be there beside it: trackers, a store whose tags can be read."""
    from archbench import tracking
    from archbench.engines.opening import engine_of

    tracking.check(settings.track)
    _check_tags(_store(settings), settings.tag)
    return engine_of(settings)


def planned(wanted: Asked, kinds: tuple[str, ...], emit: Listener) -> Plan:
    """The plan, whatever is to carry it out."""
    from archbench import plan as planning

    _make_deterministic(wanted.settings.deterministic)
    explain = wanted.grid.experiment.explain if wanted.grid is not None and "train" in kinds else None
    return planning.make(wanted.parts, kinds, _store(wanted.settings), emit, explain)


def search(settings: Settings, emit: Listener, announce: Callable[[Plan], None] | None = None) -> Tuned:
    """Plan the trials and make them; `announce` is called with the plan before the work begins."""
    from archbench import tuning
    from archbench.engines.workers import Workers

    placing = Placing.of(settings.engine)
    if placing.engine == RAY:
        raise ArchbenchError("--engine ray: a search keeps its trials in a file; --engine workers searches the models side by side")
    _make_deterministic(settings.deterministic)
    store = _store(settings)
    workers = Workers(placing, settings) if placing.engine == WORKERS else None
    plan = tuning.plan(settings, store, emit)
    if announce is not None:
        announce(plan)
    return Tuned(list(tuning.search(plan, settings, store, emit, workers)), plan.refused)


def tested(record: str, settings: Settings, emit: Listener) -> Executed:
    """Test the kept weights of a training, as `archbench.evaluate` does, from settings.

    Raises ArchbenchError as it does, and where another process is at it.
    """
    from archbench import evaluating

    return _by_hand(evaluating.make(record, settings, _store(settings), emit), settings, emit)


def scored(record: str, method: str, n: int, layer: str | None, settings: Settings, emit: Listener, boxes: Path | None = None) -> Executed:
    """Score the maps of a training, as `archbench.score` does, from settings.

    Raises ArchbenchError as it does, and where another process is at it.
    """
    from archbench import scoring
    from archbench.job.base import Explaining

    plan = scoring.make(record, Explaining(method, n, layer), None if boxes is None else expanded(boxes), settings, _store(settings), emit)
    return _by_hand(plan, settings, emit)


def _by_hand(plan: Plan, settings: Settings, emit: Listener) -> Executed:
    """The one Job of a plan, in this process."""
    from archbench.engines.local import Local

    store = _store(settings)
    _check_tags(store, settings.tag)
    _make_deterministic(any(job.plan.deterministic for job in plan.jobs))  # as its training was
    done = _carried_out(plan, Local(), store, settings.tag, emit)
    if done.refused:
        raise ArchbenchError(done.refused[0])
    return done


def _store(settings: Settings) -> Store:
    """The results folder, by a path that stays right where a network changes the working directory."""
    return Store(expanded(settings.results).absolute())


def _carried_out(plan: Plan, engine: Engine, store: Store, tag: tuple[str, ...], emit: Listener) -> Executed:
    """The Records of a plan, each tagged as soon as it is saved."""
    from archbench.engines import carrying

    records, refused = list(plan.done), list(plan.refused)
    _tag(store, records, tag)
    with contextlib.closing(carrying.execute(plan, engine, store, emit, refused.append)) as executed:
        for record in executed:
            _tag(store, [record], tag)
            records.append(record)
    return Executed(records, tuple(refused))


def _make_deterministic(wanted: bool) -> None:
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it, set before its first use


def _check_tags(store: Store, tag: tuple[str, ...]) -> None:
    """Name what is no tag, or a damaged file of tags, before the work."""
    if tags.checked(tag):
        tags.load(store)


def _tag(store: Store, records: Iterable[Record], tag: tuple[str, ...]) -> None:
    if tag:
        tags.change(store, [record.id for record in records], add=tag)

"""The results table: a row a model, in one table for each condition, so that no table mixes what cannot be compared."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

from archbench import stats
from archbench.publish import best, columns, guard
from archbench.publish.beside import Profiles
from archbench.publish.captioning import caption, is_benchmark, of_device, of_input
from archbench.publish.footnotes import OfColumns
from archbench.publish.formats import Row
from archbench.publish.grouping import Stored, by_alike, by_column, column, doubted, figures, joined, picked, typical
from archbench.publish.launches import logarithms
from archbench.publish.notes import TIMES, benchmark_notes, is_doubtful, notes, told_apart
from archbench.publish.shares import by_class, class_shares
from archbench.records.schema import Record

PROFILE_FIGURES: dict[str, dict[str, Any]] = {
    "latency_s": {"batch": 1, "mode": "eager"},
    "infer_images_per_s": {"mode": "eager"},
    "infer_peak_bytes": {},
    "train_peak_bytes": {},
}


OF_A_RECIPE = ("data", "data's fingerprint", "training images", "held out", "weights", "learned from", "recipe")  # facts of the guard
COUNTS = ("params", "macs", "pointwise_macs_pct")  # that no condition changes
STAR = OfColumns("*: doubtful, as the notes on its network say", *TIMES)


@dataclass(frozen=True)
class Table:
    """Rows that may be compared with each other.

    `frame` holds numbers, `notes` what a reader must know, `columns` each header and how a row's cell reads under it; a `wide` table is
    not for a narrow terminal. `shown` are the Records that the rows are from, `best` the places of the best rows under a header. In LaTeX
    a `title` of the reader's own stands before the caption, and the reader's own `label` in place of one made of its words.
    """

    caption: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    columns: Mapping[str, Callable[[Row], str]]
    wide: bool = False
    shown: Sequence[Record] = ()
    best: Mapping[str, frozenset[int]] = field(default_factory=dict)
    title: str = ""
    label: str = ""


def tables(records: Iterable[Record]) -> list[Table]:
    """A table for each condition that occurs, trainings first; profiles that belong to no training get tables of their own."""
    records = Stored.of(records)
    imported, profiles = by_alike(newest(records, "imported"), is_benchmark), newest(records, "profile")
    trainings = joined(newest(records, "train"), newest(records, "evaluated"), imported.get(False, []))
    made, used, beside = [], set(), Profiles.of(records)
    figures: dict[str, dict[str, Any]] = {}  # of each profile by its id, since one stands beside many trainings
    together = by_alike(trainings, condition).values()
    captions = guard.distinct([caption(rows[0]) for rows in together], [rows[0] for rows in together])
    for said, rows in zip(captions, map(told_apart, together), strict=True):
        groups = sorted(by_column(rows, "group").values(), key=lambda members: _by_year(members[0]))
        firsts = list(map(typical, groups))
        matched, counts = list(map(beside.beside, firsts)), list(map(beside.counting, firsts))
        found, counting = ([profile for profile in each if profile] for each in (matched, counts))
        figures |= {profile.id: _profile_figures(profile) for profile in counting if profile.id not in figures}
        frame = pd.DataFrame([training_row(*row, figures) for row in zip(groups, matched, counts, strict=True)])
        used |= {profile.id for profile in found}
        places, why = marked(frame, groups, matched)
        below = (*notes(rows, found, records, counting), *why)
        made.append(Table(said, frame, below, columns.TRAININGS, shown=joined(rows, counting), best=places))
    alone = picked(profiles, [place for place, id in enumerate(column(profiles, "id")) if id not in used])
    for rows in map(told_apart, by_alike(alone, condition).values()):
        in_order = sorted(rows, key=_by_year)
        frame = pd.DataFrame([profile_row(profile) for profile in in_order])
        places, why = marked(frame, [[] for _ in in_order], in_order)
        made.append(Table(caption(rows[0]), frame, (*notes([], rows, records), *why), columns.PROFILES, shown=rows, best=places))
    for rows in by_alike(imported.get(True, []), condition).values():
        frame = pd.DataFrame([benchmark_row(benchmark) for benchmark in sorted(rows, key=_by_year)])
        made.append(Table(caption(rows[0]), frame, benchmark_notes(rows, records), columns.BENCHMARKS, shown=rows))
    return made


def in_brief(made: Sequence[Table]) -> list[Table]:
    """Of trainings on each data set, or share of it, by each recipe the table with most rows; a note counts those at other lengths."""
    by_recipe: dict[tuple[Any, ...], list[tuple[Table, guard.Facts]]] = {}
    for table in made:
        if "test error, %" in table.columns:
            facts = guard.facts(table.shown[0])
            by_recipe.setdefault(tuple(facts[name] for name in OF_A_RECIPE), []).append((table, facts))
    return [_fullest(found) for found in by_recipe.values()]


def _fullest(found: Sequence[tuple[Table, guard.Facts]]) -> Table:
    """The one with most rows, and of several that of the longest trainings."""
    table, _ = max(found, key=lambda each: (len(each[0].frame), each[1]["epochs"] or 0))
    others = len(found) - 1
    if not others:
        return table
    more = "1 more table is" if others == 1 else f"{others} more tables are"
    return dataclasses.replace(table, notes=(*table.notes, f"{more} of these images by this recipe, at other lengths or precisions"))


def marked(
    frame: pd.DataFrame, runs: Iterable[Sequence[Record]], profiles: Iterable[Record | None] = (), shares: Sequence[float | None] = ()
) -> tuple[dict[str, frozenset[int]], list[str]]:
    """The best rows of a table under each header that has such, and what their mark means.

    `runs` are those of each row, `profiles` the one of each, where their times are compared, `shares` of the training set where rows
    differ in that: one of less data is another task.
    """
    told = list(map(errors_of, runs))
    tasks = shares or [None] * len(told)
    errors = best.least_of_each(tasks, told)
    times = best.least(list(map(_single_image_s, profiles)))
    compared = max(Counter(task for task, each in zip(tasks, told, strict=True) if each).values(), default=0) > 1
    seeds = best.SEEDS_OF_SHARES if len(set(tasks)) > 1 else best.SEEDS
    why = [*[seeds if errors else best.FEW_SEEDS] * compared, *[best.LAUNCHES] * bool(times)]
    doubtful = any(frame[name].any() for name in ("latency_doubtful", "images_doubtful"))
    return {"test error, %": errors, "latency, ms": times}, [*why, *[STAR] * doubtful]


def errors_of(runs: Sequence[Record]) -> list[float]:
    """The test error of each run that came to one."""
    return figures(runs, "test_error_pct")


def _single_image_s(profile: Record | None) -> list[float]:
    """Logarithms of the seconds of each launch for one image."""
    row = profile and profile.measurement("latency_s", **PROFILE_FIGURES["latency_s"])
    return logarithms(profile, row, best.LEAST) if profile and row else []


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """All tables below each other, the condition in a column."""
    return stacked(tables(records))


def stacked(made: Sequence[Table]) -> pd.DataFrame:
    """The rows of tables below each other, the condition, which is a table's caption, in a column."""
    return pd.concat([table.frame.assign(condition=table.caption) for table in made], ignore_index=True) if made else pd.DataFrame()


def newest(records: Iterable[Record], kind: str) -> Sequence[Record]:
    """The Record that stands for each run of a kind."""
    return Stored.of(records).newest.get(kind, [])


def condition(record: Record) -> tuple[Any, ...]:
    """What must be equal for two rows to stand in one table."""
    if record.kind != "profile" and not is_benchmark(record):
        return guard.condition(record)
    return tuple(measured_under(record).values())


def measured_under(record: Record) -> guard.Facts:
    """Of a profile: all that two must share to stand in one table."""
    environment, execution = record.environment, record.config["execution"]
    return {
        "kind": record.kind,
        "input": of_input(record),
        "batch": record.config["batch"],
        "device": of_device(environment["device"]),
        "archbench": environment["archbench"].rpartition(".")[0],
        "torch": environment["libraries"]["torch"],
        **{name: execution[name] for name in ("precision", "compiled", "deterministic")},
        "threads": environment["threads"],
        "launches": record.config.get("launches"),
    }


def training_row(
    runs: Sequence[Record], profile: Record | None, counts: Record | None = None, figures: Mapping[str, Row] = MappingProxyType({})
) -> dict[str, Any]:
    """One row: the runs of one network over seeds, and what its profile tells or, where there is none, the counts of another one.

    The `figures` of profiles may be known by their id.
    """
    counting = profile or counts
    known = (figures.get(counting.id) if counting else None) or _profile_figures(counting)
    return {
        **identity(runs[0]),
        **error_figures(runs),
        "train_error_pct": mean_of(runs, "train_error_pct"),
        **(known if profile else {**_profile_figures(None), **{name: known[name] for name in COUNTS}}),
        "train_images_per_s": mean_of(runs, "train_images_per_s"),
        "head": runs[0].model.spec["head_kind"],
        "records": " ".join([*column(runs, "id"), *([counting.id] if counting else [])]),
    }


def error_figures(runs: Sequence[Record]) -> dict[str, Any]:
    """The test error of one network over its runs, with its interval, and how many of the runs came to something."""
    interval, statuses = _error_interval(runs), column(runs, "status")
    return {
        "test_error_pct": interval.value,
        "test_error_low_pct": interval.low,
        "test_error_high_pct": interval.high,
        "runs": len(runs),
        "n": interval.n,
        "left_chance": statuses.count("ok") - len(at_chance(runs)),
        "tuned_trials": (typical(runs).config.get("tuned") or {}).get("trials", math.nan),
        "diverged": statuses.count("diverged"),
    }


def at_chance(runs: Sequence[Record]) -> list[Record]:
    """Those that ended well, and whose test error cannot be told from that of naming the commonest class."""
    return [run for run in doubted(runs) if run.status == "ok" and any(doubt.code == "at_chance" for doubt in run.warnings)]


def profile_row(profile: Record) -> dict[str, Any]:
    """One row of a network that was profiled alone."""
    return {**identity(profile), **_profile_figures(profile), "head": profile.model.spec["head_kind"], "records": profile.id}


def benchmark_row(benchmark: Record) -> dict[str, Any]:
    """One row of what pytest-benchmark timed."""
    names = ("params", "macs", "latency_s", "infer_images_per_s", "train_step_s", "train_images_per_s")
    return {**identity(benchmark), **{name: value(benchmark, name) for name in names}, "records": benchmark.id}


def identity(record: Record) -> dict[str, Any]:
    """A row's model, its title and year."""
    spec = record.model.spec
    year = math.nan if spec["year"] is None else spec["year"]
    return {"model": record.model.label, "title": spec["title"], "year": year}


def _error_interval(runs: Sequence[Record]) -> stats.Interval:
    """Wilson's over the test images for one run, Student's t over seeds for more, within 0 and 100."""
    errors = errors_of(runs)
    if not errors:
        return stats.Interval(math.nan, math.nan, math.nan, 0)
    if len(errors) == 1:
        rows = (run.measurement("test_error_pct") for run in runs)
        row = next(row for row in rows if row is not None and row.value is not None)
        return stats.Interval(errors[0], row.low, row.high, 1)  # type: ignore[arg-type]
    value, low, high, n = stats.mean_t(errors)
    return stats.Interval(value, max(low, 0.0), min(high, 100.0), n)  # no error lies outside


def _profile_figures(profile: Record | None) -> dict[str, Any]:
    ends = ("latency_low_s", "latency_high_s", "infer_images_low_per_s", "infer_images_high_per_s")
    names = ("params", "macs", "pointwise_macs_pct", "pointwise_time_pct", *PROFILE_FIGURES, *ends)
    known: dict[str, Any] = {**dict.fromkeys(names, math.nan), "latency_doubtful": False, "images_doubtful": False}
    if profile is None:
        return known
    known |= {name: value(profile, name) for name in ("params", "macs")}
    pointwise = profile.measurement("macs", operator_class="pointwise")
    known["pointwise_macs_pct"] = 100 * (pointwise.value or 0) / known["macs"] if pointwise and known["macs"] else 0.0
    known["pointwise_time_pct"] = class_shares(by_class(profile, "time_s")).get("pointwise", math.nan)
    known |= {name: value(profile, name, **at) for name, at in PROFILE_FIGURES.items()}
    latency = profile.measurement("latency_s", **PROFILE_FIGURES["latency_s"])
    if latency is not None:
        known |= {"latency_low_s": _number(latency.low), "latency_high_s": _number(latency.high)}
        known["latency_doubtful"] = is_doubtful(profile, latency)
    images = profile.measurement("infer_images_per_s", **PROFILE_FIGURES["infer_images_per_s"])
    if images is not None:
        known |= {"infer_images_low_per_s": _number(images.low), "infer_images_high_per_s": _number(images.high)}
        known["images_doubtful"] = is_doubtful(profile, images)
    return known


def value(record: Record, name: str, **at: Any) -> float:
    """A measurement of a Record; NaN where it has none."""
    return record.figure(name, at)


def _number(figure: float | None) -> float:
    return math.nan if figure is None else figure


def mean_of(runs: Sequence[Record], name: str) -> float:
    """The mean of a measurement over the runs that have it; NaN where none has."""
    values = figures(runs, name)
    return statistics.fmean(values) if values else math.nan


def _by_year(record: Record) -> tuple[float, str]:
    """The place of a row: models from outside the zoo, whose year is not known, last."""
    year = record.model.spec["year"]
    return (math.inf if year is None else year), record.model.label

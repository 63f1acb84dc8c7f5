"""What stands below a table: how its figures were made, and each doubt once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archbench.publish.footnotes import OfColumns, OfRows, under_of
from archbench.publish.grouping import Stored, by, by_column, column, doubted, joined, one_of_each
from archbench.records.schema import Doubt, Measurement, Record

OF_ONE_TIME = {
    "noisy": "the interval of the time is wider than 2 % on either side",
    "not_warm": "the time was not stable after the warm-up",
    "drift": "the time rose or fell by more than 2 % while it was measured",
}
ERRORS = ("error", "interval", "ours")  # in the headers of columns of errors
HASH = 6  # digits of a source's hash that tell it from another
OF_TIMES = {*OF_ONE_TIME, "busy", "steal", "governor", "hot"}  # doubts that concern a time
OF_OPERATOR_TIMES = {"time_unexplained", "time_unknown"}
WAY_OF_TUNING = {"val_fraction", "span", "space"}  # of what a search wrote into the settings
TIMES = ("latency", "images/s", "time", "step", "ms", "eager")  # in the headers of columns of times


def notes(
    runs: Sequence[Record], profiles: Iterable[Record | None], records: Sequence[Record], counts: Sequence[Record] = ()
) -> tuple[str, ...]:
    """Below the results of trainings and of profiles, and of others of which the `counts` are; `records` are all from which these are."""
    found = [profile for profile in profiles if profile is not None]
    shown = joined(runs, found)
    lines = [
        *interval_notes(runs),
        *failed(runs, records),
        *tuning(runs),
        *of_other_threads(runs),
        *_profile_notes(found, bool(counts)),
        *doubts(shown),
        *twice(runs or found),
        *widths(runs or found),
    ]
    skipped = max((record.config["data"].get("skipped", 0) for record in one_of_each(runs)), default=0)
    if skipped:
        lines.append(f"{skipped} image files that could not be read are left out")
    return (*lines, *older(shown, records))


def is_doubtful(record: Record, row: Measurement | None) -> bool:
    """Whether a warning of a Record concerns one of its times."""
    at = row.at if row is not None else {}
    return any(doubt.code in OF_TIMES and doubt.at.items() <= at.items() for doubt in record.warnings)


def mark(doubtful: object) -> str:
    """A star behind a doubtful figure."""
    return "*" if doubtful is True else ""


def doubts(shown: Sequence[Record]) -> list[str]:
    """Each warning, and what was not counted, with the rows it concerns."""
    shown = doubted(shown)
    said = [(_message(doubt), record) for record in shown for doubt in record.warnings if doubt.code not in OF_ONE_TIME or not doubt.at]
    return [*_of_times(shown), *_together(said), *uncounted(shown)]


def _message(doubt: Doubt) -> str:
    return OfColumns(doubt.message, *TIMES) if doubt.code in {*OF_TIMES, *OF_OPERATOR_TIMES} else doubt.message


def _of_times(shown: Sequence[Record]) -> list[str]:
    """A line for each kind of doubt that concerns single times: `nin (batch 1, 8 compiled), vgg (batch 1): the time did not settle`."""
    lines: list[str] = []
    doubtful = [record for record in shown if record.warnings]
    for code, said in OF_ONE_TIME.items():
        at = [(record, ", ".join(_where(doubt) for doubt in record.warnings if doubt.code == code and doubt.at)) for record in doubtful]
        found = [(record, where) for record, where in at if where]
        named = dict.fromkeys(f"{record.model.label} (batch {where})" for record, where in found)
        parts = {f"{said} (batch {where})": [each.id for each, there in found if there == where] for _, where in found}
        lines += [OfRows(f"{', '.join(named)}: {said}", parts, TIMES)] * bool(named)
    return lines


def _where(doubt: Doubt) -> str:
    mode = doubt.at.get("mode", "eager")
    return str(doubt.at.get("batch")) + ("" if mode == "eager" else f" {str(mode).replace('_', ' ')}")


def of_training_step(profile: Record) -> str:
    """What the times by operator class are of."""
    precision, batch = profile.config["execution"]["precision"], profile.config["batch"]
    return f"time: of the operations of a training step, both passes, at batch {batch}, eager {precision}{on_threads(profile)}"


def explained(shown: Sequence[Record]) -> list[str]:
    """What part of the passes the operator classes add up to, and what the profiler costs."""
    lines = []
    for phase in ("forward", "backward"):
        parts, costs = (_figures(shown, name, phase) for name in ("time_explained_pct", "profiler_time_pct"))
        if parts and costs:
            lines.append(
                f"{phase}: the classes add up to {_span(parts)} % of the pass without a profiler; under it the pass takes {_span(costs)} %"
            )
    return lines


def _figures(shown: Sequence[Record], name: str, phase: str) -> list[float]:
    found = (record.measurement(name, phase=phase) for record in shown)
    return [row.value for row in found if row is not None and row.value is not None]


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def uncounted(shown: Sequence[Record]) -> list[str]:
    """The operators that the counter does not know, with the rows they occur in."""
    named = [(", ".join(row.operator for row in record.uncounted), record) for record in doubted(shown) if record.uncounted]
    return _together([(f"not counted: {operators}", record) for operators, record in named])


def _together(said: Sequence[tuple[str, Record]]) -> list[str]:
    """What is said of several rows, once."""
    found: dict[str, list[Record]] = defaultdict(list)
    for message, record in said:
        found[message].append(record)
    return [
        OfRows(f"{_labels(records)}: {message}", {message: [each.id for each in records]}, under_of(message))
        for message, records in found.items()
    ]


def _labels(records: Sequence[Record]) -> str:
    return ", ".join(dict.fromkeys(record.model.label for record in one_of_each(records)))


def older(shown: Sequence[Record], records: Sequence[Record]) -> list[str]:
    """How many more Records of the same runs there are."""
    keys, further = set(column(shown, "key")), Stored.of(records).more
    more = sum(further[key] for key in keys & further.keys()) - (len(shown) - len(keys))
    return [f"the newest Record of each run is shown; {more} more of the same runs are in the store"] if more > 0 else []


def twice(shown: Sequence[Record]) -> list[str]:
    """Names that stand for more than one network, since their code changed between the runs."""
    networks = by(one_of_each(shown), lambda record: (record.model.name, tuple(record.model.knobs.items())))
    found = [dict.fromkeys(record.model.label for record in members) for members in networks.values()]
    return [
        f"{', '.join(labels)}: one network, whose code changed between the runs; its source's hash begins as behind the @"
        for labels in found
        if len(labels) > 1
    ]


def told_apart(rows: Sequence[Record]) -> Sequence[Record]:
    """The rows of one table; a name that stands for several sources goes on with the beginning of each one's hash: `my.py:f@1fb8e7`."""
    several = of_several_sources(rows)
    return [_with_source(record) if record.model.label in several else record for record in rows] if several else rows


def _with_source(record: Record) -> Record:
    label = f"{record.model.label}@{record.model.source_sha256[:HASH]}"
    return record.model_copy(update={"model": record.model.model_copy(update={"label": label})})


def of_several_sources(records: Iterable[Record]) -> list[str]:
    """Labels that stand for more than one source."""
    sources = by(one_of_each(records), lambda record: record.model.label)
    return [label for label, members in sources.items() if len({record.model.source_sha256 for record in members}) > 1]


def diverged(rows: Iterable[Mapping[Any, Any]]) -> list[str]:
    """Of which networks runs are in no figure since their loss did not stay finite, from the rows of a table."""
    found: dict[str, OfRows] = {}
    for row in (row for row in rows if row["diverged"]):
        said = f"{row['diverged']} of {row['runs']} runs diverged and are in no figure"
        note = OfRows(f"{row['model']}: {said}", {said: str(row.get("records", "")).split()})
        found.setdefault(note, note)
    return list(found.values())


def failed(runs: Sequence[Record], records: Sequence[Record]) -> list[str]:
    """Runs over further seeds of the same networks that came to nothing and were not made again since."""
    groups, lost = by_column(runs, "group"), Stored.of(records).lost
    counted = {group: len(set(column(lost[group], "key"))) for group in groups if group in lost}
    said = [(f"{count} more run{'s' * (count != 1)} failed, in no figure", groups[group]) for group, count in counted.items()]
    return [OfRows(f"{_labels(members)}: {message}", {message: column(members, "id")}) for message, members in said]


def of_other_threads(runs: Sequence[Record]) -> list[str]:
    """Networks whose runs stand in one figure though they did not all have as many threads of a processor."""
    on_cpus = (record for record in one_of_each(runs) if record.environment["device"]["kind"] == "cpu")
    groups = by(on_cpus, lambda record: record.group).values()
    found = [each for members in groups if len({record.environment["threads"] for record in members}) > 1 for each in members]
    said = "runs had different numbers of threads, which changes how sums are rounded and nothing else"
    return [OfRows(f"{_labels(found)}: {said}", {said: [each.id for each in found]}, ERRORS)] if found else []


def widths(shown: Sequence[Record]) -> list[str]:
    """The width that an equal count came to."""
    if not any(map(_is_equal, one_of_each(shown))):
        return []
    found = by(filter(_is_equal, shown), lambda record: record.model.label)
    said = [(f"width {members[-1].model.knobs['width']:.4g}", members) for members in found.values()]
    return [OfRows(f"{_labels(members)}: {width}", {width: [each.id for each in members]}) for width, members in said]


def _is_equal(record: Record) -> bool:
    """Whether a network's width was found by an equal count."""
    knobs = record.model.knobs
    return "equal" in knobs and isinstance(knobs.get("width"), int | float)


def interval_notes(runs: Sequence[Record]) -> list[str]:
    """Which interval stands beside an error."""
    ended = (column(members, "status").count("ok") for members in by_column(runs, "group").values())
    sizes = set(ended) - {0}
    notes: list[str] = []
    if 1 in sizes:
        notes.append(OfColumns("one run: the interval is Wilson's over the test images (95 %); it says nothing about other seeds", *ERRORS))
    if sizes - {1}:
        notes.append(OfColumns("several seeds: mean with Student's t interval over seeds (95 %)", *ERRORS))
    return notes


def tuning(runs: Sequence[Record]) -> list[str]:
    """How the learning rate and the decay of tuned rows were found, and of which rows where not of all in one way."""
    tuned = [run for run in runs if run.config.get("tuned")] if any(run.config.get("tuned") for run in one_of_each(runs)) else []
    ways = by((run for run in tuned if run.config["tuned"].keys() >= WAY_OF_TUNING), _way_of_tuning)
    notes = []
    for (val_fraction, span, searched), members in ways.items():
        of = "" if len(ways) == 1 else ", ".join(dict.fromkeys(member.model.label for member in members)) + ", "
        notes.append(
            f"{of}tuned: {searched.replace('_', ' ')} are those of the best of so many trials, by the error on {100 * val_fraction:g} % of "
            f"the training images, from 1/{span:g} to {span:g} times the recipe's; rows without a number have the recipe's"
        )
    return notes


def _way_of_tuning(run: Record) -> tuple[float, float, str]:
    tuned = run.config["tuned"]
    return tuned["val_fraction"], tuned["span"], " and ".join(map(str, tuned["space"]))


def _profile_notes(profiles: Sequence[Record], counted: bool) -> list[str]:
    """How the times were taken, and of which models where not of all in one way; of what the share is where anything was counted."""
    ways = by(profiles, lambda profile: (profile.config["execution"]["precision"], profile.environment["threads"], _interval(profile)))
    notes: list[str] = []
    for (precision, _, interval), members in ways.items():
        of = "" if len(ways) == 1 else ", ".join(dict.fromkeys(member.model.label for member in members)) + ": "
        batch, on = members[0].config["batch"], on_threads(members[0])
        times = f"{of}latency of one image, images/s of inference at batch {batch}, both eager {precision}{on}{interval}"
        notes.append(OfColumns(times, "latency", "images/s"))
    timed = any(profile.measurement("time_s") for profile in profiles)
    share = "1×1: share of the MACs" + (", and of the time of the operations of a training step" if timed else "")
    return [*notes, *[OfColumns(share, "1x1")] * (counted or bool(notes))]


def _interval(profile: Record) -> str:
    """How the interval of its time was made, behind what the time is of; nothing where there is none."""
    row = profile.measurement("latency_s", batch=1, mode="eager")
    return "" if row is None or row.low is None else f"; 95 % intervals: {row.method}{_launches(profile)}"


def _launches(profile: Record) -> str:
    """Over how many processes, one behind the other, where it was more than one; and whether no other model took turns with it."""
    launches = profile.config.get("launches") or 1
    alone = ", no other model beside it" if profile.config.get("interleaved_with") == [] else ""
    return (f", {launches} launches" if launches != 1 else "") + alone


def benchmark_notes(shown: Sequence[Record], records: Sequence[Record]) -> tuple[str, ...]:
    """Below benchmarks that were imported."""
    what = f"batch{on_threads(shown[0])}" if shown[0].config["batch"] else "call"
    return (f"time of one {what}: the median over pytest-benchmark's rounds", *older(shown, records))


def on_threads(profile: Record) -> str:
    """` on 2 threads` where the device has such."""
    threads = profile.environment["threads"]
    return f" on {threads} thread{'s' * (threads != 1)}" if profile.environment["device"]["kind"] == "cpu" else ""

"""The results table: a row a model, in one table for each condition, so that no table mixes what cannot be compared."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from archbench import stats
from archbench.records.schema import Record, canonical
from archbench.records.store import settled

PROFILE_FIGURES = {
    "latency_s": {"batch": 1},
    "infer_images_per_s": {},
    "infer_peak_bytes": {},
    "train_peak_bytes": {},
}


@dataclass(frozen=True)
class Table:
    """Rows that may be compared with each other; `frame` holds numbers, `notes` what a reader must know."""

    caption: str
    frame: pd.DataFrame
    notes: tuple[str, ...]


def tables(records: Iterable[Record]) -> list[Table]:
    """A table for each condition that occurs, trainings first; profiles that belong to no training get tables of their own."""
    records = list(records)
    trainings, profiles = [*newest(records, "train"), *newest(records, "imported")], newest(records, "profile")
    made, used = [], set()
    for _, rows in _by(trainings, condition).items():
        groups = _by(rows, lambda record: record.group)
        matched = {group: _profile_of(members[0], profiles) for group, members in groups.items()}
        used |= {profile.id for profile in matched.values() if profile}
        frame = pd.DataFrame([training_row(members, matched[group]) for group, members in groups.items()])
        made.append(Table(_caption(rows[0]), _sorted(frame), _notes(rows, matched.values(), records)))
    alone = [profile for profile in profiles if profile.id not in used]
    for _, rows in _by(alone, condition).items():
        frame = pd.DataFrame([profile_row(profile) for profile in rows])
        made.append(Table(_caption(rows[0]), _sorted(frame), _notes([], rows, records)))
    return made


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """All tables below each other, the condition in a column."""
    made = tables(records)
    return pd.concat([table.frame.assign(condition=table.caption) for table in made], ignore_index=True) if made else pd.DataFrame()


def newest(records: Iterable[Record], kind: str) -> list[Record]:
    """The Record that stands for each run of a kind."""
    return list(settled(record for record in records if record.kind == kind).values())


def condition(record: Record) -> tuple[Any, ...]:
    """What must be equal for two rows to stand in one table."""
    config, execution = record.config, record.config["execution"]
    common = (record.kind, *_circumstances(record), execution["precision"], execution["compiled"], execution["deterministic"])
    if record.kind == "profile":
        return (*common, record.environment["threads"])
    data, training = config["data"], config["training"]
    part = tuple(data[name] for name in ("name", "fingerprint", "train_images", "test_images", "train_fraction", "val_fraction"))
    if record.kind == "imported":
        return (*common, *part, config["protocol"])
    return (*common, *part, training["epochs"], config["protocol"], canonical(config["recipe"]))


def _circumstances(record: Record) -> tuple[Any, ...]:
    """Input, batch, device and versions: what a training shares with the profile beside it."""
    model, environment = record.model, record.environment
    versions = (environment["archbench"].rpartition(".")[0], environment["libraries"]["torch"])
    shape = (model.num_classes, model.in_channels, model.image_size)
    return (*shape, record.config["batch"], *_device(record), *versions)


def training_row(runs: Sequence[Record], profile: Record | None) -> dict[str, Any]:
    """One row: the runs of one network over seeds, and its profile."""
    errors = [run.measurement("test_error_pct") for run in runs]
    known = [row for row in errors if row is not None and row.value is not None]
    interval = _error_interval(known)
    left = [run for run in runs if run.status == "ok" and not any(doubt.code == "at_chance" for doubt in run.warnings)]
    return {
        **_identity(runs[0]),
        "test_error_pct": interval.value,
        "test_error_low_pct": interval.low,
        "test_error_high_pct": interval.high,
        "runs": len(runs),
        "n": interval.n,
        "left_chance": len(left),
        "diverged": sum(run.status == "diverged" for run in runs),
        "train_error_pct": _mean(run.measurement("train_error_pct") for run in runs),
        **_profile_figures(profile),
        "train_images_per_s": _mean(run.measurement("train_images_per_s") for run in runs),
        "head": runs[0].model.spec["head_kind"],
        "records": " ".join([*(run.id for run in runs), *([profile.id] if profile else [])]),
    }


def profile_row(profile: Record) -> dict[str, Any]:
    """One row of a network that was profiled alone."""
    figures = {**_identity(profile), **_profile_figures(profile)}
    return {**figures, "head": profile.model.spec["head_kind"], "records": profile.id}


def _identity(record: Record) -> dict[str, Any]:
    spec = record.model.spec
    year = math.nan if spec["year"] is None else spec["year"]
    return {"model": record.model.label, "title": spec["title"], "year": year}


def _error_interval(rows: Sequence[Any]) -> stats.Interval:
    """Wilson's over the test images for one run, Student's t over seeds for more, within 0 and 100."""
    if not rows:
        return stats.Interval(math.nan, math.nan, math.nan, 0)
    if len(rows) == 1:
        return stats.Interval(rows[0].value, rows[0].low, rows[0].high, 1)
    value, low, high, n = stats.mean_t([row.value for row in rows])
    return stats.Interval(value, max(low, 0.0), min(high, 100.0), n)  # no error lies outside


def _profile_figures(profile: Record | None) -> dict[str, Any]:
    names = ("params", "macs", "pointwise_macs_pct", "pointwise_time_pct", *PROFILE_FIGURES, "latency_low_s", "latency_high_s")
    figures: dict[str, Any] = dict.fromkeys(names, math.nan)
    if profile is None:
        return figures
    figures |= {name: value(profile, name) for name in ("params", "macs")}
    pointwise = profile.measurement("macs", operator_class="pointwise")
    figures["pointwise_macs_pct"] = 100 * (pointwise.value or 0) / figures["macs"] if pointwise else 0.0
    figures["pointwise_time_pct"] = _time_share(profile, "pointwise")
    figures |= {name: value(profile, name, **at) for name, at in PROFILE_FIGURES.items()}
    latency = profile.measurement("latency_s", batch=1)
    if latency is not None:
        figures |= {"latency_low_s": _number(latency.low), "latency_high_s": _number(latency.high)}
    return figures


def _time_share(profile: Record, operator_class: str) -> float:
    """Percent of the kernels' time of a training step, both passes; NaN where it was not measured."""
    rows = [row for row in profile.measurements if row.name == "time_s" and "operator_class" in row.at]
    whole = sum(_number(row.value) for row in rows)
    return 100 * sum(_number(row.value) for row in rows if row.at["operator_class"] == operator_class) / whole if whole else math.nan


def value(record: Record, name: str, **at: Any) -> float:
    """A measurement of a Record; NaN where it has none."""
    row = record.measurement(name, **at)
    return _number(row.value) if row is not None else math.nan


def _number(figure: float | None) -> float:
    return math.nan if figure is None else figure


def _mean(rows: Iterable[Any]) -> float:
    values = [row.value for row in rows if row is not None and row.value is not None]
    return stats.mean_t(values).value if values else math.nan


def _profile_of(run: Record, profiles: Sequence[Record]) -> Record | None:
    """The newest profile of the same network in the same circumstances."""
    same = [
        profile
        for profile in profiles
        if (profile.model.label, profile.model.source_sha256) == (run.model.label, run.model.source_sha256)
        and _circumstances(profile) == _circumstances(run)
    ]
    return max(same, key=lambda profile: profile.created, default=None)


def _device(record: Record) -> tuple[str, str]:
    device = record.environment["device"]
    return device["kind"], device["name"]


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    """By year; models from outside the zoo, whose year is not known, last."""
    return rows.sort_values(["year", "model"], ignore_index=True)


def _by(records: Iterable[Record], key: Any) -> dict[Any, list[Record]]:
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return dict(groups)


def _caption(record: Record) -> str:
    model, config = record.model, record.config
    shape = f"{model.in_channels}×{model.image_size}×{model.image_size}, {model.num_classes} classes"
    device = record.environment["device"]["name"]
    execution = config["execution"]
    mode = execution["precision"] + (", compiled" if execution["compiled"] else "")
    if record.kind == "profile":
        return f"profile · {shape} · batch {config['batch']} · {mode} · {device}"
    data, training = config["data"], config["training"]
    if record.kind == "imported":
        images = f"{data['test_images']:,} test images"
        return f"{data['name']} ({shape}; {images}) · published weights · batch {config['batch']}, {mode} · {device}"
    part = f", {100 * data['train_fraction']:g} % of the training set" if data["train_fraction"] < 1 else ""
    part += f", {100 * data['val_fraction']:g} % of it held out" if data["val_fraction"] else ""
    images = f"{data['train_images']:,} training and {data['test_images']:,} test images{part}"
    epochs = f"{training['epochs']} epoch{'s' if training['epochs'] != 1 else ''}"
    return f"{data['name']} ({shape}; {images}) · recipe {training['name']}, {epochs}, batch {config['batch']}, {mode} · {device}"


def _notes(runs: Sequence[Record], profiles: Iterable[Record | None], records: Sequence[Record]) -> tuple[str, ...]:
    """How the figures were made, then each doubt once, with the rows it concerns."""
    found = [profile for profile in profiles if profile is not None]
    shown = [*runs, *found]
    notes: dict[str, list[str]] = defaultdict(list)
    for record in shown:
        for doubt in record.warnings:
            notes[doubt.message].append(record.model.label)
        if record.uncounted:
            notes["not counted: " + ", ".join(row.operator for row in record.uncounted)].append(record.model.label)
    lines = [*_interval_notes(runs), *_profile_notes(found)]
    lines += [f"{', '.join(dict.fromkeys(labels))}: {message}" for message, labels in notes.items()]
    lines += _twice(runs or found) + _widths(runs or found)
    skipped = max((record.config["data"].get("skipped", 0) for record in runs), default=0)
    if skipped:
        lines.append(f"{skipped} image files that could not be read are left out")
    older = sum(record.key in {row.key for row in shown} for record in records) - len(shown)
    if older > 0:
        lines.append(f"the newest Record of each run is shown; {older} more of the same runs are in the store")
    return tuple(lines)


def _twice(shown: Sequence[Record]) -> list[str]:
    """Names that stand for more than one network, since their code changed between the runs."""
    sources = _by(shown, lambda record: record.model.label)
    changed = [label for label, members in sources.items() if len({record.model.source_sha256 for record in members}) > 1]
    return [f"{label} stands here more than once: its code changed between the runs" for label in changed]


def _widths(shown: Sequence[Record]) -> list[str]:
    """The width that an equal count came to."""
    found = {record.model.label: record.model.knobs["width"] for record in shown if "equal" in record.model.knobs}
    return [f"{label}: width {width:.4g}" for label, width in found.items()]


def _interval_notes(runs: Sequence[Record]) -> list[str]:
    """Which interval stands beside an error."""
    ended = (sum(run.status == "ok" for run in members) for members in _by(runs, lambda record: record.group).values())
    sizes = set(ended) - {0}
    notes = []
    if 1 in sizes:
        notes.append("one run: the interval is Wilson's over the test images (95 %); it says nothing about other seeds")
    if sizes - {1}:
        notes.append("several seeds: mean with Student's t interval over seeds (95 %)")
    return notes


def _profile_notes(profiles: Sequence[Record]) -> list[str]:
    """How the times were taken, and of which models where not of all in one way."""
    ways = _by(profiles, lambda profile: (profile.config["execution"]["precision"], profile.environment["threads"]))
    notes = []
    for (precision, threads), members in ways.items():
        of = "" if len(ways) == 1 else ", ".join(dict.fromkeys(member.model.label for member in members)) + ": "
        batch = members[0].config["batch"]
        on = f" on {threads} thread{'s' * (threads != 1)}" if members[0].environment["device"]["kind"] == "cpu" else ""
        notes.append(f"{of}latency of one image, images/s of inference at batch {batch}, both eager {precision}{on}")
    timed = any(profile.measurement("time_s") for profile in profiles)
    share = "1×1: share of the MACs" + (", and of the time of the operations of a training step" if timed else "")
    return [*notes, share] if notes else []

"""The ablations page: each network with knobs beside the same network without, by what its error and its counts differ.

Two stand beside each other only where everything else was equal: data, recipe, length, device and all that the guard of tables knows,
and the code that builds them. Networks that were profiled and not trained have counts alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from archbench.publish import captioning, grouping, guard, notes, pairwise, verdicts
from archbench.publish.beside import Profiles
from archbench.publish.columns import MODEL, PROFILED, TRAINED, Columns
from archbench.publish.errors import IMAGES, NEWCOMBE, PAIRS, WELCH, tested
from archbench.publish.formats import MISSING, Row, plain
from archbench.publish.operators import comparable
from archbench.publish.pairwise import LEAST_SEEDS, Entry
from archbench.publish.predictions import Kept
from archbench.publish.results import Table, error_figures, identity, profile_row
from archbench.records.schema import Record

POINTS = "points: what the network with knobs errs more than the one without, in percent points; intervals are 95 % each"
CHANGE = "change: of a count, in percent of that of the network without knobs"
VERDICT = f"verdict: by Welch's t at the 5 % level, from {LEAST_SEEDS} seeds on both sides on; each p is Holm's over this table's pairs"
COUNTS = ("params", "macs", "latency_s", "latency_low_s", "latency_high_s", "latency_doubtful")


@dataclass(frozen=True)
class Ablations:
    """Networks with knobs under one condition, a row each, the Records that these are from, and labels that have no counterpart."""

    caption: str
    rows: Sequence[Row]
    shown: Sequence[Record]
    alone: Sequence[str]


def ablations(records: Iterable[Record], kept: Kept) -> list[Ablations]:
    """For each condition under which a network was run with knobs and without: trainings, then profiles that belong to none of them."""
    records = grouping.Stored.of(records)
    profiles = Profiles.of(records)
    trained = [_trained(runs, profiles, kept) for runs in grouping.by_alike(tested(records), _condition).values()]
    used = {record.id for each in trained for record in each.shown}
    counted = [_profiled(found, used) for found in comparable(records)]
    return [each for each in [*trained, *counted] if each.rows]


def tables(found: Iterable[Ablations], records: Sequence[Record], kept: Kept) -> list[Table]:
    """A table for each condition."""
    return [
        Table(f"ablations · {each.caption}", pd.DataFrame(each.rows), tuple(_notes(each, records, kept)), COLUMNS, shown=tuple(each.shown))
        for each in found
    ]


def frame(found: Iterable[Ablations]) -> pd.DataFrame:
    """All rows below each other, the condition in a column."""
    return pd.DataFrame([{**row, "condition": each.caption} for each in found for row in each.rows])


def _condition(record: Record) -> tuple[object, ...]:
    return (*guard.condition(record), (record.config.get("tuned") or {}).get("trials"))


def _beside(records: Sequence[Record]) -> Iterator[tuple[Sequence[Record], Sequence[Record]]]:
    """The runs of each network without knobs, and those of the same network, from the same code, with knobs."""
    for members in grouping.by_alike(records, lambda record: (record.model.name, record.model.source_sha256)).values():
        sides = grouping.by_alike(members, lambda record: bool(record.model.knobs))
        for runs in grouping.by_column(sides.get(True, []), "group").values():
            yield sides.get(False, []), runs


def _trained(runs: Sequence[Record], profiles: Profiles, kept: Kept) -> Ablations:
    """Errors with Welch's interval, all p adjusted together, and the counts of the profiles that belong to the trainings."""
    pairs = list(_beside(runs))
    sides = [(Entry(base), Entry(knobbed)) for base, knobbed in pairs if base]
    told = [each for each in sides if all(entry.tested for entry in each)]
    compared = iter(pairwise.compared(told, kept))
    rows, shown = [], []
    for base, side in sides:
        found = next(compared) if (base, side) in told else verdicts.untold(len(base.tested), len(side.tested))
        both = [profiles.beside(entry.runs[0]) for entry in (base, side)]
        members = [*side.runs, *base.runs, *(profile for profile in both if profile)]
        shown += members
        rows.append(
            {
                **identity(side.runs[0]),
                **error_figures(side.runs),
                **{name: value for name, value in found.items() if name not in ("model", "against")},
                "against": base.name,
                "verdict": verdicts.word(found, verdicts.diverged({base.name: base.runs, side.name: side.runs})),
                **_costs(*both),
                "records": " ".join(dict.fromkeys(record.id for record in members)),
            }
        )
    return Ablations(captioning.caption(runs[0]), rows, shown, _alone(pairs))


def _profiled(profiles: Sequence[Record], used: set[str]) -> Ablations:
    pairs = list(_beside(profiles))
    both = [(base[0], side) for base, sides in pairs if base for side in sides if side.id not in used]
    rows = [
        {**identity(side), "against": base.model.label, **_untested(), **_costs(base, side), "records": f"{side.id} {base.id}"}
        for base, side in both
    ]
    shown = [record for base, side in both for record in (side, base)]
    return Ablations(captioning.caption(profiles[0]), rows, shown, _alone(pairs))


def _untested() -> Row:
    """The figures of an error that nobody measured."""
    figures = dict.fromkeys(("test_error_pct", "test_error_low_pct", "test_error_high_pct", "tuned_trials"), math.nan)
    told = {name: value for name, value in verdicts.untold(0, 0).items() if name not in ("model", "against")}
    return {**figures, "runs": 0, "left_chance": 0, "diverged": 0, **told, "verdict": ""}


def _alone(pairs: Iterable[tuple[Sequence[Record], Sequence[Record]]]) -> list[str]:
    return list(dict.fromkeys(side[0].model.label for base, side in pairs if not base))


def _costs(base: Record | None, side: Record | None) -> Row:
    """Counts and time of the network with knobs, and by what percent its counts differ."""
    none = dict.fromkeys(("params", "macs", "latency_s", "latency_low_s", "latency_high_s"), math.nan)
    known, before = ({**none, **profile_row(each)} if each else {**none, "latency_doubtful": False} for each in (side, base))
    changes = {f"{name}_change_pct": 100 * (known[name] / before[name] - 1) if before[name] else math.nan for name in ("params", "macs")}
    return {name: known[name] for name in COUNTS} | changes


def _notes(found: Ablations, records: Sequence[Record], kept: Kept) -> list[str]:
    rows = found.rows
    several = any(min(row["n"], row["n_against"]) > 1 for row in rows)
    single = any(row["n"] == row["n_against"] == 1 and math.isnan(row["p_two_networks"]) for row in rows)
    over_images, told = (any(not math.isnan(row[name]) for row in rows) for name in ("p_images", "p_holm"))
    compared = any(row["n"] for row in rows)
    lines = [*[POINTS] * compared, *[WELCH] * several, *[IMAGES] * over_images, *[NEWCOMBE] * single, *[VERDICT] * told, CHANGE]
    lines += [f"no run without knobs under equal conditions, so not shown: {', '.join(found.alone)}"] * bool(found.alone)
    runs = [record for record in found.shown if record.kind != "profile"]
    lines += [*notes.interval_notes(runs), *notes.diverged(rows), *notes.failed(runs, records), *notes.of_other_threads(runs)]
    return [*lines, *notes.doubts(found.shown), *notes.widths(found.shown), *notes.older(_distinct(found.shown), records)]


def _distinct(shown: Iterable[Record]) -> list[Record]:
    return list({record.id: record for record in shown}.values())


def _change(name: str) -> Callable[[Row], str]:
    return lambda row: plain(row[name], lambda value: f"{value:+.1f}")


def _pair(header: str) -> Callable[[Row], str]:
    """What the errors page shows of a pair; nothing of networks that were not trained."""
    return lambda row: PAIRS[header](row) if row["n"] and row["n_against"] else MISSING


COLUMNS: Columns = {
    "model": MODEL["model"],
    "beside": lambda row: row["against"],
    "test error, %": TRAINED["test error, %"],
    **{header: _pair(header) for header in ("points", "interval", "p", "new images", "p, new")},
    "verdict": lambda row: row["verdict"] or MISSING,
    "params": PROFILED["params"],
    "params, change %": _change("params_change_pct"),
    "MACs": PROFILED["MACs"],
    "MACs, change %": _change("macs_change_pct"),
    "latency, ms": PROFILED["latency, ms"],
}

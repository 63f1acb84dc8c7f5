"""The claims page: each error that a paper reports beside ours of the same network, and whether it came out again.

A claim stands beside the trainings of its network on its data set, or on a set that is named after it (`cifar10-jpeg`). It is comparable
where network, data, length, share of the training set, preprocessing, augmentation and test are the paper's; what no source tells is not
held against a training that reaches the claim, and forbids to say of one that does not that it failed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from archbench.publish import grouping, notes
from archbench.publish.claimed import Claimed, claims, in_words, is_named_after
from archbench.publish.columns import Columns
from archbench.publish.errors import tested
from archbench.publish.formats import MISSING, Row, epochs_text, figure
from archbench.publish.reading import Reading
from archbench.publish.results import Table, error_figures
from archbench.records.schema import Record

TOLERANCE_POINTS, LEAST_SEEDS, SLACK = 0.3, 3, 1e-9
REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = "reproduced", "not reproduced", "inconclusive"
NOT_COMPARABLE, NO_RECORD = "not comparable", "no Record"
FIGURES = ("test_error_pct", "test_error_low_pct", "test_error_high_pct", "n", "runs", "diverged")
CAPTION = "published errors beside ours"
RULE = (
    f"reproduced: the interval's upper end is at most the claim plus {TOLERANCE_POINTS} points, from {LEAST_SEEDS} seeds on; "
    "not reproduced: its lower end lies above that; inconclusive: in between, with fewer seeds, or where one diverged"
)
COMPARABLE = (
    "not comparable: network, data, length, share of the training set, preprocessing, augmentation or test are not the paper's, as named"
)
UNKNOWN = "what no source tells of the paper's training stands against none that reaches the claim, and fails none that does not"
INTERVAL = "several seeds: mean with Student's t interval over seeds (95 %); one seed has none"
Specs = Sequence[Mapping[str, Any]]


def frame(records: Iterable[Record], specs: Specs = ()) -> pd.DataFrame:
    """A row for each claim and each setting in which its network was trained; one for a claim without a Record.

    The claims are those of `specs`, and of other networks those that the Records keep.
    """
    records = grouping.Stored.of(records)
    trained = grouping.by_alike(_trained(records), lambda record: record.model.name)
    return pd.DataFrame([row for claim in claims(records, specs) for row in _rows(claim, trained.get(claim.model, ()))])


def tables(rows: pd.DataFrame, records: Sequence[Record]) -> list[Table]:
    """One table of the rows of `frame`, which were made from these Records."""
    if rows.empty:
        return []
    ids = set(" ".join(rows.records).split())
    trained = _trained(records)
    shown = grouping.picked(trained, [place for place, id in enumerate(grouping.column(trained, "id")) if id in ids])
    lines = [
        RULE,
        COMPARABLE,
        UNKNOWN,
        *[INTERVAL] * bool(shown),
        *notes.diverged(rows.to_dict("records")),
        *notes.of_other_threads(shown),
        *notes.twice(shown),
        *notes.older(shown, records),
    ]
    return [Table(CAPTION, rows, tuple(lines), COLUMNS, shown=shown)]


def readings(rows: pd.DataFrame) -> list[Reading]:
    """How many claims could be set beside ours, and what came of it."""
    return [] if rows.empty else [Reading("claims", {"": tuple(_sentences(rows))})]


def _trained(records: Iterable[Record]) -> Sequence[Record]:
    return notes.told_apart(tested(records))


def verdict(claim_pct: float, figures: Mapping[str, Any], differing: Sequence[str], unknown: Sequence[str]) -> tuple[str, str]:
    """The verdict over a mean with its interval over `n` seeds, and why, where it is not the interval alone."""
    limit = claim_pct + TOLERANCE_POINTS
    if differing:
        return NOT_COMPARABLE, "; ".join([*differing, *filter(None, [_not_known(unknown)])])
    if figures["diverged"]:
        return INCONCLUSIVE, f"{figures['diverged']} of {figures['runs']} runs diverged"
    if figures["n"] < LEAST_SEEDS:
        return INCONCLUSIVE, f"seeds: {figures['n']}, a verdict takes {LEAST_SEEDS}"
    if figures["test_error_high_pct"] <= limit + SLACK:
        return REPRODUCED, _not_known(unknown)
    if figures["test_error_low_pct"] <= limit + SLACK:
        return INCONCLUSIVE, f"the interval goes over {limit:.2f}"
    return (NOT_COMPARABLE, _not_known(unknown)) if unknown else (NOT_REPRODUCED, "")


def _not_known(what: Sequence[str]) -> str:
    return "; ".join(f"{each}: the paper's is not known" for each in what)


def _rows(claim: Claimed, trained: Sequence[Record]) -> list[Row]:
    own = grouping.by_alike(trained, lambda record: dict(record.model.knobs) == claim.knobs).get(True, [])
    near = grouping.by_alike(own, lambda record: is_named_after(_data(record)["name"], claim.dataset)).get(True, [])
    if near:
        return [_row(claim, runs) for runs in grouping.by_column(near, "group").values()]
    elsewhere = ", ".join(dict.fromkeys(_data(record)["name"] for record in grouping.one_of_each(own)))
    return [{**claim.row, **_nothing(), "verdict": NO_RECORD, "why": f"only on {elsewhere}" if elsewhere else "", "records": ""}]


def _row(claim: Claimed, runs: Sequence[Record]) -> Row:
    figures, first = error_figures(runs), runs[0]
    if figures["n"] < 2:
        figures |= {"test_error_low_pct": math.nan, "test_error_high_pct": math.nan}
    training = first.config["training"] or {}
    found, why = verdict(claim.error_pct, figures, claim.differing(first), claim.unknown if training else [])
    return {
        **claim.row,
        "model": first.model.label,
        "data": _data(first)["name"],
        "train_images": _data(first)["train_images"],
        "recipe": training.get("name", "published weights"),
        "epochs": training.get("epochs", math.nan),
        **{name: figures[name] for name in FIGURES},
        "verdict": found,
        "why": why,
        "records": " ".join(grouping.column(runs, "id")),
    }


def _nothing() -> Row:
    counts = dict.fromkeys(("n", "runs", "diverged"), 0)
    figures = dict.fromkeys(("train_images", "epochs", *(name for name in FIGURES if name not in counts)), math.nan)
    return {"data": "", "recipe": "", **figures, **counts}


def _data(record: Record) -> dict[str, Any]:
    data: dict[str, Any] = record.config["data"]
    return data


def _sentences(rows: pd.DataFrame) -> Iterable[str]:
    """Computed from the rows: how many claims are comparable, what came of them, and what stands against the others."""
    by_claim = [part for _, part in rows.groupby("claim", sort=False)]
    equal = [part for part in by_claim if not set(part.verdict) <= {NOT_COMPARABLE, NO_RECORD}]
    beside = f"{len(equal)} of {len(by_claim)} claims can be set beside our Records at equal conditions"
    yield f"{beside}: {_judged(equal)}." if equal else f"{beside}."
    other = [part for part in by_claim if NOT_COMPARABLE in set(part.verdict) and not any(part is each for each in equal)]
    if other:
        kinds = Counter(kind for part in other for kind in min(map(_kinds, part.why), key=len))
        said = ", ".join(f"{kind} in {count}" for kind, count in sorted(kinds.items(), key=lambda each: (-each[1], each[0])))
        yield f"{len(other)} have Records under other conditions alone; what differs or is not known, in the nearest of each: {said}."
    missing = [part for part in by_claim if set(part.verdict) == {NO_RECORD}]
    if missing:
        elsewhere = sum(bool(part.why.iloc[0]) for part in missing)
        yield f"{len(missing)} have no Record, {elsewhere} of them though the network was trained on other data."


def _judged(equal: Sequence[pd.DataFrame]) -> str:
    """`reproduced 1 (nin, cifar10, no augmentation: 10.41 %); inconclusive 2 (...)`."""
    parts = []
    for found in (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE):
        named = [part.claim.iloc[0] for part in equal if found in set(part.verdict)]
        parts += [f"{found} {len(named)} ({'; '.join(named)})"] * bool(named)
    return "; ".join(parts)


def _kinds(why: str) -> list[str]:
    """`data`, `length`: what the parts of a reason begin with, each once."""
    return list(dict.fromkeys(part.partition(":")[0] for part in why.split("; ") if part))


def _ours(row: Row) -> str:
    """`29.9 [29.1–30.7] % n=5 on cifar10, modern, 8 epochs`."""
    if not row["data"]:
        return MISSING
    bounds = row["test_error_low_pct"], row["test_error_high_pct"]
    known = "diverged" if math.isnan(row["test_error_pct"]) else f"{figure(row['test_error_pct'], *bounds, usual=2)} %"
    known += f" n={row['n']}" * (row["n"] > 1)
    epochs = "" if math.isnan(row["epochs"]) else f", {epochs_text(int(row['epochs']))}"
    return f"{known} on {row['data']}, {row['recipe']}{epochs}"


COLUMNS: Columns = {
    "model": lambda row: row["model"],
    "claim": lambda row: f"{row['dataset']}, {in_words(row['augmentation'])} ({row['where']})",
    "paper, %": lambda row: f"{row['claimed_error_pct']:.2f}",
    "ours": _ours,
    "verdict": lambda row: f"{row['verdict']} ({row['why']})" if row["why"] else row["verdict"],
}

"""Which runs of two sides face each other, which have lost their partner, and what else differs between the sides."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

from archbench.publish import guard, notes
from archbench.records.schema import Record

MISSING = "missing"


@dataclass(frozen=True)
class Lost:
    """A run that ended well before and has no such partner after: it is `missing` there, or ended as `status` says."""

    model: str
    kind: str
    data: str
    seed: int | None
    status: str

    @property
    def line(self) -> str:
        """`nin on digits, seed 3 (train): ok before, failed after`."""
        of = f" on {self.data}" if self.data else ""
        of += f", seed {self.seed}" if self.kind in ("train", "evaluated") else ""
        return f"{self.model}{of} ({self.kind}): ok before, {self.status.replace('_', ' ')} after"


def pairs(before: Sequence[Record], after: Sequence[Record]) -> list[tuple[list[Record], list[Record]]]:
    """Runs of the same network under the same settings that ended well, seeds together, oldest first.

    Two single Records of a kind were chosen by hand and are a pair.
    """
    if _by_hand(before, after):
        return [(list(before), list(after))] if before[0].status == after[0].status == "ok" else []
    old, new = _runs(before), _runs(after)
    return [(old[run], new[run]) for run in old if run in new]


def lost(before: Sequence[Record], after: Sequence[Record]) -> list[Lost]:
    """Runs that ended well before and did not after, or of whose network under the same settings there is none any more."""
    if _by_hand(before, after):
        return [_lost(before[0], after[0].status)] if before[0].status == "ok" != after[0].status else []
    old, new = _runs(before), _runs(after)
    ended = {(_comparable(record), _seed(record)): record.status for record in _by_age(after) if record.status != "ok"}
    found = []
    for run, records in old.items():
        well = {_seed(record) for record in new.get(run, [])}
        for record in records:
            status = ended.get((run, _seed(record)), "" if well else MISSING)
            if status and _seed(record) not in well:
                found.append(_lost(record, status))
    return sorted(found, key=lambda each: each.line)


def circumstances(before: Sequence[Record], after: Sequence[Record]) -> list[str]:
    """What else than the code differs between the sides, for a reader who would blame the code."""
    facts: dict[str, Callable[[Record], object]] = {
        "device": lambda record: record.environment["device"]["name"],
        "threads": lambda record: record.environment["threads"],
        "torch": lambda record: record.environment["libraries"]["torch"],
    }
    lines = []
    for name, fact in facts.items():
        old, new = (", ".join(sorted({str(fact(record)) for record in side})) for side in (before, after))
        if old != new:
            lines.append(f"{name} differs: {old} before, {new} after")
    return [*lines, *_settings(before, after, facts)]


def _settings(before: Sequence[Record], after: Sequence[Record], said: Container[str]) -> list[str]:
    """What tells the settings of two tests apart that were chosen by hand, as the guard of tables sees it."""
    pair = [*before, *after]
    if not _by_hand(before, after) or any(each.kind == "profile" or notes.is_benchmark(each) for each in pair):
        return []
    old, new = map(guard.facts, pair)
    return [f"{name} differs: {old.get(name)} before, {new.get(name)} after" for name in guard.differing(pair) if name not in said]


def _by_hand(before: Sequence[Record], after: Sequence[Record]) -> bool:
    return len(before) == len(after) == 1 and before[0].kind == after[0].kind


def _runs(records: Sequence[Record]) -> dict[tuple[Any, ...], list[Record]]:
    """Of each seed the newest Record that ended well, oldest first, by what makes runs comparable."""
    runs: dict[tuple[Any, ...], dict[int | None, Record]] = {}
    for record in _by_age(records):
        if record.status == "ok":
            runs.setdefault(_comparable(record), {})[_seed(record)] = record
    return {run: _by_age(list(by_seed.values())) for run, by_seed in runs.items()}


def _by_age(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.created, record.id))


def _comparable(record: Record) -> tuple[Any, ...]:
    model, config, environment = record.model, record.config, record.environment
    data, training = config.get("data") or {}, config.get("training") or {}
    shape = (model.num_classes, model.in_channels, model.image_size, config["batch"], config["execution"]["precision"])
    machine = (environment["device"]["kind"], environment["threads"])
    learned = (data.get("name"), data.get("train_images"), training.get("name"), training.get("epochs"))
    return (record.kind, model.label, *shape, *machine, *learned)


def _seed(record: Record) -> int | None:
    seed: int | None = record.config.get("seed")
    return seed


def _lost(record: Record, status: str) -> Lost:
    data = record.config.get("data") or {}
    return Lost(record.model.label, record.kind, data.get("name", ""), _seed(record), status)

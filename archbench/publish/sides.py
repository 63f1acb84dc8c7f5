"""Which runs of two sides face each other, which have lost their partner, and what else differs between the sides."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

from archbench.publish import captioning, grouping, guard, notes
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
        of += f", seed {self.seed}" if self.kind in ("train", "evaluated", "explain") else ""
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
    return [*lines, *_sources(before, after), *_settings(before, after, facts)]


def _sources(before: Sequence[Record], after: Sequence[Record]) -> list[str]:
    """The networks whose code differs between the sides, and those of which one side holds several, the newest being compared."""
    changed: dict[str, dict[str, None]] = {}
    for old, new in pairs(before, after):
        one, other = old[-1].model, new[-1].model
        if one.source_sha256 != other.source_sha256:
            hashes = f"{one.source_sha256[: notes.HASH]} before, {other.source_sha256[: notes.HASH]} after"
            changed.setdefault(hashes, {})[one.label if one.label == other.label else f"{one.label} and {other.label}"] = None
    lines = [f"source changed of {', '.join(labels)}: {hashes}" for hashes, labels in changed.items()]
    for side, records in (("before", before), ("after", after)):
        well = [record for record in records if record.status == "ok"]
        sources = notes.of_several_sources(well)
        lines += [f"{side} holds several sources of {', '.join(sources)}: the newest is compared"] * bool(sources)
        settings = [each for each in _of_several_settings(well) if each not in sources]
        lines += [f"{side} holds {', '.join(settings)} under several settings: the newest are compared"] * bool(settings)
    return lines


def _of_several_settings(records: Sequence[Record]) -> list[str]:
    """Labels of which some runs look comparable and were not made alike: tuned or not, say, or mirrored or not."""
    runs = grouping.by(records, _comparable).values()
    return list(dict.fromkeys(members[0].model.label for members in runs if len({record.group for record in members}) > 1))


def _settings(before: Sequence[Record], after: Sequence[Record], said: Container[str]) -> list[str]:
    """What else tells the settings of tests that are compared apart, as the guard of tables sees it."""
    found: dict[str, dict[str, None]] = {}
    for pair in ([old[-1], new[-1]] for old, new in pairs(before, after)):
        if any(each.kind == "profile" or captioning.is_benchmark(each) for each in pair):
            continue
        old, new = map(guard.facts, pair)
        for name in (name for name in guard.differing(pair) if name not in said):
            found.setdefault(f"{name} differs: {old.get(name)} before, {new.get(name)} after", {})[pair[0].model.label] = None
    return [line if _by_hand(before, after) else f"{line} ({', '.join(labels)})" for line, labels in found.items()]


def _by_hand(before: Sequence[Record], after: Sequence[Record]) -> bool:
    return len(before) == len(after) == 1 and before[0].kind == after[0].kind


def _runs(records: Sequence[Record]) -> dict[tuple[Any, ...], list[Record]]:
    """Of each seed the newest Record that ended well, oldest first, by what makes runs comparable.

    Seeds stand together only where everything else was the same (their `group`): of several such, those with the newest Record.
    """
    well = [record for record in _by_age(records) if record.status == "ok"]
    runs = {}
    for run, members in grouping.by(well, _comparable).items():
        alike = [record for record in members if record.group == members[-1].group]
        runs[run] = _by_age(list({_seed(record): record for record in alike}.values()))
    return runs


def _by_age(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.created, record.id))


def apart(before: Sequence[Record], after: Sequence[Record]) -> str:
    """In what the nearest two runs of sides that have none in common differ: `the nearest differ in batch: 4 before, 32 after`."""
    old, new = ([dict(key) for key in _runs(side)] for side in (before, after))
    if not old or not new:
        return f"of those {'after' if old else 'before'} none ended well"
    one, other = min(itertools.product(old, new), key=lambda pair: len(_unlike(*pair)))
    said = [f"{name}: {one[name]} before, {other[name]} after" for name in _unlike(one, other)]
    return f"the nearest two differ in {'; '.join(said)}"


def _unlike(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name in one if one[name] != other[name]]


def _comparable(record: Record) -> tuple[tuple[str, Any], ...]:
    model, config, environment = record.model, record.config, record.environment
    data, training = config.get("data") or {}, config.get("training") or {}
    facts = {
        "kind": record.kind,
        "network": model.label,
        "classes": model.num_classes,
        "channels": model.in_channels,
        "image size": model.image_size,
        "batch": config["batch"],
        "precision": config["execution"]["precision"],
        "device": environment["device"]["kind"],
        "threads": environment["threads"],
        "data": data.get("name"),
        "training images": data.get("train_images"),
        "training crop": data.get("crop"),
        "recipe": training.get("name"),
        "epochs": training.get("epochs"),
    }
    if record.kind == "explain":
        explain = config["explain"]
        facts |= {"trained on": config["trained_on"]["name"], **{name: explain[name] for name in ("method", "layer_asked", "n")}}
        facts |= {"objects": explain["boxes"]["sha256"]} if explain.get("boxes") else {}
    return tuple(facts.items())


def _seed(record: Record) -> int | None:
    seed: int | None = record.config.get("seed")
    return seed


def _lost(record: Record, status: str) -> Lost:
    data = record.config.get("data") or {}
    return Lost(record.model.label, record.kind, data.get("name", ""), _seed(record), status)

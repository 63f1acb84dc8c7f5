"""What a table's caption states beside its condition: the convention, n, and the data, device and versions behind the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from archbench.publish import grouping
from archbench.publish.results import Table
from archbench.records.schema import Record

MACS = "one multiply-add is one MAC"
TOP1, ONCE = "test error: top-1", ", read once after the last epoch"  # of trainings; weights of elsewhere had their last epoch there


def stated(table: Table) -> list[str]:
    """A line each; nothing of a table that is from no Record."""
    shown = list({record.id: record for record in table.shown}.values())
    if not shown:
        return []
    said = [table.caption, *table.columns]
    error = TOP1 + ONCE * all(record.kind in ("train", "profile") for record in shown)
    lines = [MACS] * any("MAC" in each or "params" in each for each in said) + [error] * any("test error" in each for each in said)
    lines.append(f"n: {_counted(shown)}")
    for what, values in (("data", _data(shown)), ("device", _devices(shown))):
        absent = [value for value in values if value not in table.caption]
        lines += [f"{what}: {', '.join(absent)}"] * bool(absent)
    return [*lines, versions(shown)]


def versions(shown: Iterable[Record]) -> str:
    """`archbench 0.1.0, PyTorch 2.9.1`: all that there are."""
    shown = list(shown)
    names = {
        "archbench": lambda record: record.environment["archbench"],
        "PyTorch": lambda record: record.environment["libraries"]["torch"],
    }
    return ", ".join(f"{name} {' and '.join(_distinct(map(of, shown)))}" for name, of in names.items())


def _counted(shown: Sequence[Record]) -> str:
    """`3 networks, 5 seeds each`, `3 networks, 1 to 5 seeds each`."""
    runs = grouping.by((record for record in shown if record.kind == "train"), lambda record: record.group)
    networks = len({record.model.label for record in shown})
    text = f"{networks} network{'s' * (networks != 1)}"
    if not runs:
        return text
    seeds = sorted(len({run.key for run in members}) for members in runs.values())
    least, most = seeds[0], seeds[-1]
    span = f"{least} to {most}" if least < most else str(least)
    return f"{text}, {span} seed{'s' * (most != 1)}{' each' * (networks != 1)}"


def _data(shown: Iterable[Record]) -> list[str]:
    return _distinct(record.config["data"]["name"] for record in shown if record.config.get("data"))


def _devices(shown: Iterable[Record]) -> list[str]:
    return _distinct(record.environment["device"]["name"] for record in shown)


def _distinct(values: Iterable[Any]) -> list[str]:
    return sorted(dict.fromkeys(map(str, values)))

"""Records as the page shows them: all but their raw samples, of which the curves of a training stay. What many share is kept once."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from archbench.publish.captioning import caption, is_benchmark
from archbench.publish.formats import epochs_text
from archbench.records.schema import MOST, Record, canonical, plain
from archbench.records.store import plain_name

DIGITS = 7
CURVES = ("loss", "val_error_pct", "val_loss", "images_per_s", "lr")


class Pool:
    """Values that many Records share, each once; a Record holds their places."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Where a value is."""
        text = canonical(value)
        if text not in self._places:
            self._places[text] = len(self.values)
            self.values.append(shown(plain(value)))
        return self._places[text]


def stored(records: Iterable[Record]) -> dict[str, Any]:
    """`records`, newest first, and the `pool` to which they refer."""
    pool = Pool()
    made = [_record(record, pool) for record in records]
    return {"records": made[::-1], "pool": pool.values}


def _record(record: Record, pool: Pool) -> dict[str, Any]:
    """`config` and `environment` are places in the pool, by name.

    A measurement is the place of its name, its value, low, high and n, and the places of its method and of what qualifies it.
    """
    return {
        "id": record.id,
        "model": shown(record.model.label),
        "kind": record.kind,
        "status": record.status,
        "created": shown(record.created),
        "duration_s": plain(record.duration_s),
        "seed": plain(record.config.get("seed")) if record.kind in ("train", "explain") else None,
        "file": f"runs/{plain_name(record.model.label)}-{record.kind}-{record.id}.json",
        "condition": pool.place(_condition(record)),
        "group": pool.place(record.group),
        "setting": pool.place(_setting(record)),
        "failure": shown(record.failure.message) if record.failure else "",
        "doubts": [shown(doubt.message) for doubt in record.warnings],
        "uncounted": [f"{shown(each.operator)} ({each.calls})" for each in record.uncounted],
        "files": [[shown(each.path), each.bytes, shown(each.sha256)] for each in record.files],
        "measurements": [
            [pool.place(row.name), *map(rounded, (row.value, row.low, row.high)), row.n, pool.place(row.method), pool.place(row.at)]
            for row in record.measurements
        ],
        "config": {shown(name): pool.place(value) for name, value in record.config.items() if value is not None},
        "environment": {shown(name): pool.place(value) for name, value in record.environment.items() if value is not None},
        "input": pool.place([record.model.in_channels, record.model.image_size, record.model.num_classes, dict(record.model.knobs)]),
        "source": record.model.source_sha256[:12],
        "curves": _curves(record),
    }


def _condition(record: Record) -> str:
    """Under what it ran, as the caption of a table has it; a foreign Record may not hold all of that."""
    if record.kind != "profile" and not is_benchmark(record) and not isinstance(record.config.get("data"), dict):
        return record.kind
    try:
        return caption(record)
    except (KeyError, TypeError, ValueError):
        return record.kind


def _setting(record: Record) -> str:
    """The same in a few words: `cifar10-jpeg, 10 % · modern, 4 epochs`, or of a profile `3×32×32, batch 4`."""
    data, training = record.config.get("data"), record.config.get("training")
    if not isinstance(data, dict):
        model = record.model
        return f"{model.in_channels}×{model.image_size}×{model.image_size}, batch {record.config['batch']}"
    share = data.get("train_fraction", 1)
    part = f", {100 * share:g} %" if isinstance(share, int | float) and share < 1 else ""
    return f"{data.get('name')}{part}" + (
        f" · {training.get('name')}, {epochs_text(training['epochs'])}" if isinstance(training, dict) and "epochs" in training else ""
    )


def _curves(record: Record) -> dict[str, list[float | None]]:
    """A value an epoch; what is no list of numbers is left out."""
    curves = record.samples.get("curves")
    if not isinstance(curves, dict):
        return {}
    found = {name: plain(curves[name]) for name in CURVES if isinstance(curves.get(name), list)}
    return {
        name: list(map(rounded, values))
        for name, values in found.items()
        if values and all(isinstance(each, int | float | None) for each in values)
    }


def rounded(value: float | None) -> float | int | None:
    """To the digits that the page has for a figure, which are more than it shows; the Record's own file has all."""
    if value is None or not abs(value) < MOST:  # nor is what no float holds
        return None
    return int(value) if value == int(value) else float(f"{value:.{DIGITS}g}")


def shown(value: Any) -> Any:
    """The same with signs that no reader sees, as those that turn the direction of writing, replaced in every text."""
    if isinstance(value, str):
        return _visible(value)
    if isinstance(value, dict):
        return {_visible(str(key)): shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list | tuple) else value


@functools.lru_cache(maxsize=4096)
def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text)

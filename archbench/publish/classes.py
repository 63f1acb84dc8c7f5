"""The classes page: which classes trained networks get wrong, and for what they take them, from the predictions kept beside Records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archbench.publish import captioning, grouping, guard
from archbench.publish.columns import Columns
from archbench.publish.errors import tested
from archbench.publish.formats import Row, plain
from archbench.publish.predictions import Kept
from archbench.publish.results import Table
from archbench.records.schema import Record

WIDEST = 20  # classes that a matrix shows; of more, the confusions that are seen most often
MOST_OFTEN = 20


@dataclass(frozen=True)
class Network:
    """One network over its seeds; `confusion` counts test images, true classes down and predicted ones across."""

    name: str
    seeds: int
    confusion: NDArray[np.int64]

    @property
    def shares_pct(self) -> NDArray[np.float64]:
        """What part of each class was taken for which; nothing of a class without images."""
        shares: NDArray[np.float64] = 100 * self.confusion / np.maximum(self.confusion.sum(axis=1, keepdims=True), 1)
        return shares


def tables(records: Iterable[Record], kept: Kept) -> list[Table]:
    """For each condition the error by class, a column a network, and for each network what its classes are taken for."""
    made = []
    for runs, networks in _conditions(records, kept):
        names, caption = _class_names(runs[0]), captioning.caption(runs[0])
        made.append(_by_class(names, networks, caption, runs))
        confused = _matrix if len(names) <= WIDEST else _most_often
        made += [confused(names, network, caption, runs) for network in networks]
    return made


def frame(records: Iterable[Record], kept: Kept) -> pd.DataFrame:
    """A row for each network, class and what it was taken for: images over all seeds, and their percent of the class."""
    rows = [
        {"model": network.name, **row, "seeds": network.seeds, "condition": captioning.caption(runs[0])}
        for runs, networks in _conditions(records, kept)
        for network in networks
        for row in _taken_for(_class_names(runs[0]), network)
    ]
    return pd.DataFrame(rows)


def _conditions(records: Iterable[Record], kept: Kept) -> list[tuple[Sequence[Record], list[Network]]]:
    """Runs whose predictions are there and that may stand in one table, and the networks that they are of."""
    there = [record for record in tested(records) if kept.of(record) is not None]
    return [(runs, _networks(runs, kept)) for runs in grouping.by_alike(there, guard.condition).values()]


def _networks(runs: Sequence[Record], kept: Kept) -> list[Network]:
    groups = grouping.by(runs, lambda record: record.group)
    labels = [members[0].model.label for members in groups.values()]
    names = [label if labels.count(label) == 1 else f"{label} ({group[:4]})" for label, group in zip(labels, groups, strict=True)]
    return [
        Network(name, len(members), np.sum([_confusion(run, kept) for run in members], axis=0))
        for name, members in zip(names, groups.values(), strict=True)
    ]


def _confusion(record: Record, kept: Kept) -> NDArray[np.int64]:
    predictions, classes = kept.of(record), record.model.num_classes
    assert predictions is not None
    places = predictions.labels.astype(np.int64) * classes + predictions.predicted
    return np.bincount(places, minlength=classes**2).reshape(classes, classes)


def _class_names(record: Record) -> list[str]:
    """As the data set calls them; their numbers in Records that do not say."""
    return [str(name) for name in record.config.get("classes") or range(record.model.num_classes)]


def _by_class(names: Sequence[str], networks: Sequence[Network], caption: str, runs: Sequence[Record]) -> Table:
    images = networks[0].confusion.sum(axis=1) // networks[0].seeds
    errors = {network.name: 100 - np.diag(network.shares_pct) for network in networks}
    rows = [
        {"class": names[place], "images": int(count), **{name: error[place] for name, error in errors.items()}}
        for place, count in enumerate(images)
        if count
    ]
    seeds = ", ".join(f"{network.name} {network.seeds}" for network in networks)
    columns: Columns = {"class": lambda row: row["class"], "images": lambda row: f"{row['images']:,}", **_percents(errors)}
    return Table(f"error by class, % · {caption}", pd.DataFrame(rows), (f"means over seeds ({seeds})",), columns, shown=tuple(runs))


def _matrix(names: Sequence[str], network: Network, caption: str, runs: Sequence[Record]) -> Table:
    rows = [{"class": name, **dict(zip(names, shares, strict=True))} for name, shares in zip(names, network.shares_pct, strict=True)]
    columns: Columns = {"class": lambda row: row["class"], **_percents(names)}
    note = f"percent of a class (down) that {network.name} takes for another (across), over {_in_seeds(network)}"
    return Table(f"confusion of {network.name} · {caption}", pd.DataFrame(rows), (note,), columns, wide=True, shown=tuple(runs))


def _most_often(names: Sequence[str], network: Network, caption: str, runs: Sequence[Record]) -> Table:
    wrong = [row for row in _taken_for(names, network) if row["class"] != row["predicted"]]
    shown = sorted(wrong, key=lambda row: -row["images"])[:MOST_OFTEN]
    note = f"the {len(shown)} confusions seen most often, of {len(wrong)}, over {_in_seeds(network)}; --format csv holds all"
    rows = pd.DataFrame(shown, columns=TAKEN_FOR)
    return Table(f"confusion of {network.name} · {caption}", rows, (note,), MOST_OFTEN_COLUMNS, shown=tuple(runs))


def _taken_for(names: Sequence[str], network: Network) -> list[dict[str, Any]]:
    shares = network.shares_pct
    return [
        dict(zip(TAKEN_FOR, (names[true], names[taken], int(network.confusion[true, taken]), float(shares[true, taken])), strict=True))
        for true, taken in np.argwhere(network.confusion)
    ]


def _in_seeds(network: Network) -> str:
    return f"{network.seeds} seed{'s' * (network.seeds != 1)}"


def _percents(names: Iterable[str]) -> Columns:
    """A column for each."""
    return {name: _percent(name) for name in names}


def _percent(name: str) -> Callable[[Row], str]:
    return lambda row: plain(row[name], lambda value: f"{value:.1f}" if value else "0")


TAKEN_FOR = ["class", "predicted", "images", "share_pct"]
MOST_OFTEN_COLUMNS: Columns = {
    "class": lambda row: row["class"],
    "taken for": lambda row: row["predicted"],
    "images": lambda row: f"{row['images']:,}",
    "of the class, %": _percent("share_pct"),
}

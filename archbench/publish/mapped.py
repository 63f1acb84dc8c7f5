"""Records of kind explain as tables take them: networks at each link of class and ground, under conditions that may stand side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archbench import stats
from archbench.publish import grouping, guard
from archbench.publish.captioning import of_device, of_input
from archbench.publish.formats import epochs_text
from archbench.publish.results import newest
from archbench.records.schema import Record, Scalar
from archbench.stats import Interval

KEPT, BROKEN, REVERSED = "kept", "broken", "reversed"
TESTS = (KEPT, BROKEN, REVERSED)
SPEAKING: Mapping[str, Scalar] = {"silent": False}  # qualifies a mean over those of a network's own maps that say anything
# facts of a test that move with the link and with what becomes of it; images to learn from are told by the training's own part
MOVING = ("data", "data's fingerprint", "learned from", "training images", "share of the training set", "held out", "training crop")


class Name(NamedTuple):
    """What is known of a data set: `shapes+px=64`, how often class and ground go together in training, in percent, and the test.

    Of images whose objects somebody marked nobody knows such a link: None.
    """

    base: str
    link: int | None
    test: str


def name_of(data: str) -> Name:
    """`shapes+link=95+test=broken` in parts."""
    parts = [part.partition("=") for part in data.split("+")]
    given = {key: value for key, _, value in parts if key in ("link", "test")}
    base = "+".join(f"{key}{equals}{value}" for key, equals, value in parts if key not in given)
    link = given.get("link", "0")
    return Name(base, int(link) if link.isdecimal() else 0, given.get("test", KEPT))


def _tested(record: Record) -> Name:
    """On what a training was explained."""
    name = record.config["data"]["name"]
    return name_of(name) if _is_drawn(record) else Name(name, None, KEPT)


def _is_drawn(record: Record) -> bool:
    """Whether the objects are known since they were drawn."""
    return not record.config["explain"].get("boxes")


def facts(record: Record) -> guard.Facts:
    """All that two explained trainings must share to stand in one table."""
    config = record.config
    explain, learned, training = config["explain"], config["trained_on"], config["explain"]["training"]
    own = {name: value for name, value in guard.facts(record).items() if name not in MOVING}
    tested, drawn = _tested(record), _is_drawn(record)
    such = drawn and name_of(learned["name"]) == tested._replace(test=KEPT)
    return {
        **own,
        "data": tested.base,
        "learned from": "such images" if such else learned["name"] if drawn else f"{learned['name']} ({learned['fingerprint'][:12]})",
        "images": None if drawn else config["data"]["fingerprint"][:12],
        "objects": "as drawn" if drawn else explain["boxes"]["sha256"][:12],
        "protocol of maps": explain.get("protocol", 1),
        "method": explain["method"],
        "layer asked for": explain["layer_asked"],
        "images explained": explain["n"],
        "images covered": explain["n_faithful"],
        "training images": learned["train_images"],
        "share of the training set": learned["train_fraction"],
        "held out": learned["val_fraction"],
        **{f"training's {name}": training[name] for name in ("batch", "precision", "compiled", "deterministic", "torch")},
        "training's device": of_device(training["device"]),
    }


@dataclass(frozen=True)
class Cell:
    """A network trained at one link, in percent, if any: its Records by what became of the link, the seeds in order."""

    model: str
    link: int | None
    runs: Mapping[str, Sequence[Record]]

    @property
    def records(self) -> list[Record]:
        """All of them."""
        return [run for runs in self.runs.values() for run in runs]

    def figures(self, test: str, name: str, at: Mapping[str, Scalar]) -> dict[int, float]:
        """A measurement by seed, where it was taken."""
        found = {run.config["seed"]: run.figure(name, at) for run in self.runs.get(test, ())}
        return {seed: value for seed, value in found.items() if not math.isnan(value)}

    def interval(self, test: str, name: str, at: Mapping[str, Scalar]) -> Interval:
        """Its mean over seeds with Student's t interval; of one run the run's own, over images; none where one of several has a value."""
        values = list(self.figures(test, name, at).values())
        if not values:
            return Interval(math.nan, math.nan, math.nan, 0)
        if len(values) == 1 and len(self.runs[test]) > 1:
            return Interval(values[0], math.nan, math.nan, 1)
        if len(values) == 1:
            rows = (run.measurement(name, **at) for run in self.runs[test])
            row = next(row for row in rows if row is not None and row.value is not None)
            low, high = (math.nan if end is None else end for end in (row.low, row.high))
            return Interval(values[0], low, high, 1)
        value, low, high, n = stats.mean_t(values)
        most = 100.0 if name.endswith("_pct") else math.inf
        return Interval(value, max(low, 0.0) if most == 100.0 else low, min(high, most), n)  # no share lies outside


@dataclass(frozen=True)
class Condition:
    """Cells that may stand side by side, by the network's year and name, then by link."""

    caption: str
    cells: Sequence[Cell]

    @property
    def drawn(self) -> bool:
        """Whether the objects were drawn, on a ground that goes with the class as often as is known."""
        return _is_drawn(self.cells[0].records[0])


def conditions(records: Iterable[Record]) -> list[Condition]:
    """Every condition that occurs, with what its captions would not tell apart beside them."""
    explained = [record for record in newest(records, "explain") if record.status == "ok"]
    together = list(grouping.by(explained, lambda record: tuple(facts(record).items())).values())
    firsts = [members[0] for members in together]
    captions = guard.distinct([_caption(first) for first in firsts], firsts, facts)
    return [Condition(caption, _cells(members)) for caption, members in zip(captions, together, strict=True)]


def _caption(record: Record) -> str:
    """What holds for all rows."""
    known, training = facts(record), record.config["training"]
    learned = f"recipe {training['name']}, {epochs_text(training['epochs'])}, {known['training images']:,} training images"
    seen = f"{known['images explained']:,} test images explained"
    marked = f", objects by {boxes['name']}" if (boxes := record.config["explain"].get("boxes")) else ""
    return f"maps by {known['method']} · {known['data']} ({of_input(record)}) · {learned} · {seen}{marked} · {known['device']}"


def _cells(records: Sequence[Record]) -> list[Cell]:
    """Of a network that was edited between its runs those of the newest source alone."""
    found: dict[tuple[str, int | None], dict[str, list[Record]]] = {}
    for (model, link, test), members in grouping.by(records, _place).items():
        group = max(members, key=lambda record: record.created).group
        runs = sorted((record for record in members if record.group == group), key=lambda record: record.config["seed"])
        found.setdefault((model, link), {})[test] = runs
    cells = [Cell(model, link, runs) for (model, link), runs in found.items()]
    return sorted(cells, key=lambda cell: (_year(cell.records[0]), cell.model, cell.link or 0))


def _place(record: Record) -> tuple[str, int | None, str]:
    """The network, the link that it learned from, and what the test makes of it."""
    link = name_of(record.config["trained_on"]["name"]).link if _is_drawn(record) else None
    return record.model.label, link, _tested(record).test


def _year(record: Record) -> Any:
    year = record.model.spec["year"]
    return math.inf if year is None else year

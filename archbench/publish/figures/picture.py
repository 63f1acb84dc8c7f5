"""A picture: what is drawn under one condition, as plain rows, so that it can be embedded in its file and hashed."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from matplotlib.figure import Figure

from archbench.publish import notes
from archbench.publish.figures.look import Look
from archbench.records.schema import Record, hash_of, plain
from archbench.records.store import plain_name

MOST_PAGES = 4  # of a picture of which one page does not hold all
DIGITS = 9  # that are kept of a figure: the last ones of a mean differ from one processor to another
DOUBTS = {
    "noisy": "interval beyond ±2 %",
    "not_warm": "not stable after the warm-up",
    "drift": "drift of more than 2 %",
    "busy": "others used the processor",
    "steal": "the host took time",
    "governor": "clock not held",
    "hot": "the clock fell from heat",
    "time_unexplained": "operators do not add up to the pass",
    "at_chance": "error at chance",
    "spread": "some seeds took more than 1.5 times as long as others",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """`name` is the figure's, `key` tells it from the same figure under another condition, `facts` hold for the whole of it."""

    name: str
    key: str
    condition: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """What its files are called, without the format."""
        return f"{self.name}-{self.key}"

    @property
    def data(self) -> dict[str, Any]:
        """All that it shows, as JSON gives it back."""
        shown = {"figure": self.name, "key": self.key, "condition": self.condition, "notes": list(self.notes), "facts": dict(self.facts)}
        stored: dict[str, Any] = plain(_rounded({**shown, "rows": list(self.rows)}))
        return stored

    @property
    def sha256(self) -> str:
        """Of its data."""
        return hash_of(self.data)


def limited(picture: Picture, models: Collection[str], which: str = "the first") -> Picture:
    """The picture with the rows of these models only, and a note that says so where there are others."""
    others = {row["model"] for row in picture.rows} - set(models)
    if not others:
        return picture
    said = f"{which} {len(models)} of {len(models) + len(others):,} networks; --models draws others"
    return replace(picture, rows=[row for row in picture.rows if row["model"] in models], notes=[*picture.notes, said])


Draw = Callable[[Picture, Look], list[Figure]]


@dataclass(frozen=True)
class Condition:
    """Records that may stand in one picture, what holds for them in a line, and a short name for it."""

    records: Sequence[Record]
    caption: str
    key: str


def conditions(
    groups: Iterable[Sequence[Record]], captions: Sequence[str], key_of: Callable[[Record], Any], varied: str = ""
) -> list[Condition]:
    """Each group with its caption and a short key; keys that would be equal go on with their precision, or else the beginning of their
    condition's hash.

    `varied` is what differs within a group (`train_fraction`, `recipe`), which its key then does not name.
    """
    groups = list(groups)
    keys = _told_apart([_short(group[0], varied) for group in groups], [group[0].config["execution"]["precision"] for group in groups])
    keys = _told_apart(keys, [hash_of(repr(key_of(group[0])))[:4] for group in groups])
    return [Condition(*each) for each in zip(groups, captions, keys, strict=True)]


def _told_apart(keys: Sequence[str], words: Sequence[str]) -> list[str]:
    """Keys of which there are several go on with their words, where these differ."""
    of_key: dict[str, set[str]] = {}
    for key, word in zip(keys, words, strict=True):
        of_key.setdefault(key, set()).add(word)
    return [f"{key}-{word}" if len(of_key[key]) > 1 else key for key, word in zip(keys, words, strict=True)]


def _short(record: Record, varied: str) -> str:
    """`3x32x32-b4` of a profile, `cifar10-jpeg-10pct-modern-8ep` of a training."""
    model, config = record.model, record.config
    if record.kind == "profile":
        return f"{model.in_channels}x{model.image_size}x{model.image_size}-b{config['batch']}"
    data, training = config["data"], config.get("training") or {}
    part = f"{100 * data['train_fraction']:g}pct" if varied != "train_fraction" and data["train_fraction"] < 1 else ""
    length = "" if varied == "recipe" else f"{training['name']}-{training['epochs']}ep" if training else record.kind
    return plain_name("-".join(filter(None, [data["name"], part, length]))).lower()


def doubtful(record: Record, codes: Iterable[str], at: Mapping[str, Any]) -> list[str]:
    """Those of these codes by which a Record doubts a figure that is qualified by `at`."""
    asked = set(codes)
    return sorted({doubt.code for doubt in record.warnings if doubt.code in asked and doubt.at.items() <= at.items()})


def doubts_said(codes: Iterable[str]) -> str:
    """`interval beyond ±2 %, drift of more than 2 %`."""
    return ", ".join(words for code, words in DOUBTS.items() if code in set(codes))


def of_times() -> set[str]:
    """The codes that concern times."""
    return set(notes.OF_TIMES)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, (list, tuple)) else value

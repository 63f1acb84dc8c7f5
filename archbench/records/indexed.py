"""A Record as an index keeps it: in a row of text, what it shares with others in parts that are kept once."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from archbench.records.schema import Doubt, Failure, Measurement, ModelSnapshot, Record, Scalar, StoredFile, Uncounted
from archbench.records.store import read_record

OWN = (  # places whose values are a run's own, in its config and its environment; none tells which table a run stands in
    *(("config", name) for name in ("seed", "normalisation", "resumed_from_step")),
    *(("config", "execution", name) for name in ("step_s", "compile_s")),
    *(("environment", name) for name in ("conditions", "clock")),
)
DOUBTS, REST = {"warnings", "uncounted"}, {"schema_version", "failure", "duration_s", "files"}
NO_DOUBTS: dict[str, Any] = dict.fromkeys(DOUBTS, ())
Place = tuple[str, ...]
Model = TypeVar("Model", bound=BaseModel)


class TornError(Exception):
    """An index does not hold what was written to it."""


class Entry(NamedTuple):
    """A row of an index: a file of a Record as it was, and what it holds, a line for each field of `Lines`, with its CRC-32."""

    file: str
    stamp: str
    checksum: int
    lines: bytes


class Lines(NamedTuple):
    """What is looked at in all Records as it is, the rest as JSON; `parts` names what a Record shares."""

    id: str
    key: str
    group: str
    kind: str
    status: str
    created: str
    parts: str
    own: str
    figures: str
    doubts: str
    rest: str


WIDTH = 4  # figures of a measurement: value, low, high, n


@dataclass(frozen=True, eq=False)
class Shared:
    """What many Records share to the letter: the network, the settings but for those of one run, the machine, which rows were measured."""

    model: ModelSnapshot
    holders: dict[str, Any]
    rows: Sequence[dict[str, Any]]
    own: Sequence[Place]
    places: dict[object, int | None] = field(default_factory=dict)

    def place(self, name: str, at: Mapping[str, Scalar]) -> int | None:
        """Which row has this name and at least these values."""
        asked = (name, *at.items()) if at else name
        if asked not in self.places:
            matching = (place for place, row in enumerate(self.rows) if row["name"] == name and at.items() <= row["at"].items())
            self.places[asked] = next(matching, None)
        return self.places[asked]


class Parts:
    """What entries share, by the numbers of its parts; each is parsed once."""

    def __init__(self, texts: Mapping[int, str]) -> None:
        self.texts = texts
        self._read: dict[str, Any] = {}
        self._shared: dict[str, Shared] = {}

    def of(self, parts: str) -> Shared:
        """What these parts are. Raises TornError where one is damaged."""
        if parts not in self._shared:
            _, *numbers = parts.split()
            config, environment, rows = map(self._part, numbers[1:])
            holders = {"config": config, "environment": environment}
            self._shared[parts] = Shared(self._part(numbers[0], ModelSnapshot.model_validate), holders, rows, _own(holders))
        return self._shared[parts]

    def _part(self, number: str, made: Callable[[Any], Any] = lambda value: value) -> Any:
        if number not in self._read:
            checksum, _, content = self.texts.get(int(number), "").partition(" ")
            if checksum != _checksum(content):
                raise TornError
            self._read[number] = made(from_json(content))
        return self._read[number]


def _text(value: Any) -> str:
    return to_json(value, inf_nan_mode="constants").decode()


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _own(holders: Mapping[str, Any]) -> list[Place]:
    """The places in a config and an environment that are a run's own."""
    return [place for place in OWN if isinstance(holder := _holder(holders, place), dict) and place[-1] in holder]


def _holder(holders: Mapping[str, Any], place: Place) -> Any:
    for name in place[:-1]:
        holders = holders.get(name) if isinstance(holders, dict) else None  # type: ignore[assignment]
    return holders


def _with(holders: dict[str, Any], places: Sequence[Place], values: Sequence[Any]) -> dict[str, Any]:
    """A copy of a config and an environment with other values at these places, in the same order."""
    made = dict(holders)
    for (first, *rest), value in zip(places, values, strict=True):
        made[first] = _with(made[first], [tuple(rest)], [value]) if rest else value
    return made


class Draft(NamedTuple):
    """The lines of a Record before and behind that of its parts, and the parts themselves."""

    before: tuple[str, ...]
    parts: tuple[str, ...]
    behind: tuple[str, ...]


def draft_of(record: Record) -> Draft:
    """What a row of it will hold."""
    holders = {"config": record.config, "environment": record.environment}
    own = _own(holders)
    rows = [{"name": row.name, "method": row.method, "at": row.at} for row in record.measurements]
    shared = _with(holders, own, [None] * len(own))
    texts = map(_text, (record.model, shared["config"], shared["environment"], rows))
    figures = [figure for row in record.measurements for figure in (row.value, row.low, row.high, row.n)]
    before = record.id, record.key, record.group, record.kind, record.status, record.created
    behind = (
        _text([_holder(holders, place)[place[-1]] for place in own]),
        _text(figures),
        _text({name: getattr(record, name) for name in DOUBTS}) if record.warnings or record.uncounted else "",
        _text({name: getattr(record, name) for name in REST}),
    )
    return Draft(before, tuple(f"{_checksum(text)} {text}" for text in texts), behind)


def entry_of(file: str, stamp: str, draft: Draft, number: Callable[[str], int]) -> Entry:
    """The row of a file; `number` gives the number of a part by its text."""
    kind = draft.before[Lines._fields.index("kind")]
    parts = " ".join([kind, *(str(number(part)) for part in draft.parts)])
    content = "\n".join([*draft.before, parts, *draft.behind]).encode()
    return Entry(file, stamp, zlib.crc32(content), content)


def is_keepable(record: Record) -> bool:
    """Whether its fields are a line each; somebody else's Record may have others."""
    return not any("\n" in each for each in (record.key, record.group, record.created))


def record_of(entry: tuple[str, str, int, bytes], parts: Parts, runs: Path) -> Indexed:
    """The Record of a row. Raises TornError where that is damaged."""
    file, _, checksum, content = entry
    if zlib.crc32(content) != checksum:
        raise TornError
    lines = Lines._make(content.decode().split("\n"))
    identity, key, group, kind, status, created, of, _, _, doubts, _ = lines
    shared = parts.of(of)
    fields = {"id": identity, "key": key, "group": group, "kind": kind, "status": status, "created": created, "model": shared.model}
    if not doubts:
        fields |= NO_DOUBTS
    return _made(Indexed, fields, {"_lines": lines, "_shared": shared, "_path": (runs, file)})


def _made(kind: type[Model], fields: dict[str, Any], private: dict[str, Any] | None = None) -> Model:
    """As `model_construct`, which takes four times as long to look for what is left out."""
    made = kind.__new__(kind)
    put = object.__setattr__
    put(made, "__dict__", fields)
    put(made, "__pydantic_fields_set__", set(fields))
    put(made, "__pydantic_extra__", None)
    put(made, "__pydantic_private__", private)
    return made


class Indexed(Record):
    """A Record from an index. What few tables ask for is read when it is asked for: `samples` from the Record's file."""

    _lines: Lines
    _shared: Shared
    _path: tuple[Path, str]
    _figures: list[Any]

    def __getattr__(self, name: str) -> Any:
        reads = READS.get(name)
        if reads is None:
            return super().__getattr__(name)  # type: ignore[misc]
        self.__dict__.update(reads(self))
        return self.__dict__[name]

    @property
    def alike(self) -> object:
        """The same object in all that differ in seed, figures and doubts alone."""
        return _of(self)["_shared"]

    def measurement(self, name: str, **at: Scalar) -> Measurement | None:
        """As of any Record, but only the row that is asked for is made."""
        place = _of(self)["_shared"].place(name, at)
        return None if place is None else _row(self, place)

    def figure(self, name: str, at: Mapping[str, Scalar]) -> float:
        """The value of a measurement; NaN where there is none."""
        mine = _of(self)
        place = mine["_shared"].place(name, at)
        if place is None or (found := _figures(mine)[WIDTH * place]) is None:
            return math.nan
        return found  # type: ignore[no-any-return]


def _figures(mine: dict[str, Any]) -> list[Any]:
    """Value, ends and n of each row, one behind the other."""
    if "_figures" not in mine:
        mine["_figures"] = from_json(mine["_lines"].figures)
    found: list[Any] = mine["_figures"]
    return found


def _of(record: Indexed) -> dict[str, Any]:
    """The attributes of its own, without pydantic's search for them."""
    private = record.__pydantic_private__
    assert private is not None
    return private


def _row(record: Indexed, place: int) -> Measurement:
    mine = _of(record)
    value, low, high, n = _figures(mine)[WIDTH * place : WIDTH * (place + 1)]
    return _made(Measurement, {**mine["_shared"].rows[place], "value": value, "low": low, "high": high, "n": n})


def _lines(record: Indexed) -> Lines:
    found: Lines = _of(record)["_lines"]
    return found


def _holders(record: Indexed) -> dict[str, Any]:
    """Its config and its environment."""
    shared: Shared = _of(record)["_shared"]
    return _with(shared.holders, shared.own, from_json(_lines(record).own))


def _measurements(record: Indexed) -> dict[str, Any]:
    return {"measurements": tuple(_row(record, place) for place in range(len(_of(record)["_shared"].rows)))}


def _doubts(record: Indexed) -> dict[str, Any]:
    found = from_json(_lines(record).doubts)
    warnings, uncounted = (tuple(map(kind.model_validate, found[name])) for kind, name in ((Doubt, "warnings"), (Uncounted, "uncounted")))
    return {"warnings": warnings, "uncounted": uncounted}


def _rest(record: Indexed) -> dict[str, Any]:
    found = from_json(_lines(record).rest)
    failure = found["failure"] and Failure.model_validate(found["failure"])
    return {**found, "failure": failure, "files": tuple(map(StoredFile.model_validate, found["files"]))}


def _samples(record: Indexed) -> dict[str, Any]:
    runs, file = _of(record)["_path"]
    return {"samples": read_record(runs / file).samples}


READS: dict[str, Callable[[Indexed], dict[str, Any]]] = {
    **dict.fromkeys(("config", "environment"), _holders),
    "measurements": _measurements,
    **dict.fromkeys(DOUBTS, _doubts),
    **dict.fromkeys(REST, _rest),
    "samples": _samples,
}

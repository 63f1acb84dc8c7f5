"""A Record as an index keeps it: its own fields in columns, what it shares with others in parts that are kept once."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from archbench.records.schema import Doubt, Failure, Measurement, ModelSnapshot, Record, Scalar, StoredFile, Uncounted
from archbench.records.segment import FIELDS, Row, TornError
from archbench.records.store import read_record

if TYPE_CHECKING:
    from archbench.records.columns import Columns

OWN = (  # places whose values are a run's own, in its config and its environment; none tells which table a run stands in
    *(("config", name) for name in ("seed", "normalisation", "resumed_from_step")),
    *(("config", "execution", name) for name in ("step_s", "update_s", "compile_s")),
    *(("environment", name) for name in ("conditions", "clock")),
)
DOUBTS, REST = ("warnings", "uncounted"), ("schema_version", "failure", "duration_s", "files")
NO_DOUBTS: dict[str, Any] = dict.fromkeys(DOUBTS, ())
FIGURES = ("value", "low", "high", "n")  # of a measurement
EXACT = 2**53  # up to where a float holds each whole number
Place = tuple[str, ...]
Model = TypeVar("Model", bound=BaseModel)


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


def row_of(file: str, record: Record, place: Callable[[str], int]) -> Row:
    """What is kept of the Record of a file; `place` gives the place of a part by its text."""
    holders = {"config": record.config, "environment": record.environment}
    own = _own(holders)
    rows = [{"name": row.name, "method": row.method, "at": row.at} for row in record.measurements]
    shared = _with(holders, own, [None] * len(own))
    texts = map(_text, (record.model, shared["config"], shared["environment"], rows))
    figures = [math.nan if figure is None else float(figure) for figure in _figures(record)]
    doubts = _text({name: getattr(record, name) for name in DOUBTS}) if record.warnings or record.uncounted else ""
    return Row(
        {"file": file, "doubts": doubts, **{name: getattr(record, name) for name in FIELDS}},
        tuple(place(f"{_checksum(text)} {text}") for text in texts),
        figures,
        _text([_holder(holders, where)[where[-1]] for where in own]),
        _text({name: getattr(record, name) for name in REST}),
    )


def is_keepable(record: Record) -> bool:
    """Whether columns can hold its fields and its figures; somebody else's Record may have others."""
    held = all(
        figure is None or (not math.isnan(figure) and (isinstance(figure, float) or abs(figure) <= EXACT)) for figure in _figures(record)
    )
    return held and all(getattr(record, name).isprintable() for name in FIELDS)


def _figures(record: Record) -> Iterator[float | None]:
    return (figure for row in record.measurements for figure in (row.value, row.low, row.high, row.n))


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

    _columns: Columns
    _place: int

    def __getattr__(self, name: str) -> Any:
        reads = READS.get(name)
        if reads is None:
            return super().__getattr__(name)  # type: ignore[misc]
        self.__dict__.update(reads(self))
        return self.__dict__[name]

    def measurement(self, name: str, **at: Scalar) -> Measurement | None:
        """As of any Record, but only the row that is asked for is made."""
        place = _shared(self).place(name, at)
        return None if place is None else _measurement(_shared(self).rows[place], _figures_of(self, place))

    def figure(self, name: str, at: Mapping[str, Scalar]) -> float:
        """The value of a measurement; NaN where there is none."""
        row = _shared(self).place(name, at)
        return math.nan if row is None else _figures_of(self, row)[0]


def made_of(columns: Columns, place: int) -> Indexed:
    """The Record of a place."""
    fields: dict[str, Any] = {name: columns.text(name, place) for name in FIELDS}
    fields["model"] = columns.shared(place).model
    if not columns.text("doubts", place):
        fields |= NO_DOUBTS
    return _made(Indexed, fields, {"_columns": columns, "_place": place})


def typical_of(columns: Columns, place: int) -> Indexed:
    """The same, but its config and environment hold nothing in the places of `OWN`; nothing is read for it."""
    made = made_of(columns, place)
    made.__dict__.update(columns.shared(place).holders)
    return made


def where(record: Indexed) -> tuple[Columns, int]:
    """The columns in which a Record stands, and its place."""
    private = record.__pydantic_private__
    assert private is not None
    return private["_columns"], private["_place"]


def _shared(record: Indexed) -> Shared:
    columns, place = where(record)
    return columns.shared(place)


def _json(record: Indexed, name: str) -> Any:
    """What its segment holds under a name."""
    columns, place = where(record)
    return from_json(columns.json(name, place))


def _figures_of(record: Indexed, row: int) -> Sequence[float]:
    columns, place = where(record)
    return columns.rows(place, row, 1)[0]


def _measurement(of: dict[str, Any], figures: Sequence[float]) -> Measurement:
    value, low, high, n = [None if math.isnan(figure) else figure for figure in figures]
    return _made(Measurement, {**of, "value": value, "low": low, "high": high, "n": None if n is None else int(n)})


def _holders(record: Indexed) -> dict[str, Any]:
    """Its config and its environment."""
    shared = _shared(record)
    return _with(shared.holders, shared.own, _json(record, "own"))


def _measurements(record: Indexed) -> dict[str, Any]:
    columns, place = where(record)
    of = _shared(record).rows
    return {"measurements": tuple(map(_measurement, of, columns.rows(place, 0, len(of))))}


def _doubts(record: Indexed) -> dict[str, Any]:
    columns, place = where(record)
    found = from_json(columns.text("doubts", place))
    warnings, uncounted = (tuple(map(kind.model_validate, found[name])) for kind, name in ((Doubt, "warnings"), (Uncounted, "uncounted")))
    return {"warnings": warnings, "uncounted": uncounted}


def _last(record: Indexed) -> dict[str, Any]:
    found = _json(record, "rest")
    failure = found["failure"] and Failure.model_validate(found["failure"])
    return {**found, "failure": failure, "files": tuple(map(StoredFile.model_validate, found["files"]))}


def _samples(record: Indexed) -> dict[str, Any]:
    columns, place = where(record)
    return {"samples": read_record(columns.runs / columns.text("file", place)).samples}


READS: dict[str, Callable[[Indexed], dict[str, Any]]] = {
    **dict.fromkeys(("config", "environment"), _holders),
    "measurements": _measurements,
    **dict.fromkeys(DOUBTS, _doubts),
    **dict.fromkeys(REST, _last),
    "samples": _samples,
}

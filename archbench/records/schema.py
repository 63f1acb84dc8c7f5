"""A Record: one JSON file a run, with everything that publishing it needs. Pydantic checks it on the way in and out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

SCHEMA_VERSION = 1
ID_LENGTH = 12

Scalar = str | int | float | bool | None


Needed = dict[tuple[str, ...], tuple[type, ...]]
TEXT, COUNT, SIZE, SWITCH = (str,), (int,), (int, float), (bool,)
NEEDED: Needed = {
    **{("model", "spec", name): TEXT for name in ("title", "head_kind")},
    ("model", "spec", "year"): (int, NoneType),
    ("environment", "archbench"): TEXT,
    ("environment", "threads"): (int, NoneType),
    **{("environment", *names): TEXT for names in (("device", "kind"), ("device", "name"), ("libraries", "torch"))},
    ("config", "batch"): (int, NoneType),
    ("config", "execution", "precision"): TEXT,
    **{("config", "execution", name): SWITCH for name in ("compiled", "deterministic")},
}
NEEDED_OF_TESTS: Needed = {
    ("config", "batch"): COUNT,
    ("config", "protocol"): COUNT,
    **{("config", "data", name): TEXT for name in ("name", "fingerprint")},
    **{("config", "data", name): COUNT for name in ("train_images", "test_images")},
    **{("config", "data", name): SIZE for name in ("train_fraction", "val_fraction")},
}
NEEDED_OF_TRAININGS: Needed = {
    **NEEDED_OF_TESTS,
    ("config", "recipe"): (dict,),
    ("config", "training", "name"): TEXT,
    ("config", "training", "epochs"): COUNT,
}
NEEDED_OF_MAPS: Needed = {
    **NEEDED_OF_TRAININGS,
    ("config", "seed"): COUNT,
    ("config", "weights", "record"): TEXT,
    **{("config", "trained_on", name): TEXT for name in ("name", "fingerprint")},
    ("config", "trained_on", "train_images"): COUNT,
    **{("config", "trained_on", name): SIZE for name in ("train_fraction", "val_fraction")},
    ("config", "explain", "method"): TEXT,
    ("config", "explain", "layer_asked"): (str, NoneType),
    **{("config", "explain", name): COUNT for name in ("n", "n_faithful")},
    ("config", "explain", "training", "batch"): (int, NoneType),
    **{("config", "explain", "training", name): TEXT for name in ("precision", "torch")},
    **{("config", "explain", "training", name): SWITCH for name in ("compiled", "deterministic")},
    **{("config", "explain", "training", "device", name): TEXT for name in ("kind", "name")},
}
NEEDED_OF: dict[str, Needed] = {  # each kind
    "train": NEEDED | NEEDED_OF_TRAININGS,
    "profile": NEEDED | {("config", "batch"): COUNT},
    "explain": NEEDED | NEEDED_OF_MAPS,
    "evaluated": NEEDED | NEEDED_OF_TRAININGS | {("config", "trained_on", "name"): TEXT},
}
WHERE_THERE: Needed = {
    **{("environment", name): (int, NoneType) for name in ("memory_bytes", "cores", "usable_cores")},
    **{("environment", name): (str, NoneType) for name in ("cpu", "cpu_capability", "python", "cuda")},
    ("environment", "git"): (dict, NoneType),
    ("environment", "git", "commit"): (str, NoneType),
    ("config", "launches"): (int, NoneType),
    ("config", "recipe"): (dict, NoneType),
    **{("config", name): (dict, NoneType) for name in ("data", "training", "tuned")},
    ("config", "tuned", "trials"): COUNT,
    **{("config", "tuned", name): SIZE for name in ("val_fraction", "span")},
    ("config", "tuned", "space"): (dict, list),
    ("config", "data", "skipped"): COUNT,
    ("config", "execution", "devices"): COUNT,
    ("config", "execution", "micro_batch"): (int, NoneType),
}
NEEDED_OF_DATA: Needed = {("config", "data", "name"): TEXT}
NEEDED_OF_MARKED: Needed = {("config", "explain", "boxes", name): TEXT for name in ("name", "sha256")}
ABSENT = object()
MOST_COUNT = 2**53  # a larger one no float holds
LEAST, MOST = 1e-60, 1e60  # of a figure above zero; products and quotients of such are figures still


class Strict(BaseModel):
    """A frozen value that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Measurement(Strict):
    """One measured quantity: the unit rides in `name`, `low` and `high` bound its 95 % interval, `at` says what qualifies it."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    method: str
    at: dict[str, Scalar] = {}


class Failure(Strict):
    """Why a run gave no result."""

    reason: str
    message: str


class Doubt(Strict):
    """Something that makes a figure doubtful: a code (`at_chance`, `noisy`, ...), a sentence, and which figures, if not all."""

    code: str
    message: str
    at: dict[str, Scalar] = {}


class Uncounted(Strict):
    """An operator that the counter does not know, and how often it was called."""

    operator: str
    calls: int


class StoredFile(Strict):
    """A file kept beside the store; `path` is relative to the results folder."""

    path: str
    bytes: int
    sha256: str


class ModelSnapshot(Strict):
    """The network of a run: its name with knobs, the hash of the code that builds it, its input, and the whole spec."""

    label: str
    name: str
    knobs: dict[str, Scalar]
    source_sha256: str
    num_classes: int
    in_channels: int
    image_size: int
    spec: dict[str, Any]


class Record(Strict):
    """Evidence of one run. `id` is the hash of all the rest, `key` says which runs are the same run, `group` forgets the seed."""

    schema_version: int = SCHEMA_VERSION
    id: str
    key: str
    group: str
    kind: Literal["train", "profile", "imported", "evaluated", "explain"]
    status: Literal["ok", "diverged", "out_of_memory", "failed"]
    failure: Failure | None = None
    created: str
    duration_s: float
    model: ModelSnapshot
    config: dict[str, Any]
    environment: dict[str, Any]
    measurements: tuple[Measurement, ...] = ()
    samples: dict[str, Any] = {}
    warnings: tuple[Doubt, ...] = ()
    uncounted: tuple[Uncounted, ...] = ()
    files: tuple[StoredFile, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """What every table needs must be there; the rest of `config`, `environment` and the spec is free."""
        free = {"model": {"spec": self.model.spec}, "config": self.config, "environment": self.environment}
        for path, kinds in self._needed.items():
            value = _at(free, path)
            if value is ABSENT:
                raise ValueError(f"{'.'.join(path)} is missing")
            _check(path, value, kinds)
        for path, kinds in WHERE_THERE.items():
            if (value := _at(free, path)) is not ABSENT:
                _check(path, value, kinds)
        for name, value in (self.config.get("recipe") or {}).items():
            if isinstance(value, int) and abs(value) > MOST_COUNT:
                raise ValueError(f"config.recipe.{name} is nothing that it can be")
        return self

    @property
    def _needed(self) -> Needed:
        if self.kind == "imported":  # a test of published weights, or times of another tool
            return NEEDED if self.config.get("data") is None else NEEDED | NEEDED_OF_TESTS
        needed = NEEDED_OF[self.kind]
        needed = needed if self.config.get("data") is None else needed | NEEDED_OF_DATA
        explain = self.config.get("explain") if self.kind == "explain" else None
        return needed | NEEDED_OF_MARKED if isinstance(explain, dict) and explain.get("boxes") else needed

    @model_validator(mode="after")
    def _measured(self) -> Self:
        """Figures are sizes, but for some of maps: not below zero, and not beyond all that is measured; one that is not finite is none."""
        for row in self.measurements:
            value = row.value if row.value is None or self.kind != "explain" else abs(row.value)
            if value is not None and not (value == 0 or LEAST <= value <= MOST or not math.isfinite(value)):
                raise ValueError(f"{row.name} of {row.value:g} is nothing that can be measured")
            if any(bound is not None and MOST < abs(bound) < math.inf for bound in (row.low, row.high)):
                raise ValueError(f"{row.name} has an interval beyond all that can be measured")
            if row.name == "test_error_pct" and value is not None and row.n is not None and row.n < 1:
                raise ValueError(f"{row.name} is of no images")
        return self

    @property
    def failure_line(self) -> str:
        """What a Record without a result says of itself: `nin (train) failed: ...`."""
        assert self.failure is not None
        return f"{self.model.label} ({self.kind}) {self.status.replace('_', ' ')}: {self.failure.message}"

    @property
    def alike(self) -> object:
        """Equal in Records of one network, settings and machine, as far as that is known without a look at them."""
        return self.id

    def figure(self, name: str, at: Mapping[str, Scalar]) -> float:
        """The value of a measurement; NaN where there is none."""
        row = self.measurement(name, **at)
        return math.nan if row is None or row.value is None else row.value

    def measurement(self, name: str, **at: Scalar) -> Measurement | None:
        """The row of this name whose `at` holds at least these values."""
        matching = (row for row in self.measurements if row.name == name and at.items() <= row.at.items())
        return next(matching, None)


def _at(free: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = free
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return ABSENT
        value = value[step]
    return value


def _check(path: tuple[str, ...], value: Any, kinds: tuple[type, ...]) -> None:
    """Raise ValueError for a value that is none of these."""
    fits = isinstance(value, kinds) and isinstance(value, bool) is (kinds == SWITCH)
    if not fits or (isinstance(value, int | float) and abs(value) > MOST_COUNT):
        raise ValueError(f"{'.'.join(path)} is nothing that it can be")


def seal(**fields: Any) -> Record:
    """A Record with its id, from all its other fields; just as it will be when it is read again."""
    stored = json.loads(canonical(Record(id="", **fields).model_dump(mode="json")))
    return Record.model_validate({**stored, "id": content_id(stored)})


def content_id(stored: dict[str, Any]) -> str:
    """First 12 hex digits of `content_hash`."""
    return content_hash(stored)[:ID_LENGTH]


def content_hash(stored: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON of everything but `id`, of a Record as it was read from JSON, in hex."""
    return hash_of_plain({name: value for name, value in stored.items() if name != "id"})


def hash_of_plain(value: Any) -> str:
    """`hash_of` for what JSON gave, or `plain`: it need not be looked through for other keys than text."""
    try:
        text = _text(value)
    except ValueError:  # somebody wrote a number in that is not finite
        text = canonical(value)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; what is not finite becomes null."""
    return _text(plain(value))


def _text(value: Any) -> str:
    """Raises ValueError for what is not finite."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def readable(stored: dict[str, Any]) -> str:
    """The same JSON with a line for each top-level field, so that a diff of two Records can be read."""
    lines = (f"{json.dumps(name)}:{canonical(value)}" for name, value in stored.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def plain(value: Any) -> Any:
    """A value as JSON gives it back: keys are text, tuples lists; what is not finite becomes None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

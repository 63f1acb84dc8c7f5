"""A file of pytest-benchmark as Records of kind `imported`: of networks where `pytest --archbench` made it, else of calls by their name.

The forward pass and the training step of one network become one Record. Of the machine nothing is taken that names a host or a user.
"""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

import archbench
from archbench import stats
from archbench.errors import ArchbenchError
from archbench.records.schema import Measurement, ModelSnapshot, Record, Strict, canonical, hash_of, seal
from archbench.records.store import Store

TOOL, KEY_LENGTH = "pytest-benchmark", 16
FOLDERS = re.compile(r"(?<![\w.])(?:~[\w.-]*|[A-Za-z]:|\.{1,2})?[/\\]+(?:[^/\\\[\]\s]+[/\\]+)*")  # they may name a user
NOT_PLAIN = re.compile(r"[^\w+=.,:()\[\]-]+")
NAMES = {"forward": ("latency_s", "infer_images_per_s"), "training_step": ("train_step_s", "train_images_per_s")}
CIRCUMSTANCES = ("batch", "precision", "memory_format", "mode", "threads")

Count = Annotated[int, Field(ge=1, le=2**53)]  # more no count of calls is, and no float holds
Seconds = Annotated[FiniteFloat, Field(ge=0)]


class Facts(Strict):
    """What `pytest --archbench` says of a benchmark."""

    phase: Literal["forward", "training_step"]
    model: ModelSnapshot
    batch: Count
    precision: str
    memory_format: str
    mode: str
    threads: Count
    device: dict[str, str]
    params: int
    macs: int


class Taken(BaseModel):
    """What is taken of a part of the file; the rest of it may be anything."""

    model_config = ConfigDict(frozen=True, strict=True)


class Extra(Taken):
    """What a benchmark says beside its times."""

    archbench: Facts | None = None


class Stats(Taken):
    """Seconds a call: the median, and a value for each round where the file holds them."""

    median: Seconds
    rounds: Count
    iterations: Count = 1
    data: Annotated[list[Seconds], Field(min_length=1)] | None = None


class Benchmark(Taken):
    """One benchmark."""

    name: str
    fullname: str = ""
    stats: Stats
    extra_info: Extra = Extra()

    @property
    def facts(self) -> Facts | None:
        """Those of `pytest --archbench`."""
        return self.extra_info.archbench

    @property
    def measured(self) -> str:
        """The name of its measurement."""
        return NAMES[self.facts.phase if self.facts else "forward"][0]


class Report(Taken):
    """The whole file."""

    version: str
    datetime: str
    machine_info: dict[str, Any]
    benchmarks: list[Benchmark]

    @field_validator("datetime")
    @classmethod
    def _in_utc(cls, text: str) -> str:
        moment = datetime.datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        try:
            return aware.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
        except OverflowError:
            raise ValueError("not a time of our calendar in UTC") from None

    @field_validator("machine_info")
    @classmethod
    def _in_words(cls, machine: dict[str, Any]) -> dict[str, Any]:
        """The processor's name is words and its count a number, as every table relies on."""
        cpu = machine["cpu"] if isinstance(machine.get("cpu"), dict) else {}
        names = [cpu.get("brand_raw"), cpu.get("brand"), machine.get("processor"), machine.get("machine")]
        if not all(name is None or isinstance(name, str) for name in names):
            raise ValueError("the name of the processor is not a text")
        if not isinstance(cpu.get("count"), int | None):
            raise ValueError("the count of the processor is not a number")  # noqa: TRY004 - the one that pydantic takes for a complaint
        return machine


@dataclass(frozen=True)
class Imported:
    """The Records of a file: those that are new in the store, and those that were there. `problems` names Records that cannot be read."""

    new: list[Record]
    known: list[Record]
    problems: list[str]


def import_file(path: Path, store: Store) -> Imported:
    """Take a file into a store. Raises ArchbenchError in one line, and writes nothing, where the file is not what it should be."""
    made = records_of(path)
    store.check_writable()
    stored, problems = store.load()
    there = {(record.key, record.created) for record in stored}
    new = [record for record in made if (record.key, record.created) not in there]
    for record in new:
        store.save(record)
    return Imported(new, [record for record in made if record not in new], problems)


def records_of(path: Path) -> list[Record]:
    """The Records that a file of pytest-benchmark comes to. Raises ArchbenchError in one line for any other file."""
    try:
        report = Report.model_validate(_read(path))
        if not report.benchmarks:
            raise ArchbenchError(f"{path} holds no benchmarks: none ran, or all of them failed")
        return [_record(report, label, members) for label, members in _grouped(report.benchmarks)]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ArchbenchError(f"{path} is not as {TOOL} writes it: {place + ': ' if place else ''}{first['msg']}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ArchbenchError(
            f"there is no file {path}; archbench bundle and pytest --archbench nin --benchmark-json=FILE write some"
        ) from None
    except OSError as error:
        raise ArchbenchError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ArchbenchError(f"{path} is not JSON; pytest --benchmark-json=FILE writes what can be imported") from None
    if not isinstance(found, dict) or not {"benchmarks", "machine_info"} <= found.keys():
        raise ArchbenchError(f"{path} is JSON but no file of {TOOL}: it has no benchmarks with a machine_info")
    return found


def _grouped(benchmarks: list[Benchmark]) -> Iterable[tuple[str, list[Benchmark]]]:
    """Those of one network in the same circumstances together, every other one alone, with the label of each."""
    names = Counter(benchmark.name for benchmark in benchmarks)
    groups: dict[str, tuple[str, list[Benchmark]]] = {}
    for number, benchmark in enumerate(benchmarks):
        facts = benchmark.facts
        key = f"{number}" if facts is None else canonical(facts.model_dump(exclude={"phase"}))
        label = _label(benchmark, names[benchmark.name] == 1) if facts is None else facts.model.label
        groups.setdefault(key, (label, []))[1].append(benchmark)
    return groups.values()


def _label(benchmark: Benchmark, is_unique: bool) -> str:
    """A benchmark's name, the module before it where others of the file have the same."""
    file = benchmark.fullname.partition("::")[0].replace("\\", "/").rpartition("/")[2]
    plain = NOT_PLAIN.sub("_", FOLDERS.sub("", benchmark.name))
    return plain if is_unique else f"{file.removesuffix('.py')}::{plain}"


def _record(report: Report, label: str, members: list[Benchmark]) -> Record:
    facts, environment = members[0].facts, _environment(report.machine_info)
    if facts is not None:
        environment |= {"device": {**environment.get("device", {}), **facts.device}, "threads": facts.threads}
    snapshot, config = facts.model if facts else _snapshot(label), _config(facts, report.version)
    key = _key(snapshot, config, environment, [member.fullname for member in members])
    measurements = [row for member in members for row in _rows(member, f"{TOOL} {report.version}, median over rounds")]
    return seal(
        key=key,
        group=key,
        kind="imported",
        status="ok",
        created=report.datetime,
        duration_s=round(sum(_spent_s(member.stats) for member in members), 3),
        model=snapshot,
        config=config,
        environment=environment,
        measurements=(*measurements, *_counts(facts)),
        samples={member.measured: {"rounds": member.stats.data} for member in members if member.stats.data is not None},
    )


def _key(snapshot: ModelSnapshot, config: dict[str, Any], environment: dict[str, Any], benchmarks: list[str]) -> str:
    """What makes two imported Records the same run: as in a profile, and which benchmarks they hold."""
    run = [snapshot.model_dump(exclude={"spec"}), config["batch"], config["execution"], benchmarks]
    return hash_of([TOOL, *run, *(environment.get(name) for name in ("device", "threads", "libraries"))])[:KEY_LENGTH]


def _snapshot(label: str) -> ModelSnapshot:
    """A call of which nothing but the name is known."""
    spec = {"title": label, "year": None, "head_kind": ""}
    return ModelSnapshot(label=label, name=label, knobs={}, source_sha256="", num_classes=0, in_channels=0, image_size=0, spec=spec)


def _config(facts: Facts | None, version: str) -> dict[str, Any]:
    known = facts.model_dump(include={"precision", "memory_format"}) if facts else {"precision": "unknown", "memory_format": "unknown"}
    execution = {**known, "compiled": False, "deterministic": False}
    return {"batch": facts.batch if facts else None, "execution": execution, "data": None, "tool": {"name": TOOL, "version": version}}


def _environment(machine: dict[str, Any]) -> dict[str, Any]:
    """The facts that `pytest --archbench` attached, else what pytest-benchmark's own come to."""
    if isinstance(machine.get("archbench"), dict):
        return dict(machine["archbench"])
    cpu = machine["cpu"] if isinstance(machine.get("cpu"), dict) else {}
    name = cpu.get("brand_raw") or cpu.get("brand") or machine.get("processor") or machine.get("machine") or "unknown processor"
    return {
        "archbench": archbench.__version__,
        "python": machine.get("python_version"),
        "os": f"{machine.get('system')} {machine.get('machine')}",
        "libraries": {"torch": "unknown"},
        "cpu": name,
        "cores": cpu.get("count"),
        "device": {"kind": "cpu", "name": name},
        "threads": None,
    }


def _rows(benchmark: Benchmark, method: str) -> list[Measurement]:
    """Seconds a call, and of a network images a second."""
    facts, timed = benchmark.facts, benchmark.stats
    value, low, high, n = stats.median(timed.data) if timed.data is not None else (timed.median, None, None, timed.rounds)
    seconds = Measurement(name=benchmark.measured, value=value, low=low, high=high, n=n, method=method)
    if facts is None:
        return [seconds]
    at = facts.model_dump(include=set(CIRCUMSTANCES))
    ends = {"value": value, "low": high, "high": low}
    rate = {end: facts.batch / seconds if seconds else None for end, seconds in ends.items()}
    return [seconds.model_copy(update={"at": at}), Measurement(name=NAMES[facts.phase][1], n=n, method=method, at=at, **rate)]


def _counts(facts: Facts | None) -> list[Measurement]:
    counts = {"params": facts.params, "macs": facts.macs} if facts else {}
    return [Measurement(name=name, value=value, method="meta device, one image") for name, value in counts.items()]


def _spent_s(timed: Stats) -> float:
    """All that was timed."""
    return timed.iterations * (sum(timed.data) if timed.data is not None else timed.rounds * timed.median)

"""`--rerun`: make a Record again in a temporary folder, and say whether the two are as far apart as chance allows.

The rules:

- a training and its like, both with `--deterministic`, on the same device, instructions, threads and version of torch: their test errors
  are the same, and their predictions image by image where both are there;
- any other training: Newcombe's 95 % interval for the difference of the two test errors, each over its test images, holds 0;
- a profile: its counts are the same; each latency, on the same device and threads, is not called different by `archbench compare`, which is
  Welch's t over the launches of both and Holm's rule over all latencies.

Times by operator class are not taken again, and neither are other networks timed beside it.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archbench import remaking, stats
from archbench.config import Settings
from archbench.errors import ArchbenchError
from archbench.events import Listener
from archbench.publish.compare import Difference, compare
from archbench.publish.predictions import Kept
from archbench.records.located import Located
from archbench.records.schema import Record
from archbench.records.store import write_atomically
from archbench.verifying.check import CANNOT, DIFFERS, OK, Check

if TYPE_CHECKING:
    from archbench.plan import Plan

KINDS = ("train", "profile")
COMPARED = ("latency", "params", "macs", "activations")  # the first on the same machine alone
WHAT = "made again"


@dataclasses.dataclass(frozen=True)
class Given:
    """What a Record cannot tell: the folder of its images, as `NAME=imagefolder:DIR`, and where data sets lie."""

    dataset: str | None = None
    data_dir: Path = Settings.data_dir


def check(found: Located, given: Given, emit: Listener) -> list[Check]:
    """Make a Record again and compare; what keeps it from being made is said in the check."""
    record = found.record
    with tempfile.TemporaryDirectory(prefix="archbench-again-") as folder:
        try:
            settings = _settings(record, given, Path(folder))
            again = _made(record, settings, emit)
        except ArchbenchError as error:
            return [Check(record.id, WHAT, CANNOT, str(error))]
        if again.status != record.status:
            said = again.failure.message if again.failure is not None else "ended well"
            return [
                Check(record.id, WHAT, DIFFERS, f"{record.status.replace('_', ' ')} then, {again.status.replace('_', ' ')} now: {said}")
            ]
        if again.status != "ok":
            return [Check(record.id, WHAT, OK, f"{again.status.replace('_', ' ')}, as it was")]
        if record.kind == "profile":
            return _profiles(record, again)
        return [_trainings(record, again, Kept(found.root), Kept(Path(folder)))]


def _settings(record: Record, given: Given, folder: Path) -> Settings:
    """The settings of the run. Raises ArchbenchError where they leave something open that is not given."""
    if record.kind not in KINDS:
        raise ArchbenchError(f"only trainings and profiles are made again, and this one is {record.kind}")
    if record.config.get("tuned") is not None:
        raise ArchbenchError("its rate and decay come from a search, which is made by archbench tune")
    if ".py:" in record.model.name:
        raise ArchbenchError(f"it is of a file of somebody's own, which is not run: {record.model.name}")
    if "source" in record.model.knobs:
        raise ArchbenchError("it learned on the weights of another Record")
    made = remaking.remake(record)
    settings = dataclasses.replace(made.settings, results=folder, data_dir=given.data_dir, rerun=False, time=False)
    if made.recipe is not None:
        path = folder / "recipe.toml"  # not by the name that a Record gives it, which may lead elsewhere
        text = made.recipe
        write_atomically(path, lambda file: file.write(text.encode()))
        settings = dataclasses.replace(settings, recipe=str(path))
    if settings.dataset is not None and settings.dataset.endswith(f":{remaking.FOLDER}"):
        name = settings.dataset.partition("=")[0]
        if given.dataset is None:
            raise ArchbenchError(f"it does not tell the folder of its images: --dataset {name}=imagefolder:{remaking.FOLDER} does")
        settings = Settings.of(**{**vars(settings), "dataset": given.dataset})
    return settings


def _made(record: Record, settings: Settings, emit: Listener) -> Record:
    """The run. Raises ArchbenchError before it begins where it would be of other settings."""
    from archbench import running

    def announce(plan: Plan) -> None:
        if plan.jobs and (apart := _apart(record, plan)):
            raise ArchbenchError(f"the same settings cannot be had here: {'; '.join(apart)}")

    executed = running.execute(running.Asked([settings]), (record.kind,), emit, announce)
    if not executed.records:
        raise ArchbenchError(executed.refused[0])
    return executed.records[0]


def _apart(record: Record, plan: Plan) -> list[str]:
    """In what the run that is planned is not the Record's; settings that the Record does not know of are as they were before they came."""
    (job,) = plan.jobs
    config, now = record.config, job.config()
    pairs: dict[str, tuple[Any, Any]] = {
        "code of the network": (record.model.source_sha256[:8], job.snapshot.source_sha256[:8]),
        "batch": (config["batch"], now["batch"]),
        "device": (record.environment["device"]["kind"], job.device.kind),
        **{name: (config["execution"].get(name), now["execution"].get(name)) for name in ("precision", "deterministic", "compile_auto")},
        **_settings_of(record, now),
    }
    return [f"{name} {then} then, {here} now" for name, (then, here) in pairs.items() if then is not None and _plain(then) != _plain(here)]


def _settings_of(record: Record, now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    if record.kind == "profile":
        return {name: (record.config.get(name), now[name]) for name in ("launches", "batches", "modes")}
    training = remaking.as_written_now(record.config["training"])
    resolved = {name: (value, now["training"].get(name)) for name, value in training.items() if name != "hints"}
    data = {f"data's {name}": (value, now["data"].get(name)) for name, value in record.config["data"].items()}
    return {**resolved, **data}


def _plain(value: Any) -> Any:
    """As JSON gives it back: a tuple is a list."""
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _trainings(record: Record, again: Record, kept: Kept, kept_again: Kept) -> Check:
    """The rule for trainings."""
    rows = [each.measurement("test_error_pct") for each in (record, again)]
    (n, value), (n_again, value_again) = ((row.n, row.value) if row is not None else (None, None) for row in rows)
    if not n or not n_again or value is None or value_again is None:
        return Check(record.id, WHAT, CANNOT, "it tells no test error")
    said = f"test error {value:.2f} % then, {value_again:.2f} % now"
    if _is_exact(record, again):
        old, new = kept.of(record), kept_again.of(again)
        if value != value_again or (old is not None and new is not None and not np.array_equal(old.predicted, new.predicted)):
            return Check(record.id, WHAT, DIFFERS, f"{said}; both are deterministic on one machine, so every prediction should be the same")
        by = "every prediction is the same" if old is not None and new is not None else "as it should be, both being deterministic"
        return Check(record.id, WHAT, OK, f"{said}; {by}")
    found = stats.difference_of_errors((round(value * n / 100), n), (round(value_again * n_again / 100), n_again))
    bounds = f"{found.low:.2f} to {found.high:.2f} points"
    within = found.low <= 0 <= found.high
    rule = f"Newcombe's 95 % interval of the difference, {bounds}, {'holds' if within else 'does not hold'} 0"
    return Check(record.id, WHAT, OK if within else DIFFERS, f"{said}; {rule}")


def _is_exact(record: Record, again: Record) -> bool:
    """Whether the two must agree to the bit."""
    told = [(each.config["execution"]["deterministic"], *_machine(each), *_arithmetic(each)) for each in (record, again)]
    return told[0] == told[1] and bool(told[0][0])


def _arithmetic(record: Record) -> tuple[Any, ...]:
    """By what two processors of one name may come to other sums."""
    return record.environment["libraries"]["torch"], record.environment.get("cpu_capability")


def _machine(record: Record) -> tuple[Any, ...]:
    return record.environment["device"]["name"], record.environment["threads"]


def _profiles(record: Record, again: Record) -> list[Check]:
    """The rule for profiles, a check for each figure; times on another machine, or other threads, are not compared."""
    elsewhere = _machine(record) != _machine(again)
    found = [] if not elsewhere else [Check(record.id, f"{WHAT}, latency_s", CANNOT, f"timed {_on(record)} then, {_on(again)} now")]
    try:
        compared = compare([record], [again], only=COMPARED[elsewhere:])
    except (KeyError, TypeError, ValueError, AttributeError):
        return [Check(record.id, WHAT, CANNOT, "its samples are not in the form of those that a run leaves")]
    return found + [_figure(record.id, each) for each in compared]


def _on(record: Record) -> str:
    name, threads = _machine(record)
    return f"on {name} by {threads} thread{'s' * (threads != 1)}"


def _figure(name: str, found: Difference) -> Check:
    at = ", ".join(f"{what} {value}" for what, value in found.at.items() if what in ("batch", "mode", "operator_class"))
    what, change = f"{WHAT}, {found.name}{f' ({at})' if at else ''}", f"{found.before:.6g} then, {found.after:.6g} now"
    if found.real is None:
        return Check(name, what, CANNOT, f"{change}; {found.method}")
    interval = f" ({found.low:+.1f} to {found.high:+.1f} %, {found.method})" if found.name == "latency_s" else ""
    return Check(name, what, DIFFERS if found.real else OK, f"{change}{interval}")

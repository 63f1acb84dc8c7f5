"""The checks of one file that should be a Record: what needs no training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archbench.errors import ArchbenchError
from archbench.publish.predictions import FILE as PREDICTIONS
from archbench.publish.scored import FILE as SCORES
from archbench.records.schema import ID_LENGTH, SCHEMA_VERSION, Measurement, Record, StoredFile, content_hash
from archbench.records.store import FILES, is_place, read_record
from archbench.verifying import counts, predictions, samples, scores
from archbench.verifying.check import CANNOT, DIFFERS, OK, Check, Figure, of_figures

SHOWN = 16  # digits of a hash


def checks(path: Path) -> Iterator[Check]:
    """Each check as it is made: the id, files beside the Record, statistics from predictions and samples, and counts.

    Of a Record that was changed the rest is looked into too, so that what was changed may come to light.
    """
    name, record, found = _opened(path)
    yield found
    if record is None:
        return
    kept: list[bytes] = []
    for file in record.files:
        yield _file(name, path.absolute().parent.parent, file, kept)
    if record.kind == "explain":
        yield from scores.check(name, record, kept)
        return
    yield from _of_predictions(name, record, kept)
    yield from _of_intervals(name, record, ["train_error_pct"])
    yield from _of_samples(name, record)
    yield from counts.check(name, record)
    yield from _not_looked_into(name, record)


def _opened(path: Path) -> tuple[str, Record | None, Check]:
    """What the Record is called, the Record where it can be read at all, and the check of its id."""
    name = path.name
    if not path.is_file():  # a pipe would be waited for
        return name, None, Check(name, "Record", DIFFERS, f"{name} is not a file")
    try:
        stored: Any = json.loads(path.read_bytes())
        name = stored["id"] if isinstance(stored, dict) and isinstance(stored.get("id"), str) else name
        record, problem = _validated(stored), ""
        read_record(path)
    except ArchbenchError as error:
        problem = str(error)
    except (OSError, ValueError, RecursionError):
        return name, None, Check(name, "Record", DIFFERS, f"{path.name} is not JSON: damaged or not a Record")
    if isinstance(stored, dict) and isinstance(version := stored.get("schema_version"), int) and version > SCHEMA_VERSION:
        return name, None, Check(name, "Record", CANNOT, problem)
    if problem:
        return name, record, Check(name, "id" if record is not None else "Record", DIFFERS, problem)
    return name, record, Check(name, "id", OK, f"the first {ID_LENGTH} digits of SHA-256 {content_hash(stored)}")


def _validated(stored: Any) -> Record | None:
    try:
        return Record.model_validate(stored)
    except ValidationError:
        return None


def _file(name: str, root: Path, file: StoredFile, kept: list[bytes]) -> Check:
    """Size and hash of a file; the content of predictions or scores that are what the Record says goes to `kept`."""
    if not is_place(file.path):
        return Check(name, file.path, DIFFERS, f"a Record names files in the folder {FILES} alone, and none elsewhere is looked at")
    place = root / file.path
    if not place.is_file():
        return Check(name, file.path, CANNOT, "it does not lie beside the Record")
    size = place.stat().st_size
    if size != file.bytes:
        return Check(name, file.path, DIFFERS, f"it has {size:,} bytes, the Record says {file.bytes:,}")
    with place.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        return Check(name, file.path, DIFFERS, f"its SHA-256 is {found[:SHOWN]}, the Record says {file.sha256[:SHOWN]}")
    if place.name in (PREDICTIONS, SCORES):
        kept.append(place.read_bytes())
    return Check(name, file.path, OK, f"{size:,} bytes, SHA-256 {found[:SHOWN]}")


def _of_predictions(name: str, record: Record, kept: list[bytes]) -> Iterator[Check]:
    rows = [row for row in record.measurements if row.name in predictions.FIGURES]
    if not rows:
        return
    if not kept:
        yield Check(name, _names(rows), CANNOT, "the predictions are not there as the Record names them")
        yield from _of_intervals(name, record, ("test_error_pct", "test_top5_error_pct"))
        return
    try:
        found = predictions.read(kept[0])
    except ValueError as error:
        yield Check(name, _names(rows), CANNOT, f"{PREDICTIONS}: {error}")
        return
    for row in rows:
        if row.n != len(found.labels):
            yield Check(name, row.name, DIFFERS, f"the Record says {row.n} test images, its predictions are of {len(found.labels)}")
            continue
        figure = predictions.FIGURES[row.name](row, found)
        why = "the logits are not kept, or beyond what float16 holds"
        yield of_figures(name, row.name, [figure], "the predictions") if figure else Check(name, row.name, CANNOT, why)


def _of_intervals(name: str, record: Record, wanted: Sequence[str]) -> Iterator[Check]:
    """Whether the errors that are told as such go together with their intervals, where no prediction says more."""
    for row in record.measurements:
        if row.name in wanted and "Wilson" in row.method and (figure := predictions.interval(row)) is not None:
            yield of_figures(name, f"interval of {row.name}", [figure], "the number of errors that the value tells")


def _of_samples(name: str, record: Record) -> Iterator[Check]:
    """A check for each name of a measurement whose samples are in the Record."""
    for what, figure_of in samples.FIGURES.items():
        rows = [row for row in record.measurements if row.name == what]
        if rows:
            yield _sampled(name, what, rows, record, figure_of)


def _sampled(name: str, what: str, rows: list[Measurement], record: Record, figure_of: Callable[..., Figure | None]) -> Check:
    try:
        found = [figure for row in rows if (figure := figure_of(row, record)) is not None]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError):
        found = []
    if len(found) < len(rows):
        return Check(name, what, CANNOT, "the Record holds no samples of it, or in another form than today's")
    return of_figures(name, what, found, "the samples in the Record")


def _not_looked_into(name: str, record: Record) -> Iterator[Check]:
    """What was measured and leaves nothing that it could be computed from, in one line."""
    known: set[str] = {*predictions.FIGURES, *samples.FIGURES, *counts.QUANTITIES}
    rows = [row for row in record.measurements if row.name not in known]
    if rows:
        yield Check(name, _names(rows), CANNOT, "nothing is kept that it could be computed from")


def _names(rows: list[Measurement]) -> str:
    return ", ".join(dict.fromkeys(row.name for row in rows))


def summary(found: list[Check]) -> Mapping[str, int]:
    """How many checks came to what."""
    return {status: sum(each.status == status for each in found) for status in (OK, DIFFERS, CANNOT)}

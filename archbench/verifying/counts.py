"""The counts of a Record, made again by our counter from the network that the zoo holds now, where its code is the same."""

from __future__ import annotations

import dataclasses

from archbench.errors import ArchbenchError
from archbench.records.schema import Record
from archbench.verifying.check import CANNOT, Check, Figure, of_figures

QUANTITIES = ("params", "macs", "activations")
HOW = "the network of the zoo, by our counter"


def check(name: str, record: Record) -> list[Check]:
    """Parameters, MACs and activations, as a whole and by operator class; nothing of a Record without counts.

    A file of a user's is not run: a Record may have come from anybody.
    """
    rows = [row for row in record.measurements if row.name in QUANTITIES]
    if not rows:
        return []
    if ".py:" in record.model.name:
        return [Check(name, "counts", CANNOT, f"it is of a file of somebody's own, which is not run: {record.model.name}")]
    try:
        counted = _counted(record)
    except ArchbenchError as error:
        return [Check(name, "counts", CANNOT, str(error))]
    unknown = [row for row in rows if (row.name, tuple(row.at.items())) not in counted]
    if unknown:
        at = ", ".join(map(str, unknown[0].at.values()))
        return [Check(name, "counts", CANNOT, f"the counter of this version has no {unknown[0].name} of {at}")]
    return [of_figures(name, "counts", [Figure(row, counted[row.name, tuple(row.at.items())]) for row in rows], HOW)]


def _counted(record: Record) -> dict[tuple[str, tuple[tuple[str, object], ...]], float]:
    """The counts by name and by what qualifies them. Raises ArchbenchError where the same network cannot be had."""
    from archbench import models
    from archbench.measure import complexity
    from archbench.models import Input, entries

    made = record.model
    if made.source_sha256 != entries.entry(made.name).source_sha256:
        raise ArchbenchError(f"the code of {made.name} is not the one that this Record is of ({made.source_sha256[:8]})")
    knobs = {key: value for key, value in made.knobs.items() if not (key == "width" and "equal" in made.knobs)}
    (model,) = models.parse(["+".join([made.name, *(f"{key}={value}" for key, value in knobs.items())])])
    if "equal" in made.knobs:
        width = made.knobs.get("width")
        if not isinstance(width, int | float):
            raise ArchbenchError(f"the Record does not tell the width of {made.label}")
        model = dataclasses.replace(model, width=float(width))
    counted = complexity.count(model, Input(made.num_classes, made.in_channels, made.image_size))
    return {(row.name, tuple(row.at.items())): row.value for row in counted.rows() if row.value is not None}

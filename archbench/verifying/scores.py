"""What the scores beside a Record of kind explain say: every figure of it, from each image's own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from archbench.publish import scored
from archbench.records.schema import Measurement, Record, canonical
from archbench.verifying.check import CANNOT, Check, Figure, of_figures


def check(name: str, record: Record, kept: list[bytes]) -> Iterator[Check]:
    """A check for each name of a measurement; `kept` holds the file of scores, where it is what the Record says."""
    rows: dict[str, list[Measurement]] = {}
    for row in record.measurements:
        rows.setdefault(row.name, []).append(row)
    why, again = "the scores are not there as the Record names them", {}
    if kept:
        try:
            again = {(row.name, canonical(row.at)): row for row in scored.measurements(scored.read(kept[0]))}
            why = f"{scored.FILE} holds nothing that it could be computed from"
        except ValueError as error:
            why = f"{scored.FILE}: {error}"
    for what, told in rows.items():
        found = [(row, again.get((what, canonical(row.at)))) for row in told]
        figures = [Figure(row, math.nan if each.value is None else each.value, each.low, each.high) for row, each in found if each]
        yield of_figures(name, what, figures, "the scores of each image") if len(figures) == len(told) else Check(name, what, CANNOT, why)

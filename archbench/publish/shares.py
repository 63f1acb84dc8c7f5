"""What share of a network's parameters, MACs, activations and time lies in each operator class, and in each coordinate of the lineage.

The coordinates are what an operation mixes: channels alone at one place, space alone, both at once. Beside them stand the classifier
head, and the rest: norm, activation, pooling and other.
"""

from __future__ import annotations

from collections import Counter

from archbench.records.schema import Record

COORDINATE = {
    **dict.fromkeys(("pointwise", "gate"), "channels"),
    **dict.fromkeys(("depthwise", "token_mixing"), "space"),
    **dict.fromkeys(("dense_conv", "grouped_conv"), "both"),
    "head": "head",
    **dict.fromkeys(("norm", "activation", "pool", "other"), "rest"),
}
OPERATOR_CLASSES, COORDINATES = tuple(COORDINATE), tuple(dict.fromkeys(COORDINATE.values()))
QUANTITIES = {"params": "params", "macs": "MACs", "activations": "activations", "time_s": "time"}  # a measurement's name, in a word


def by_class(record: Record, quantity: str, **at: str) -> dict[str, float]:
    """How much of a quantity each operator class has, summed over what `at` leaves open: for `time_s` both phases of a training step.

    Empty where the Record does not say, or where its classes do not add up to the whole that it names beside them.
    """
    sums: Counter[str] = Counter()
    for row in record.measurements:
        if row.name == quantity and "operator_class" in row.at and at.items() <= row.at.items():
            sums[str(row.at["operator_class"])] += row.value or 0  # type: ignore[assignment]
    named = next((row.value for row in record.measurements if row.name == quantity and not row.at), None)
    return dict(sums) if named is None or named == sums.total() else {}


def class_shares(amounts: dict[str, float]) -> dict[str, float]:
    """Percent of the whole in every class, 0 where it has none; empty where there is nothing to share."""
    whole = sum(amounts.values())
    return {kind: 100 * amounts.get(kind, 0) / whole for kind in OPERATOR_CLASSES} if whole else {}


def coordinate_shares(amounts: dict[str, float]) -> dict[str, float]:
    """Percent of the whole in every coordinate; empty where there is nothing to share."""
    sums: Counter[str] = Counter()
    for kind, share in class_shares(amounts).items():
        sums[COORDINATE[kind]] += share  # type: ignore[assignment]
    return dict(sums)

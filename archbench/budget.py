"""The width at which a network with knobs costs as much as the same network without them."""

from __future__ import annotations

import dataclasses
import functools

from archbench.errors import ArchbenchError
from archbench.measure import complexity
from archbench.models import Input, Model
from zoo import WIDTH

TOLERANCE = 0.01  # of the count that is to be met
HALVINGS = 40


@functools.cache
def settled(model: Model, shape: Input) -> Model:
    """The model with the width that its `equal` knob asks for; any other model as it is.

    The count is that of the unmodified network for the same input, met within 1 %. Raises ArchbenchError when no width meets it.
    """
    quantity = model.equal
    if quantity is None or model.width is not None:
        return model
    wanted = _count(Model(model.name), shape, quantity)
    width = _bisect(model, shape, quantity, wanted)
    found = dataclasses.replace(model, width=width)
    count = _count(found, shape, quantity)
    if abs(count - wanted) > TOLERANCE * wanted:
        raise ArchbenchError(
            f"{model.label}: no width gives the {wanted:,} {quantity} of {model.name} within 1 %; the nearest gives {count:,}"
        )
    return found


def _bisect(model: Model, shape: Input, quantity: str, wanted: int) -> float:
    """The width whose count is nearest; counts grow with the width, in steps of whole maps."""

    def count(width: float) -> int:
        return _count(dataclasses.replace(model, width=width), shape, quantity)

    low, high = WIDTH.low, 1.0
    while count(high) < wanted and high < WIDTH.high:
        low, high = high, min(2 * high, WIDTH.high)
    best = high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = count(middle)
        if abs(found - wanted) < abs(count(best) - wanted):
            best = middle
        if found == wanted or high - low < 1e-4:
            break
        low, high = (middle, high) if found < wanted else (low, middle)
    return best


@functools.lru_cache(maxsize=256)
def _count(model: Model, shape: Input, quantity: str) -> int:
    counted = complexity.count(model, shape)
    return counted.macs if quantity == "macs" else counted.params

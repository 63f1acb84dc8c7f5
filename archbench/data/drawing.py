"""Textured objects on textured grounds, many images at a time: outlines, patterns and colours of the data set `shapes`.

All that decides about a byte is drawn from raw bits of PCG64, whose stream numpy promises to keep, and worked out with whole numbers and
with `+ - * / sqrt` on float64, which IEEE 754 rounds alike everywhere: every machine gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
CLASS_NAMES = ("disc", "square", "triangle", "ring", "cross", "bar", "crescent", "hourglass", "tee", "frame")
GROUNDS = ("rows", "columns", "checks", "dots", "grid", "grain", "blocks", "ripples", "shade", "zigzag")  # of the class at the same place
# mean red, green and blue of each ground
GROUND_COLOURS = np.array(
    [
        *[(90, 145, 95), (95, 110, 160), (155, 125, 95), (140, 95, 135), (90, 145, 145)],
        *[(145, 145, 90), (150, 95, 90), (110, 110, 110), (110, 135, 160), (160, 135, 145)],
    ],
    dtype=np.int64,
)
COLOUR_JITTER, TEXTURE, GRAIN = 15, 22, 6  # of 256 levels
OBJECT_LEVELS = 30  # from black, or from white, in each channel: farther from every ground than any texture goes


class Dice:
    """Numbers drawn from the raw bits of PCG64."""

    def __init__(self, *seeds: int) -> None:
        self.bits = np.random.PCG64(np.random.SeedSequence(seeds))

    def real(self, *shape: int) -> Numbers:
        """From 0 to below 1, in steps of 2^-53."""
        raw: NDArray[np.uint64] = self.bits.random_raw(int(np.prod(shape)))
        return ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def whole(self, below: int, *shape: int) -> Numbers:
        """From 0 to below a number."""
        drawn: Numbers = (self.real(*shape) * below).astype(np.int64)
        return drawn


def outline(kinds: Numbers, x: Numbers, y: Numbers) -> NDArray[np.bool_]:
    """Which places lie in objects of these classes, `(n,)`; x and y, `(n, H, W)`, are 0 at an object's centre and 1 at its radius."""
    inside = np.zeros(x.shape, dtype=np.bool_)
    for kind, formula in enumerate(OUTLINES):
        chosen = kinds == kind
        inside[chosen] = formula(x[chosen], y[chosen])
    return inside


def _box(x: Numbers, y: Numbers, half_width: float, half_height: float) -> Numbers:
    return (np.abs(x) <= half_width) & (np.abs(y) <= half_height)


OUTLINES: tuple[Callable[[Numbers, Numbers], Numbers], ...] = (  # each within the unit circle
    lambda x, y: x * x + y * y <= 0.92,
    lambda x, y: _box(x, y, 0.7, 0.7),
    lambda x, y: (y <= 0.55) & (y >= 1.75 * np.abs(x) - 0.95),
    lambda x, y: (x * x + y * y <= 0.98) & (x * x + y * y >= 0.28),
    lambda x, y: _box(x, y, 0.27, 0.95) | _box(x, y, 0.95, 0.27),
    lambda x, y: _box(x, y, 0.92, 0.32),
    lambda x, y: (x * x + y * y <= 0.98) & ((x - 0.45) * (x - 0.45) + y * y >= 0.56),
    lambda x, y: (np.abs(y) <= 0.8) & (np.abs(x) <= 0.72 * np.abs(y) + 0.1),
    lambda x, y: ((y <= -0.2) & (y >= -0.72) & (np.abs(x) <= 0.68)) | ((y >= -0.2) & (y <= 0.85) & (np.abs(x) <= 0.26)),
    lambda x, y: _box(x, y, 0.7, 0.7) & ~_box(x, y, 0.36, 0.36),
)


def pattern(kinds: Numbers, scales: Numbers, offsets: Numbers, dice: Dice, size: int) -> NDArray[np.float64]:
    """Grounds of these kinds, `(n,)`, from -1 to 1, `(n, size, size)`.

    `scales`, `(n,)`, are widths of their parts in pixels, whole numbers; `offsets`, `(n, 2)`, where they begin.
    """
    made = np.empty((len(kinds), size, size))
    noise = dice.real(len(kinds), size, size)
    for kind, formula in enumerate(PATTERNS):
        chosen = kinds == kind
        y, x = (np.arange(size)[None, :] + offsets[chosen, axis, None] for axis in (0, 1))
        made[chosen] = formula(y[:, :, None], x[:, None, :], scales[chosen, None, None], noise[chosen])
    return 2 * made - 1


def _blocks(y: Numbers, x: Numbers, s: Numbers, noise: Numbers) -> Numbers:
    """The noise of one place for all of a square of the scale."""
    rows, columns = (axis // s - (axis // s).min(axis=place, keepdims=True) for axis, place in ((y, 1), (x, 2)))
    spread: Numbers = noise[np.arange(len(noise))[:, None, None], rows, columns]
    return spread


def _ripples(y: Numbers, x: Numbers, s: Numbers, _: Numbers) -> Numbers:
    """Circles about a place within the image, which the offsets give."""
    size = y.shape[1]
    from_y, from_x = (axis - axis[:, :1, :1] - axis[:, :1, :1] % size for axis in (y, x))
    ripples: Numbers = np.sqrt((from_y * from_y + from_x * from_x).astype(np.float64)).astype(np.int64) // s % 2
    return ripples


def _shade(y: Numbers, x: Numbers, s: Numbers, _: Numbers) -> Numbers:
    """Dark to light and back, from above to below."""
    period = 8 * s
    shade: Numbers = np.abs(y % period - period // 2) / (period // 2) + 0 * x
    return shade


PATTERNS: tuple[Callable[[Numbers, Numbers, Numbers, Numbers], Numbers], ...] = (  # each the same kind in a mirror
    lambda y, x, s, noise: y // s % 2 + 0 * x,
    lambda y, x, s, noise: x // s % 2 + 0 * y,
    lambda y, x, s, noise: (y // s + x // s) % 2,
    lambda y, x, s, noise: (2 * (y % (2 * s)) - 2 * s + 1) ** 2 + (2 * (x % (2 * s)) - 2 * s + 1) ** 2 <= 2 * s * s,
    lambda y, x, s, noise: (y % (2 * s) < s // 2) | (x % (2 * s) < s // 2),
    lambda y, x, s, noise: noise,
    _blocks,
    _ripples,
    _shade,
    lambda y, x, s, noise: (y + np.abs(x % (4 * s) - 2 * s)) // s % 2,
)


def ground_colours(dice: Dice, grounds: Numbers) -> Numbers:
    """Mean colours of grounds, `(n, 3)`."""
    mean: Numbers = GROUND_COLOURS[grounds] + dice.whole(2 * COLOUR_JITTER + 1, len(grounds), 3) - COLOUR_JITTER
    return mean


def object_colours(dice: Dice, n: int) -> NDArray[np.int64]:
    """Mean colours of objects, `(n, 3)`, each channel dark or light, whatever the ground: they must not tell which it is."""
    level = dice.whole(OBJECT_LEVELS + 1, n, 3)
    return np.where(dice.real(n, 3) < 0.5, level, 255 - level)


def textured(colour: Numbers, texture: Numbers, grain: Numbers) -> Numbers:
    """Colours `(n, 3)` made lighter and darker by textures `(n, H, W)` from -1 to 1 and by the grain of each pixel: `(n, 3, H, W)`."""
    levels = (texture * TEXTURE + grain * GRAIN).astype(np.int16)
    made: Numbers = np.clip(colour[:, :, None, None].astype(np.int16) + levels[:, None], 0, 255)
    return made

"""Whether maps lie on the object: pointing game, overlap of boxes, and the share of a map's evidence on object, others and ground."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from archbench.data.boxes import around
from archbench.errors import ArchbenchError
from archbench.explaining.objects import Objects
from archbench.publish.laying import Centres, equal_parts, laid

THRESHOLDS = (0.15, 0.2, 0.3, 0.5)  # of a map's largest value, above which a pixel counts to its box; Zhou et al. 2016 take 0.2
AT_ONCE = 500  # images, so that memory stays small


@dataclass(frozen=True)
class Localised:
    """Of each of N maps, laid over its image; each the better the larger, but for `ground`, and none depends on a positive factor.

    - `pointing`: the largest value lies in the object's box (the pointing game, Zhang et al. 2016, without a margin); `pointing_mask`: on
      the object itself. A map that is the same everywhere points nowhere.
    - `iou`, `(N, T)`: overlap, area of both by area of either, of the object's box with the one around the largest connected part of the
      map above each threshold (Zhou et al. 2016, section 3.2).
    - `energy`: share of the map's positive part on the object; `ground`: on no object at all. The rest lies on others.
    - `silent`: the map is nowhere positive. Such a map finds nothing: it is a miss with an overlap of 0, an energy of 0 and no share on the
      ground. To leave it out would reward a network for being silent where it is in doubt.
    """

    pointing: NDArray[np.bool_]
    pointing_mask: NDArray[np.bool_]
    iou: NDArray[np.float64]
    energy: NDArray[np.float64]
    ground: NDArray[np.float64]
    silent: NDArray[np.bool_]


def localise(
    maps: NDArray[np.floating], objects: Objects, thresholds: tuple[float, ...] = THRESHOLDS, centres: Centres | None = None
) -> Localised:
    """What maps `(N, n, n)` are worth that are to show these objects; their places have these centres, else they are equal parts.

    Raises ArchbenchError where a value is not finite.
    """
    if not np.isfinite(maps).all():
        raise ArchbenchError("a map has values that are not finite, so it shows nothing")
    some = [slice(start, start + AT_ONCE) for start in range(0, max(len(maps), 1), AT_ONCE)]
    parts = [_part(maps[part], objects.take(part), thresholds, centres) for part in some]
    return Localised(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Localised)))


def _part(maps: NDArray[np.floating], objects: Objects, thresholds: tuple[float, ...], centres: Centres | None) -> Localised:
    positive = laid(maps, objects.masks.shape[-1], centres).clip(min=0)
    total = positive.sum(axis=(1, 2), dtype=np.float64)
    silent = total == 0
    flat = maps.min(axis=(1, 2)) == maps.max(axis=(1, 2))
    in_box, in_mask = (hit & ~silent & ~flat for hit in _pointed(maps, objects, centres))
    energy, ground = (
        np.divide((positive * where).sum(axis=(1, 2), dtype=np.float64), total, out=np.zeros(len(maps)), where=total > 0)
        for where in (objects.masks, ~(objects.masks | objects.others))
    )
    peaks = positive.max(axis=(1, 2))[:, None, None]
    found = [around(_largest_part(positive > threshold * peaks)) for threshold in thresholds]
    return Localised(in_box, in_mask, np.stack([overlap(each, objects.boxes) for each in found], axis=1), energy, ground, silent)


def _pointed(maps: NDArray[np.floating], objects: Objects, centres: Centres | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the centre of each map's largest place, where the map over the image is largest too, lies in the box, and on the object.

    Of places that are equally large it is the first, row by row.
    """
    places, size = maps.shape[-1], objects.masks.shape[-1]
    at = equal_parts(places, size) if centres is None else centres
    down, right = (at[place] for place in np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), places))
    left, top, behind, below = objects.boxes.T
    in_box = (left <= right) & (right < behind) & (top <= down) & (down < below)
    pixels = (each.astype(int).clip(0, size - 1) for each in (down, right))
    return in_box, objects.masks[np.arange(len(maps)), *pixels]


def _largest_part(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of masks `(N, H, W)` the part that hangs together, corners included, and has the most pixels; the first of equally large ones."""
    from scipy import ndimage

    within = np.zeros((3, 3, 3), dtype=bool)
    within[1] = True  # no part reaches into the next image
    numbers, _ = ndimage.label(chosen, within)
    areas = np.bincount(numbers.ravel())
    areas[0] = 0
    largest = np.take_along_axis(numbers.reshape(len(chosen), -1), areas[numbers].reshape(len(chosen), -1).argmax(axis=1)[:, None], axis=1)
    return np.asarray((numbers == largest[:, :, None]) & chosen)


def overlap(boxes: NDArray[np.number], others: NDArray[np.number]) -> NDArray[np.float64]:
    """Area of both by area of either, of pairs of boxes `(N, 4)`; 0 where a box is empty."""
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    both = sides.clip(min=0).prod(axis=1).astype(np.float64)
    either = sum((each[:, 2:] - each[:, :2]).prod(axis=1) for each in (boxes, others)) - both
    return np.asarray(np.divide(both, either, out=np.zeros(len(boxes)), where=either > 0))

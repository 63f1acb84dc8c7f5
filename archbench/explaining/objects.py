"""What is known of images: which pixels are the object whose class a map is of, which are other objects, and what is ground."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from archbench.data.boxes import around
from archbench.data.shapes import Scenes

LIMITS = 0.4, 0.5  # of a box's mean side, in sides of the image, from which on it is no longer small, and is large


@dataclass(frozen=True)
class Objects:
    """Of N images the masks of the object, `(N, H, W)`, and of all others together; and its boxes `(N, 4)`.

    A box is left, top, right and bottom in pixels, the last two being the first behind it; it is empty where there is no such object.
    """

    masks: NDArray[np.bool_]
    others: NDArray[np.bool_]
    boxes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def there(self) -> NDArray[np.bool_]:
        """In which images there is such an object, `(N,)`."""
        return np.asarray((self.boxes[:, 2:] > self.boxes[:, :2]).all(axis=1))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Small, medium or large, as places in `scored.SIZES`, `(N,)`: by the geometric mean of a box's sides.

        The limits part the objects of `shapes` into about three equal parts.
        """
        sides = np.sqrt((self.boxes[:, 2:] - self.boxes[:, :2]).prod(axis=1)) / self.masks.shape[-1]
        return np.asarray(np.searchsorted(LIMITS, sides, side="right"))

    def take(self, places: slice | NDArray[np.int64]) -> Objects:
        """Those of the images at these places."""
        return Objects(self.masks[places], self.others[places], self.boxes[places])

    @classmethod
    def joined(cls, parts: Sequence[Objects]) -> Self:
        """Those of all parts, one behind the other."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    @classmethod
    def of_scenes(cls, parts: Iterable[Scenes], classes: NDArray[np.int64] | None = None) -> Self:
        """Those of generated images: of each the object of the class given, `(N,)`; else the larger one, whose class is the label."""
        kept = list(parts)
        masks, known = (np.concatenate([getattr(part, name) for part in kept]) for name in ("masks", "classes"))
        chosen = known == (known[:, 0] if classes is None else classes)[:, None]
        own, others = ((masks & wanted[..., None, None]).any(axis=1) for wanted in (chosen, ~chosen))
        return cls(own, others, around(own).astype(np.float64))

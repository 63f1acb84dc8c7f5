"""What maps tell of some images: plain arrays, for a sheet and for those who compute on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from archbench.publish.laying import Centres

UNKNOWN = -1  # the label of an image whose class nobody told


@dataclass(frozen=True)
class Column:
    """One network's maps `(N, n, n)` at its own places, its logits `(N, K)`, and of which class each map is, `(N,)`.

    `centres` are those of the places along a side, in pixels of the image: where in it they look. `found` holds, where the objects are
    known, their boxes `(N, 4)` as `box`, and what the maps are worth, by the names of `Localised`.
    """

    title: str
    record: str
    layer: str
    maps: NDArray[np.float32]
    logits: NDArray[np.float32]
    shown: NDArray[np.int64]
    centres: Centres
    found: Mapping[str, NDArray[Any]] | None = None

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class of the largest logit, `(N,)`."""
        predicted: NDArray[np.int64] = self.logits.argmax(1)
        return predicted


@dataclass(frozen=True)
class Explained:
    """Images `(N, C, H, W)` uint8 with their names and labels, `(N,)`, -1 where there is none; and a column a network.

    `of` says whose class the maps are: `predicted`, `truth`, or a class by its name. `source` is where the images come from.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    source: str
    method: str
    of: str
    columns: tuple[Column, ...]

    def truth(self, place: int) -> str:
        """The class of an image; nothing where it is not known."""
        label = int(self.labels[place])
        return "" if label == UNKNOWN else self.class_names[label]

    def rows(self) -> list[dict[str, Any]]:
        """A row an image and network: what it is and was taken for, its map's class and logit, and what that is worth where it is known."""
        return [
            {
                "image": name,
                "truth": self.truth(place) or None,
                "record": column.record,
                "model": column.title,
                "predicted": self.class_names[column.predicted[place]],
                "shown": self.class_names[column.shown[place]],
                "logit": float(column.logits[place, column.shown[place]]),
                **{name: values[place].tolist() for name, values in (column.found or {}).items()},
            }
            for column in self.columns
            for place, name in enumerate(self.names)
        ]

    def write(self, file: IO[bytes]) -> None:
        """As numpy's npz: images, labels and names, and of each network `ID_maps`, `ID_centres` and more, ID being its Record's."""
        arrays: dict[str, Any] = {"images": self.images, "labels": self.labels, "names": self.names, "class_names": self.class_names}
        for column in self.columns:
            arrays |= {f"{column.record}_{name}": getattr(column, name) for name in ("maps", "logits", "shown", "layer", "centres")}
            arrays |= {f"{column.record}_{name}": values for name, values in (column.found or {}).items()}
        np.savez_compressed(file, method=self.method, records=[column.record for column in self.columns], **arrays)

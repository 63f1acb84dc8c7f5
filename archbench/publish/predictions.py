"""What trained networks said of each test image: the files that lie beside Records, where they are still there."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archbench.records.schema import Record, StoredFile

FILE = "predictions.npz"


class Predictions(NamedTuple):
    """Per test image the predicted class and its label, `(N,)` each."""

    predicted: NDArray[np.uint16]
    labels: NDArray[np.uint16]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """`(N,)`: where the prediction is no such label."""
        wrong: NDArray[np.bool_] = self.predicted != self.labels
        return wrong


class Kept:
    """The predictions below a results folder, each read once; below none there is nothing.

    A file that is not what the Record says goes to `problems`, a line each, and counts as absent.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root
        self.problems: list[str] = []
        self._read: dict[str, Predictions | None] = {}

    def of(self, record: Record) -> Predictions | None:
        """Those of a Record; None where they are not there any more."""
        if record.id not in self._read:
            self._read[record.id] = self._of(record)
        return self._read[record.id]

    def of_all(self, records: Sequence[Record]) -> list[Predictions] | None:
        """Those of several Records on the same images; None where one lacks them."""
        found = [each for record in records if (each := self.of(record)) is not None]
        same = all(np.array_equal(each.labels, found[0].labels) for each in found)
        return found if found and len(found) == len(records) and same else None

    def _of(self, record: Record) -> Predictions | None:
        stored = next((file for file in record.files if file.path.endswith(FILE)), None)
        if stored is None or self.root is None or not (self.root / stored.path).is_file():
            return None
        return self._checked(self.root / stored.path, stored)

    def _checked(self, path: Path, stored: StoredFile) -> Predictions | None:
        try:
            content = path.read_bytes()
        except OSError as error:
            self.problems.append(f"{stored.path} cannot be read: {error.strerror}")
            return None
        if hashlib.sha256(content).hexdigest() != stored.sha256:
            self.problems.append(f"{stored.path} was changed after it was written: its hash is not its Record's")
            return None
        try:
            with np.load(io.BytesIO(content)) as arrays:
                return Predictions(arrays["predicted"], arrays["label"])
        except (ValueError, KeyError, zipfile.BadZipFile):
            self.problems.append(f"{stored.path} holds no predictions")
            return None

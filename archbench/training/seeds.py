"""Seeds of the several random streams of a training, all from the one that the user gives."""

from __future__ import annotations

import numpy as np

PURPOSES = ("weights", "order", "dropout", "flip", "crop")


def derive(seed: int, purpose: str, epoch: int = 0) -> int:
    """A seed of 64 bits for one purpose and epoch; two of them never give the same stream (numpy's SeedSequence)."""
    sequence = np.random.SeedSequence((seed, PURPOSES.index(purpose), epoch))
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)

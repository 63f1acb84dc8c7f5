"""Boxes and masks of objects in images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def around(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The least boxes around the pixels of masks `(..., H, W)`, `(..., 4)`: left, top, right and bottom; zeros around none.

    Right and bottom are the first pixels behind.
    """
    size = masks.shape[-2:]
    rows, columns = (np.asarray(masks.any(axis=axis)) for axis in (-1, -2))
    ends = [end for there, n in ((columns, size[1]), (rows, size[0])) for end in (there.argmax(-1), n - there[..., ::-1].argmax(-1))]
    left, right, top, bottom = (np.where(columns.any(axis=-1), end, 0) for end in ends)
    return np.stack([left, top, right, bottom], axis=-1)

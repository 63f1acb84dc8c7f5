"""Where numpy's and Python's global random numbers stand, from which some users' networks draw."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def state() -> dict[str, Any]:
    """Where numpy's and Python's stand, as plain values that torch loads with `weights_only`."""
    drawn: Any = np.random.get_state(legacy=True)
    name, keys, *rest = drawn
    return {"numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest), "python": random.getstate()}


def restore(kept: dict[str, Any]) -> None:
    """Go on from what `state` gave."""
    name, keys, *rest = kept["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    random.setstate(kept["python"])

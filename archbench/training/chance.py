"""Random numbers that a network may draw from: torch's, and numpy's and Python's global ones, which some users' networks use."""

from __future__ import annotations

import random

import numpy as np
import torch

from archbench.training import seeds


def seed(of_run: int, purpose: str, epoch: int = 0) -> None:
    """Begin all three anew for one purpose and epoch of a run. numpy's takes 32 bits, and would draw torch's numbers from torch's seed."""
    torch.manual_seed(seeds.derive(of_run, purpose, epoch))
    random.seed(seeds.derive(of_run, f"python {purpose}", epoch))
    np.random.seed(seeds.derive(of_run, f"numpy {purpose}", epoch) % 2**32)

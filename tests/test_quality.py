"""Top-5 and calibration by arithmetic."""

from __future__ import annotations

import math

import pytest
import torch

from archbench.training.quality import calibration_error_pct, top_k_errors


def test_a_label_among_the_k_largest_is_no_error() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0]])
    assert [top_k_errors(logits, torch.tensor([1, 1]), k) for k in (1, 2, 3)] == [2, 1, 0]


def test_calibration_by_hand() -> None:
    """Four images with a confidence of 0.8, three of them right: 5 points too sure. One of 0.6 that is wrong: 60 points."""
    at = [math.log(0.8 / 0.2), math.log(0.6 / 0.4)]
    logits = torch.tensor([[at[0], 0.0]] * 4 + [[at[1], 0.0]])
    labels = torch.tensor([0, 0, 0, 1, 1])
    assert calibration_error_pct(logits, labels) == pytest.approx((4 * 5 + 60) / 5, rel=1e-5)
    assert calibration_error_pct(torch.tensor([[100.0, 0.0]]), torch.tensor([0])) == pytest.approx(0.0, abs=1e-4)

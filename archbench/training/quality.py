"""How good predictions are beside top-1: the label among the five likeliest, its likelihood, and whether confidence can be believed."""

from __future__ import annotations

import torch

CALIBRATION_BINS = 15


def top_k_errors(logits: torch.Tensor, labels: torch.Tensor, k: int) -> int:
    """Images whose label `(N,)` is not among the k largest of their logits `(N, C)`."""
    return int((logits.topk(k, dim=1).indices != labels[:, None]).all(dim=1).sum())


def calibration_error_pct(logits: torch.Tensor, labels: torch.Tensor, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error in percent: |accuracy - confidence| over equal bins of confidence, weighted by their images.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    confidence, predicted = logits.float().softmax(dim=1).max(dim=1)
    right = (predicted == labels).float()
    bin_of = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gaps = torch.zeros(bins).index_add(0, bin_of, right - confidence)  # in each bin: images x (accuracy - confidence)
    return 100 * float(gaps.abs().sum()) / len(labels)

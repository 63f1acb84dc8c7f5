"""Trackers listen to the events of a run and keep its curves for TensorBoard, MLflow or Weights & Biases; one file each."""

from archbench.tracking.telling import listening
from archbench.tracking.tools import check

__all__ = ["check", "listening"]

"""What a Record and the files beside it keep of a test."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch

from archbench.job.base import Job
from archbench.records.schema import Doubt, Measurement, Scalar, StoredFile
from archbench.records.store import Store, plain_name
from archbench.stats import mean_t, wilson
from archbench.training import quality
from archbench.training.evaluate import Predictions

TOP_K = 5
LARGEST_HALF = 65504.0


def error_row(split: str, predictions: Predictions) -> Measurement:
    """The top-1 error on a split with Wilson's interval."""
    value, low, high, n = predictions.error_pct
    return Measurement(
        name=f"{split}_error_pct", value=value, low=low, high=high, n=n, method="top-1, Wilson interval", at={"split": split}
    )


def quality_rows(test: Predictions) -> list[Measurement]:
    """Of the test split, beside top-1: top-5 where there are more classes, the mean negative log-likelihood, the calibration error."""
    at: dict[str, Scalar] = {"split": "test"}
    assert test.logits is not None
    n, rows = len(test.labels), []
    if test.logits.shape[1] > TOP_K:
        value, low, high, _ = wilson(quality.top_k_errors(test.logits, test.labels, TOP_K), n)
        rows.append(Measurement(name="test_top5_error_pct", value=value, low=low, high=high, n=n, method="top-5, Wilson interval", at=at))
    value, low, high, _ = mean_t(test.nll.tolist())
    rows.append(Measurement(name="test_nll", value=value, low=low, high=high, n=n, method="mean over images, Student's t", at=at))
    calibration = quality.calibration_error_pct(test.logits, test.labels)
    method = f"{quality.CALIBRATION_BINS} equal bins of confidence"
    return [*rows, Measurement(name="test_calibration_error_pct", value=calibration, n=n, method=method, at=at)]


def at_chance(test: Predictions) -> list[Doubt]:
    """A network whose error cannot be told from that of always naming the commonest class has learned nothing."""
    commonest = int(torch.bincount(test.labels).max())
    chance = 100 * (1 - commonest / len(test.labels))
    if test.error_pct.high < chance:
        return []
    return [Doubt(code="at_chance", message=f"its test error cannot be told from the {chance:.1f} % of always naming the commonest class")]


def flipped() -> Doubt:
    """That a test averaged over an image and its mirror image, as a recipe's `test_flip` has it."""
    return Doubt(code="test_flip", message="its test error is of logits averaged over an image and its mirror image")


def folder_of(job: Job) -> Path:
    """A folder of this run's own, relative to the store."""
    return Path("files") / f"{plain_name(job.model.label)}-{job.key}-{uuid.uuid4().hex[:8]}"


def keep_predictions(store: Store, folder: Path, test: Predictions) -> StoredFile:
    """Per image of the test split: the predicted class, its label, the negative log-likelihood of the label, the logits in float16."""
    assert test.logits is not None
    arrays: dict[str, Any] = {
        "predicted": test.predicted.numpy().astype(np.uint16),
        "label": test.labels.numpy().astype(np.uint16),
        "nll": test.nll.numpy().astype(np.float32),
        "logits": test.logits.clamp(-LARGEST_HALF, LARGEST_HALF).numpy().astype(np.float16),
    }
    return store.write_file(folder / "predictions.npz", lambda file: np.savez_compressed(file, **arrays))

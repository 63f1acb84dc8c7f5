"""What the predictions beside a Record say of its test: error, top-5 error, likelihood and calibration, from each image's own.

Logits are kept in float16. What comes of them is compared within what that rounding can make of it, worked out for these logits: one of
size z is off by at most z / 2^11, so that a confidence, and what it lacks of 1, each lie within a factor exp(2 z / 2^11), and an image near
the edge of a bin may be in the next one.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from archbench import stats
from archbench.records.schema import Measurement
from archbench.verifying.check import Figure

TOP_K, BINS = 5, 15
HALF, SMALLEST, LARGEST = 2.0**-11, 2.0**-25, 65504.0  # of float16: relative rounding, that of the smallest numbers, the largest number
SINGLE = 1e-5  # float32 was computed with, and adds this to a confidence at most

Floats = NDArray[np.float64]

MOST_BYTES = 4 * 2**30  # of what a file of predictions unpacks to
# what numpy raises for a file that it cannot read
NO_PREDICTIONS = (
    *(ValueError, TypeError, AttributeError, KeyError, OSError, EOFError, MemoryError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)


class Kept(NamedTuple):
    """Per test image: the predicted class, its label, the negative log-likelihood `(N,)` each, and logits `(N, classes)`."""

    predicted: NDArray[np.int64]
    labels: NDArray[np.int64]
    nll: Floats | None
    logits: Floats | None


def read(content: bytes) -> Kept:
    """The predictions of a file. Raises ValueError where it holds none that go together."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > MOST_BYTES:
                raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")
        with np.load(io.BytesIO(content)) as arrays:
            predicted, labels = arrays["predicted"].astype(np.int64), arrays["label"].astype(np.int64)
            nll = arrays["nll"].astype(np.float64) if "nll" in arrays else None
            logits = arrays["logits"].astype(np.float64) if "logits" in arrays else None
    except NO_PREDICTIONS as error:
        raise ValueError("it holds no predictions") from error
    kept = Kept(predicted, labels, nll, logits)
    lengths = {len(each) for each in kept if each is not None and each.ndim >= 1}
    shaped = (
        predicted.ndim == labels.ndim == 1
        and (nll is None or nll.ndim == 1)
        and (logits is None or (logits.ndim == 2 and logits.shape[1] > 0))
    )
    if not shaped or len(lengths) != 1 or not len(labels):
        raise ValueError("its predictions do not go together")
    return kept


def error(row: Measurement, kept: Kept) -> Figure:
    """The top-1 error with Wilson's interval."""
    found = stats.wilson(int((kept.predicted != kept.labels).sum()), len(kept.labels))
    return Figure(row, found.value, found.low, found.high)


def likelihood(row: Measurement, kept: Kept) -> Figure | None:
    """The mean negative log-likelihood with Student's t interval; kept as it was computed, in float32."""
    if kept.nll is None:
        return None
    found = stats.mean_t(kept.nll.tolist())
    return Figure(row, found.value, found.low, found.high)


def top5(row: Measurement, kept: Kept) -> Figure | None:
    """The top-5 error; where rounded logits leave the number of errors open, the nearest that they allow."""
    if kept.logits is None or not _is_sound(kept) or not math.isfinite(row.value or 0.0):
        return None
    own = np.take_along_axis(kept.logits, kept.labels[:, None], axis=1)
    off = 2 * _rounding(kept.logits)[:, None]
    others = np.arange(kept.logits.shape[1])[None] != kept.labels[:, None]
    least = int((((kept.logits > own + off) & others).sum(axis=1) >= TOP_K).sum())
    most = int((((kept.logits >= own - off) & others).sum(axis=1) >= TOP_K).sum())
    n, told = len(kept.labels), (row.value or 0.0) / 100
    found = stats.wilson(min(max(round(told * n), least), most), n)
    return Figure(row, found.value, found.low, found.high)


def calibration(row: Measurement, kept: Kept) -> Figure | None:
    """The expected calibration error over equal bins of confidence (Guo et al. 2017, equation 3), in percent."""
    if kept.logits is None or not _is_sound(kept):
        return None
    shifted = np.exp(kept.logits - kept.logits.max(axis=1, keepdims=True))
    confidence: Floats = (shifted / shifted.sum(axis=1, keepdims=True)).max(axis=1)
    gap = (kept.predicted == kept.labels).astype(float) - confidence
    places = np.clip(np.ceil(confidence * BINS).astype(int), 1, BINS) - 1
    gaps = np.bincount(places, weights=gap, minlength=BINS)
    off = np.minimum(confidence, 1 - confidence) * np.expm1(2 * _rounding(kept.logits)) + SINGLE
    nearest = np.clip(np.round(confidence * BINS), 1, BINS - 1)  # the edge between two bins
    edges = np.abs(confidence * BINS - nearest) <= BINS * off
    slack = float(off.sum() + 2 * (np.abs(gap) + off)[edges].sum())  # what one bin loses another may win
    n = len(gap)
    return Figure(row, 100 * float(np.abs(gaps).sum()) / n, slack=100 * slack / n)


def interval(row: Measurement) -> Figure | None:
    """The share of errors and Wilson's interval that the number of errors nearest to a row's value has; None where it tells none."""
    if row.value is None or not row.n or not 0 <= row.value <= 100:
        return None
    found = stats.wilson(round(row.value * row.n / 100), row.n)
    return Figure(row, found.value, found.low, found.high)


FIGURES: dict[str, Callable[[Measurement, Kept], Figure | None]] = {
    "test_error_pct": error,
    "test_top5_error_pct": top5,
    "test_nll": likelihood,
    "test_calibration_error_pct": calibration,
}


def _rounding(logits: Floats) -> Floats:
    """By how much any logit of an image may be off, `(N,)`."""
    rounding: Floats = np.abs(logits).max(axis=1) * HALF + SMALLEST
    return rounding


def _is_sound(kept: Kept) -> bool:
    """Whether the logits are numbers that float16 did not cut off, and the labels are among their classes."""
    assert kept.logits is not None
    inside = bool((np.abs(kept.logits) < LARGEST).all())  # false for what is no number
    return inside and bool(((kept.labels >= 0) & (kept.labels < kept.logits.shape[1])).all())

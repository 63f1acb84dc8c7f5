"""Raw numbers as CSV."""

from __future__ import annotations

import functools
import math
from typing import Any

import pandas as pd

from archbench.publish.citing.latex import one_line

FORMULA = ("=", "+", "-", "@")  # how a cell begins that a spreadsheet computes
DIGITS = "%.12g"  # what the same Records give on every machine: in the last digits processors differ


def rows(frame: pd.DataFrame) -> str:
    """A line a row, the condition in a column. Text that a spreadsheet would compute has an apostrophe before it."""
    exact = frame.astype({"year": "Int64"}) if "year" in frame else frame
    safe = pd.DataFrame({name: exact[name] if pd.api.types.is_numeric_dtype(exact[name]) else exact[name].map(_plain) for name in exact})
    text: str = safe.to_csv(index=False, lineterminator="\n", float_format=DIGITS)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    return DIGITS % value if isinstance(value, float) and not math.isnan(value) else value


@functools.lru_cache(maxsize=10_000)  # the same texts stand in many rows
def _text(value: str) -> str:
    text = one_line(value)
    return f"'{text}" if text.startswith(FORMULA) else text

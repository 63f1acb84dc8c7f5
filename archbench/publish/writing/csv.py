"""Raw numbers as CSV."""

from __future__ import annotations

import pandas as pd


def rows(frame: pd.DataFrame) -> str:
    """A line a row, the condition in a column."""
    exact = frame.astype({"year": "Int64"}) if "year" in frame else frame
    text: str = exact.to_csv(index=False, lineterminator="\n")
    return text

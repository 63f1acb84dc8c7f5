"""The roofline by arithmetic."""

from __future__ import annotations

import pytest

from archbench.measure import roofline
from archbench.measure.peaks import Peaks
from archbench.stats import Interval

MACHINE = Peaks(macs_per_s=100e9, bytes_per_s=20e9)  # 5 multiply-adds a byte balance them


@pytest.mark.parametrize(
    ("macs", "moved", "share"),
    [
        (10_000_000_000, 1_000_000_000, 50.0),  # 10 a byte: bound by arithmetic, 0.1 s of the 0.2 s
        (1_000_000_000, 2_000_000_000, 50.0),  # half a one a byte: bound by memory, 0.1 s again
        (0, 1_000_000_000, 25.0),  # a copy: 0.05 s
    ],
)
def test_the_share_of_the_roof_is_the_least_time_that_the_machine_allows(macs: int, moved: int, share: float) -> None:
    rows = {row.name: row for row in roofline.rows(macs, moved, Interval(0.2, 0.1, 0.4, 9), MACHINE, phase="forward")}
    assert rows["roof_share_pct"].value == pytest.approx(share)
    assert (rows["roof_share_pct"].low, rows["roof_share_pct"].high) == (pytest.approx(share / 2), pytest.approx(share * 2))
    assert rows["roof_share_pct"].at == {"phase": "forward"}
    if macs:
        assert rows["macs_per_s"].value == pytest.approx(macs / 0.2)
        assert rows["macs_per_byte"].value == pytest.approx(macs / moved)
    else:
        assert set(rows) == {"roof_share_pct"}

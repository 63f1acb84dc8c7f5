"""What work achieved in its time, beside what the machine's measured peaks of arithmetic and of memory allow.

Williams, Waterman & Patterson, "Roofline", Communications of the ACM 52 (2009): below `peak MAC/s / peak byte/s` multiply-adds a byte an
operation is bound by memory, above by arithmetic.
"""

from __future__ import annotations

from archbench.measure.peaks import Peaks
from archbench.records.schema import Measurement, Scalar
from archbench.stats import Interval

SHARE = "least time that the machine's measured peaks allow, beside the time; above 100 where data came from caches"


def rows(macs: int, moved_bytes: int, seconds: Interval, peaks: Peaks, **at: Scalar) -> list[Measurement]:
    """Share of the roof, and for work that has multiply-adds their rate and how many there are a byte."""
    least_s = max(macs / peaks.macs_per_s, moved_bytes / peaks.bytes_per_s)
    found = [_rate("roof_share_pct", 100 * least_s, seconds, SHARE, **at)]
    if macs:
        found.append(_rate("macs_per_s", macs, seconds, "multiply-adds in the median time", **at))
        intensity = macs / moved_bytes
        found.append(Measurement(name="macs_per_byte", value=intensity, method="bytes that its operations read and write", at=at))
    return found


def _rate(name: str, amount: float, seconds: Interval, method: str, **at: Scalar) -> Measurement:
    """An amount a second; the interval of the time turned over."""
    value, low, high, n = seconds
    return Measurement(name=name, value=amount / value, low=amount / high, high=amount / low, n=n, method=method, at=at)

"""The limit of `compare --fail-above`: what fails it, what cannot be told to it, and the line that says so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archbench.publish.compare import COUNTED, Difference, worse_than


@dataclass(frozen=True)
class Judged:
    """Differences held against a limit in percent, of so many `told` of.

    `failed` are real, for the worse and larger; the interval of those in `untold` reaches beyond the limit; of the `unknown` nothing can
    be told. `aside` are rises of single operator classes, which fail only where they are asked for by name.
    """

    limit_pct: float
    count: int
    failed: list[Difference]
    untold: list[Difference]
    unknown: list[Difference]
    aside: list[Difference]

    def closing(self, lost: int) -> str:
        """`passed: nothing real above 5 %; 2 of 7 could not be told to that, the least limit that all could is about 31 %`."""
        failed = [f"{len(self.failed)} of {self.count} really worse by more than {self.limit_pct:g} %"] * bool(self.failed)
        failed += [f"{lost} run{'s' * (lost != 1)} without a counterpart"] * bool(lost)
        said = [f"failed: {', '.join(failed)}" if failed else f"passed: nothing real above {self.limit_pct:g} %"]
        if self.untold:
            worst = max(each.worst_pct for each in self.untold)
            least = f"the least limit that all could is about {math.ceil(worst)} %" if math.isfinite(worst) else "nor to any other limit"
            said.append(f"{len(self.untold)} of {self.count} could not be told to that, {least}")
        if self.unknown:
            said.append(f"{len(self.unknown)} of {self.count} are of one process or of too few seeds and can never fail")
        if self.aside:
            said.append(f"{len(self.aside)} of single operator classes rose by more, which fails only where --only names them")
        return "; ".join(said)


def judged(differences: Iterable[Difference], limit_pct: float, only: Sequence[str] = ()) -> Judged:
    """Hold differences against a limit; those of single operator classes count where `only` named what is compared."""
    found = list(differences)
    counted = [each for each in found if only or "operator_class" not in each.at]
    failed = worse_than(counted, limit_pct)
    untold = [each for each in counted if each not in failed and each.method != COUNTED and each.worst_pct > limit_pct]
    unknown = [each for each in counted if each.real is None]
    aside = [each for each in worse_than(found, limit_pct) if each not in failed]
    return Judged(limit_pct, len(counted), failed, untold, unknown, aside)

"""One part of a plan: `3/16` is every sixteenth job from the third on.

A job's part is decided by its place in the order in which the settings name models and seeds, not by its key: a key holds the precision
and the device, so that machines of two kinds would cut two different grids, some jobs falling to both and some to none. By place the
parts are the same everywhere, differ by one job at most, and share the seeds of a network out. It holds as long as the cut comes before
whatever differs between machines and between calls: what has a Record already, what a job takes, how it is executed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from archbench.errors import ArchbenchError

MOST = 100_000
WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")

Job = TypeVar("Job")


class Shard(NamedTuple):
    """The part `number`, counted from 1, of `parts`."""

    number: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`"3/16"`. Raises ArchbenchError, in one line, for anything that is no such part."""
        match = WRITTEN.fullmatch(text)
        if match is None:
            raise ArchbenchError(f"--shard takes a part as 3/16, the third of sixteen (got {text!r})")
        shard = cls(int(match[1]), int(match[2]))
        if not 1 <= shard.parts <= MOST:
            raise ArchbenchError(f"--shard: the number of parts goes from 1 to {MOST} (got {text})")
        if not 1 <= shard.number <= shard.parts:
            some = f"1/{shard.parts} to {shard.parts}/{shard.parts}"
            raise ArchbenchError(f"--shard: parts are counted from 1, so of {shard.parts} there are {some} (got {text})")
        return shard

    def of(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs of this part, in their order; none where there are fewer jobs than parts."""
        return list(jobs[self.number - 1 :: self.parts])

    def line(self, jobs: Sequence[object]) -> str:
        """`part 3 of 16: 2 of 40 jobs`."""
        return f"part {self.number} of {self.parts}: {len(self.of(jobs))} of {len(jobs)} jobs"

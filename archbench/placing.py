"""Where Jobs run, as the user names it: `local`, `workers[:N]`, `workers:N/gpu` or `ray[:ADDRESS]`. Nothing here imports torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from archbench.errors import ArchbenchError, unknown

LOCAL, WORKERS, RAY = "local", "workers", "ray"
ENGINES = (LOCAL, WORKERS, RAY)
LARGEST_PORT = 65535


@dataclass(frozen=True)
class Placing:
    """An engine. `workers` is how many processes were asked for, on each GPU where `per_gpu`; `address` that of a Ray cluster.

    None leaves the choice to the engine: as many workers as there are cores or GPUs; a Ray of its own on this machine.
    """

    engine: str
    workers: int | None = None
    per_gpu: bool = False
    address: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """What a text names. Raises ArchbenchError in one line."""
        engine, colon, rest = text.partition(":")
        if engine not in ENGINES:
            raise unknown("engine", engine, ENGINES)
        if not colon:
            return cls(engine)
        if engine == WORKERS and (match := re.fullmatch(r"([1-9][0-9]{0,3})(/gpu)?", rest)):
            return cls(engine, int(match[1]), match[2] is not None)
        if engine == RAY and _is_address(rest):
            return cls(engine, address=rest)
        forms = {
            LOCAL: "local takes nothing behind it",
            WORKERS: "workers:N takes a whole number from 1 to 9999, workers:N/gpu that many on each GPU",
            RAY: "ray:ADDRESS takes the HOST:PORT of a cluster's head (6379 unless it was started with another), or auto",
        }
        raise ArchbenchError(f"--engine {forms[engine]} (got {text})")


def _is_address(text: str) -> bool:
    match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):([0-9]{1,5})", text)
    return text == "auto" or (match is not None and 0 < int(match[1]) <= LARGEST_PORT)

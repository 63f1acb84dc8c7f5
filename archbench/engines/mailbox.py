"""What goes between the tasks on a Ray cluster and the process that asked: an actor that holds letters until they are taken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from archbench.events import Event


@dataclass(frozen=True)
class Kept:
    """A checkpoint: the key of its run, and its bytes."""

    key: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """What a task tells: an event, or a checkpoint. `attempt` says which of the tries of its Job it is from."""

    attempt: str
    content: Event | Kept


class Mailbox:
    """Lives on the machine that asked, so that no other's death takes it away."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.arrived = asyncio.Event()
        self.must_end = False
        self.deliveries: dict[str, Any] = {}

    async def post(self, letter: Letter) -> bool:
        """Leave a letter; whether the run shall end."""
        self.letters.append(letter)
        self.arrived.set()
        return self.must_end

    async def take(self, wait_s: float) -> list[Letter]:
        """All letters, oldest first; waits so long for the first."""
        if not self.letters:
            try:
                await asyncio.wait_for(self.arrived.wait(), wait_s)
            except TimeoutError:
                return []
        taken, self.letters = self.letters, []
        self.arrived.clear()
        return taken

    async def end(self) -> None:
        """Whoever leaves a letter from now on is told to end."""
        self.must_end = True

    async def deliver(self, attempt: str, delivery: Any) -> None:
        """Leave what several processes came to, for the task that started them; the first of them to say so is right."""
        self.deliveries.setdefault(attempt, delivery)

    async def collected(self, attempt: str) -> Any:
        """What was left for it; None where nothing was."""
        return self.deliveries.pop(attempt, None)

"""What the server answers with: made anew when the files of the Records have changed, and not before."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archbench.publish.report.content import Source, content
from archbench.publish.report.document import document, embedded
from archbench.records.looking import facts
from archbench.records.store import Store

LENGTH = 16  # hex digits of a state


@dataclass(frozen=True)
class Made:
    """The page and its data as bytes, of the Records in one state."""

    state: str
    page: bytes
    data: bytes


class Live:
    """The newest page of a results folder; several threads may ask."""

    def __init__(self, results: Path, read: Callable[[Path], Source]) -> None:
        self.results, self._read = results, read
        self._lock = threading.Lock()
        self._made: Made | None = None
        self._failed: tuple[str, Exception] | None = None

    def state(self) -> str:
        """A hash over names, sizes and times of the files of the Records; no file is opened."""
        found = facts(Store(self.results).runs)
        seen = sorted((name, known.st_size, known.st_mtime_ns) if known else (name,) for name, known in found)
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:LENGTH]

    def made(self) -> Made:
        """The page as the Records are now; who asks while it is made waits for it. Of Records of which it failed it is not tried again."""
        with self._lock:
            state = self.state()
            if self._failed is not None and self._failed[0] == state:
                raise self._failed[1].with_traceback(None)  # which would grow with each that asks
            if self._made is None or self._made.state != state:
                try:
                    found = content(self._read(self.results))
                    self._made = Made(state, document(found, state).encode(), embedded(found).encode())
                except Exception as error:
                    self._failed = state, error
                    raise
            return self._made

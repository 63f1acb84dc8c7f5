"""What the user can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_NAMED = 60
LONGEST_BRIEF = 200


class ArchbenchError(Exception):
    """A mistake that the user can mend; its message is one line that says what is wrong and what would be right."""


class UntrainableError(ArchbenchError):
    """A network that can run and learn nothing: no gradient reaches a parameter."""


class Terminated(BaseException):
    """The process was asked to end (SIGTERM). Raised where the work can be left in order, and caught where the process ends."""


class StorageError(ArchbenchError):
    """A results folder that cannot be written, or a full disk: no run can leave a Record, so none goes on."""


def brief(error: BaseException) -> str:
    """What an error says, on one line and not too long; its kind where it says nothing, or fails to."""
    try:
        said = str(error)
    except Exception:  # a user's own error may have words that cannot be had
        said = ""
    return " ".join(said.split())[:LONGEST_BRIEF] or type(error).__name__


def unknown(kind: str, name: str, known: Iterable[str]) -> ArchbenchError:
    """The error for a name that is not in a list, with the nearest name that is."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known[:MOST_NAMED])}{more}"
    return ArchbenchError(f"unknown {kind} {name!r}; {hint}")


def complaint(message: str) -> str:
    """A message as a line on stderr."""
    return f"archbench: {harmless(' '.join(message.split()))}"


def harmless(line: str) -> str:
    """A line whose signs that would steer a terminal are shown as another."""
    return "".join(sign if sign.isprintable() else "?" for sign in line)

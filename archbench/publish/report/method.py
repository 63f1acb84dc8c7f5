"""The method: what is counted and how, and a paragraph for each set of settings under which the Records came about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archbench.publish.citing import methods
from archbench.publish.citing.latex import one_line
from archbench.records.schema import Record

RULES = (
    methods.COUNTED,
    "Operations fall in one class each by which axis they mix: channels alone (1×1 convolutions, and layers applied at each place), "
    "space alone (depthwise convolutions, mixing of tokens), both at once (dense and grouped convolutions), the head, or nothing.",
    methods.TEST,
    "Intervals are 95 % intervals: Wilson's over the test images for one run, Student's t over seeds for several.",
    "Only what ran under equal conditions stands in one table or plot; a star marks a time that is doubtful, as the table's notes say.",
)
MOST_PARAGRAPHS = 60


def method(records: Iterable[Record]) -> dict[str, Any]:
    """`rules` that hold for every Record, and `paragraphs`, a text each; `more` says how many of these are left out."""
    found = methods.paragraphs(record for record in records if record.status == "ok")
    return {
        "rules": list(RULES),
        "paragraphs": [one_line(text) for text in found[:MOST_PARAGRAPHS]],
        "more": max(0, len(found) - MOST_PARAGRAPHS),
    }

"""The layers of the zoo's networks, read without torch: from `zoo/layers.json`, which holds of which code each list is.

`archbench list --out zoo/layers.json` makes it again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zoo

FILE = Path(zoo.__file__).parent / "layers.json"


def layers() -> dict[str, dict[str, Any]]:
    """By name: the `source_sha256` of the network's code, its `input` in words, and `layers`, each a name, operator class, output
    `[C, H, W]`, parameters and MACs of one image. Empty where the file cannot be read.
    """
    try:
        kept: dict[str, dict[str, Any]] = json.loads(FILE.read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def text(found: dict[str, dict[str, Any]]) -> str:
    """What the file holds: a line a network."""
    lines = (f"{json.dumps(name)}:{json.dumps(each, separators=(',', ':'))}" for name, each in found.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"

"""The claims of the zoo's papers, read without torch: from `zoo/claims.json`, as long as the zoo is the one that it was made from.

`archbench list --out zoo/claims.json` makes it again. Where it lags behind, or an installed package adds networks, the zoo itself is read,
which takes seconds more.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import zoo
from archbench.errors import ArchbenchError

FOLDER = Path(zoo.__file__).parent
FILE = FOLDER / "claims.json"
PACKAGES = "archbench.zoo"  # the entry point by which packages add networks


def claiming() -> list[dict[str, Any]]:
    """The specs of the zoo that hold claims, as Records keep them, by name. Raises ArchbenchError where a family cannot be read."""
    return _kept() or _read()


def text() -> str:
    """What `zoo/claims.json` holds."""
    return json.dumps({"zoo_sha256": _source_hash(), "specs": _read()}, indent=1, ensure_ascii=False) + "\n"


def _kept() -> list[dict[str, Any]]:
    """From the file; nothing where it is not of this zoo."""
    if importlib.metadata.entry_points(group=PACKAGES):
        return []
    try:
        kept = json.loads(FILE.read_bytes())
        specs: list[dict[str, Any]] = kept["specs"] if kept["zoo_sha256"] == _source_hash() else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return specs


def _read() -> list[dict[str, Any]]:
    """From the specs themselves."""
    try:
        return [_of_claims(spec) for spec in map(zoo.get, zoo.names()) if spec.claims]
    except zoo.ZooError as error:
        raise ArchbenchError(str(error)) from None


def _of_claims(spec: zoo.ModelSpec) -> dict[str, Any]:
    """What the page of claims takes of a spec, as JSON gives it back."""
    names = ("name", "title", "year", "input_shape")
    found = {name: getattr(spec, name) for name in names} | {"claims": [dataclasses.asdict(claim) for claim in spec.claims]}
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def _source_hash() -> str:
    """Over the names and the contents of the zoo's modules."""
    whole = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.py")):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        whole.update(f"{path.name} {len(content)}\n".encode() + content)
    return whole.hexdigest()

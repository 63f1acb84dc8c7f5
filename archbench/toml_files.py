"""What is written down as TOML: files that are shipped, by name, and a user's own, by path."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from archbench.config import expanded
from archbench.errors import ArchbenchError, unknown

SUFFIX = ".toml"


@dataclass(frozen=True)
class Shelf:
    """Files of one kind, which messages call `what`; the shipped ones lie in a folder of a package."""

    what: str
    package: str
    folder: str = ""

    @property
    def names(self) -> list[str]:
        """Those of the shipped files."""
        return sorted(file.name.removesuffix(SUFFIX) for file in self._shipped.iterdir() if file.name.endswith(SUFFIX))

    def text(self, name: str) -> str:
        """Of a shipped file by name, or of a user's own by its path. Raises ArchbenchError in one line."""
        if not name.endswith(SUFFIX):
            if name not in self.names:
                raise unknown(self.what, name, [*self.names, f"FILE{SUFFIX}"])
            return self._shipped.joinpath(name + SUFFIX).read_text(encoding="utf-8")
        path = expanded(Path(name))
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise ArchbenchError(f"{self.what} {path} cannot be read: {reason}") from None

    def values(self, text: str, source: str) -> dict[str, Any]:
        """What a text says; `source` names it in errors. Raises ArchbenchError in one line."""
        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # a whole number of thousands of digits among them
            raise ArchbenchError(f"{self.what} {source} is not TOML: {error}") from None

    @property
    def _shipped(self) -> Traversable:
        return resources.files(self.package).joinpath(self.folder)

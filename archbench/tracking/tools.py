"""Which trackers there are, what each needs, and how it is had."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from archbench.errors import ArchbenchError, brief
from archbench.tracking.run import Tracker

NEEDS = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}  # the package that each imports


def check(names: Iterable[str]) -> None:
    """Raise ArchbenchError for a tracker whose package is not installed."""
    for name in names:
        if importlib.util.find_spec(NEEDS[name]) is None:
            raise ArchbenchError(f"--track {name} needs {NEEDS[name]}: pip install 'archbench[{name}]'")


def make(name: str, folder: Path) -> Tracker:
    """A tracker, ready to begin runs. Raises ArchbenchError where it cannot work: no server, no login."""
    try:
        tracker: Tracker = importlib.import_module(f"archbench.tracking.{name}").make(folder)
    except ArchbenchError:
        raise
    except Exception as error:  # each tool has kinds of its own
        raise ArchbenchError(f"--track {name} cannot begin: {brief(error)}") from error
    return tracker

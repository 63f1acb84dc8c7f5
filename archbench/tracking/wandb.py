"""Weights & Biases: online, or offline with `WANDB_MODE=offline`; its files in `tracking/wandb` unless `WANDB_DIR` is set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb

from archbench.errors import ArchbenchError
from archbench.tracking.run import Point, Result, Run


class WandB:
    """Begins runs in the project that `WANDB_PROJECT` names, else in `archbench`."""

    def __init__(self, folder: Path) -> None:
        settings = wandb.setup().settings
        if settings.mode not in ("offline", "disabled") and not wandb.login(prompt=False):
            raise ArchbenchError("--track wandb: not logged in; `wandb login` does it, or WANDB_MODE=offline keeps the runs here")
        self.project = settings.project or "archbench"
        self.folder = Path(os.environ.get("WANDB_DIR", folder))  # the tool's own word comes first
        self.folder.mkdir(parents=True, exist_ok=True)

    def begin(self, run: Run) -> Log:
        """Begin a run, or go on with it; offline, its parts are folders of one id, which `wandb sync` uploads as one."""
        begun = wandb.init(
            project=self.project,
            id=run.id,
            name=run.name,
            dir=str(self.folder),
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        begun.config.update(dict(run.params), allow_val_change=True)
        begun.define_metric("*", step_metric="step")
        return Log(begun)


class Log:
    """One run of W&B's; its curves stand over our step."""

    def __init__(self, run: Any) -> None:
        self.run = run

    def add(self, points: Sequence[Point]) -> None:
        for point in points:
            self.run.log({"step": point.step, **point.values})

    def end(self, result: Result) -> None:
        self.run.summary.update({"status": result.status, "record": result.record_id, **result.figures})
        self.run.finish(exit_code=0 if result.status == "ok" else 1)

    def leave(self) -> None:
        self.run.finish(exit_code=1)


def make(folder: Path) -> WandB:
    """Beside the Records."""
    return WandB(folder)

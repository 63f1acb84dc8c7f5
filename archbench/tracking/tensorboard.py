"""TensorBoard: a folder a run in `tracking/tensorboard`, written by torch's own writer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from archbench.records.store import plain_name
from archbench.tracking.run import Point, Result, Run


class TensorBoard:
    """Writes event files; a run that goes on adds one to its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, run: Run) -> Log:
        """Begin at the run's step: what it had written beyond it before it was interrupted is hidden."""
        name = plain_name(run.name.replace(" · ", "-").replace(" ", "_"))
        return Log(run, SummaryWriter(str(self.folder / f"{name}-{run.id}"), purge_step=run.step))


class Log:
    """Scalars, the configuration as text, and in the end hyper-parameters beside figures, as the HPARAMS tab wants them."""

    def __init__(self, run: Run, writer: SummaryWriter) -> None:
        self.run, self.writer = run, writer
        rows = "".join(f"| {name} | {value} |\n" for name, value in run.params.items())
        writer.add_text("config", f"| setting | value |\n| --- | --- |\n{rows}")

    def add(self, points: Sequence[Point]) -> None:
        for point in points:
            for name, value in point.values.items():
                self.writer.add_scalar(name, value, point.step, walltime=point.time_s)
        self.writer.flush()

    def end(self, result: Result) -> None:
        self.writer.add_text("status", f"{result.status} · Record {result.record_id}")
        self.writer.add_hparams({**self.run.params, "status": result.status}, dict(result.figures), run_name=".")
        self.writer.close()

    def leave(self) -> None:
        self.writer.close()


def make(folder: Path) -> TensorBoard:
    """Below the results folder."""
    return TensorBoard(folder / "tensorboard")

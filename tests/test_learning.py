"""That the networks of the README's first command learn: minutes, so marked slow."""

from __future__ import annotations

from pathlib import Path

import pytest

import archbench

CEILING_PCT = 15.0  # of 90 % at chance; five seeds of each lay between 0 and 3.1 %


@pytest.mark.slow
def test_the_first_command_learns_the_digits(tmp_path: Path) -> None:
    frame = archbench.run(models=["nin", "resnet_bottleneck"], results=tmp_path, data_dir=tmp_path)
    assert list(frame["model"]) == ["nin", "resnet_bottleneck"]
    assert (frame["test_error_pct"] < CEILING_PCT).all()

"""The table of counts at any width: no figure is cut, and no line is longer than the terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import CommandLine

from archbench.cli import counts_view, view

KINDS = ("head", "gate", "token_mixing", "depthwise", "grouped_conv", "pointwise", "dense_conv", "other")


def counted(name: str, macs: int) -> dict[str, Any]:
    """A model that spends an eighth of its MACs in each class."""
    head = {"modules": ["fc"], "guessed": name.startswith("timm")}
    figures = {"params": 11_689_512, "macs": macs, "activations": 2_483_712, "input": "3x224x224"}
    return {"model": name, **figures, "operators": dict.fromkeys(KINDS, macs // 8), "uncounted": [], "head": head}


ROWS = [counted("timm:efficientvit_b0", 3_220_000), counted("nin", 222_486_528), counted("torchvision:squeezenet1_1", 349_151_936)]


def shown(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(view.out, "width", width)
    counts_view.print_counts(ROWS)
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [32, 40, 60, 80, 140])
def test_no_figure_is_cut(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each model's parameters and MACs with their units, and 12.5 % in each of eight classes."""
    text = shown(width, monkeypatch, capsys)
    assert max(map(len, text.splitlines())) <= width
    table = text[: text.index("\n\ntimm:")] if width > 60 else text
    assert len(re.findall(r"\b12\.5\b", table)) == 3 * 8
    for figure in ("11.7 M", "3.22 M", "222 M", "349 M", "3x224x224"):
        assert figure in text
    assert "head: guessed (fc)" in text


def test_names_are_broken_at_80_columns_and_whole_at_140(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    narrow, wide = (shown(width, monkeypatch, capsys).partition("\n\n")[0] for width in (80, 140))
    assert "torchvision:squeezenet1_1" in wide and "token_mixing" not in narrow
    assert "torchvision:" in narrow and "squeezenet1_1" in narrow and "torchvision:s" not in narrow


def test_a_table_is_wider_than_the_terminal_before_a_figure_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(view.out, "width", 14)
    view.print_table(view.columns_table({"model": ["nin"], "params": ["967 k"], "MACs": ["3.22 M"], "parameters": ["1"]}))
    heading, _, figures = capsys.readouterr().out.splitlines()
    assert (heading.split(), figures.split()) == (["model", "params", "MACs", "parameters"], ["nin", "967", "k", "3.22", "M", "1"])


def test_below_that_a_model_is_a_column(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.split() for line in shown(40, monkeypatch, capsys).splitlines()]
    assert ["MACs", "3.22", "M", "222", "M"] in lines and ["MACs", "349", "M"] in lines


def test_a_pipe_is_as_wide_as_a_narrow_terminal(archbench: CommandLine) -> None:
    answer = archbench("count", "resnet_bottleneck_164,mobilenet,senet,mixer,resnext")
    assert max(map(len, answer.stdout.splitlines())) <= 80
    for figure in ("1.70 M", "248 M", "3.22 M", "46.4 M", "4.78 M", "774 M"):  # 1,704,154 and 247,646,720 of the first, and so on
        assert figure in answer.stdout
    assert "@FILE" in archbench("count", "--help").stdout

"""notebooks/tour.ipynb: committed without outputs, and its cells run one after the other, but for the one that trains."""

from __future__ import annotations

import ast
import json
from typing import Any

import matplotlib
import pytest
from documented import ROOT, trains

NOTEBOOK = json.loads((ROOT / "notebooks/tour.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_it_holds_no_outputs() -> None:
    assert [cell["outputs"] for cell in CODE if cell["outputs"] or cell["execution_count"]] == []


def test_its_cells_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT / "notebooks")
    matplotlib.use("agg")
    names: dict[str, Any] = {}
    trees = [ast.parse("".join(cell["source"])) for cell in CODE]
    for tree in trees:
        if not trains(tree):
            exec(compile(tree, "tour.ipynb", "exec"), names)
    assert len([tree for tree in trees if trains(tree)]) == 1
    assert names["nin"]["macs"] == 222_486_528  # the author's configuration
    assert names["module"].training
    assert len(names["members"]) == 32
    assert "Network In Network" in capsys.readouterr().out

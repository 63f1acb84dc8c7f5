"""`pytest --archbench` as its user runs it: in a process of its own, in a project that knows nothing of archbench."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archbench.importing import records_of

pytest_plugins = ["pytester"]

NETS = """
import warnings

from torch import nn

def tiny(num_classes, in_channels=3):
    warnings.warn("slow")
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_classes))

class OnlyLooks(nn.Linear):
    def forward(self, images):
        if self.training:
            raise RuntimeError("only\\nlooks")
        return super().forward(images.mean((2, 3)))

def looks():
    return OnlyLooks(3, 10)
"""
QUICK = ("--archbench-batch", "2", "--archbench-device", "cpu", "--benchmark-max-time=0.02", "-W", "error")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which pytest-benchmark would take the inner run for one beside others
    pytester.makepyfile(nets=NETS, test_own="def test_own(): pass")
    return pytester


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    code = "import sys, archbench.pytest_plugin; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"torch", "numpy", "pandas", "pydantic", "archbench.api"}
    assert "archbench.pytest_plugin" in loaded


def test_without_the_option_nothing_changes(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-q")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("archbench*")


def test_both_phases_are_benchmarked_and_a_model_that_cannot_run_fails_alone(project: pytest.Pytester, tmp_path: Path) -> None:
    """tiny: 3 x 9 x 8 + 8 + 8 x 10 + 10 parameters; 30 x 30 x 27 x 8 + 80 MACs."""
    names = "nets.py:tiny,nets.py:looks"
    result = project.runpytest_subprocess("--archbench", names, *QUICK, "-p", "no:cacheprovider", "--benchmark-json=F.json")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*test_training_step?nets.py:looks?*", "nets.py:looks cannot run: RuntimeError: only looks"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*During handling*")
    stored = json.loads(Path("F.json").read_text())
    assert {(each["group"], each["fullname"]) for each in stored["benchmarks"]} == {
        ("forward", "archbench::test_forward[nets.py:tiny]"),
        ("forward", "archbench::test_forward[nets.py:looks]"),
        ("training_step", "archbench::test_training_step[nets.py:tiny]"),
    }
    assert stored["machine_info"]["archbench"]["device"]["kind"] == "cpu"
    tiny = next(record for record in records_of(Path("F.json")) if record.model.label == "nets.py:tiny")
    assert [tiny.measurement(name).value for name in ("params", "macs")] == [314, 194_480]  # type: ignore[union-attr]
    assert tiny.environment["libraries"]["torch"] == stored["machine_info"]["archbench"]["libraries"]["torch"]
    for name in ("latency_s", "train_step_s"):
        row = tiny.measurement(name, batch=2, precision="fp32", mode="eager", memory_format="contiguous")
        assert row is not None
        assert row.value
        assert row.low is not None  # six rounds or more


def test_the_suite_stands_beside_the_paths_that_are_given_and_can_be_chosen_from(project: pytest.Pytester) -> None:
    listed = project.runpytest_subprocess("--archbench", "nin,mobilenet", "--collect-only", "-q", "test_own.py", "-k", "forward or own")
    assert listed.outlines[:3] == ["test_own.py::test_own", "archbench::test_forward[nin]", "archbench::test_forward[mobilenet]"]


def test_random_numbers_of_other_tests_stay_as_they_were(project: pytest.Pytester) -> None:
    """The suite comes last; here its items go first."""
    project.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")
    seeded = "import torch\ntorch.manual_seed(5)\nexpected = torch.rand(1)\ntorch.manual_seed(5)\n"
    project.makepyfile(test_after=seeded + "def test_after():\n    assert torch.rand(1) == expected\n")
    result = project.runpytest_subprocess("--archbench", "nets.py:tiny", *QUICK, "-v", "test_after.py")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["archbench::test_training_step*", "test_after.py::test_after*"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--archbench", "nim"], "unknown model 'nim'; did you mean 'nin'?"),
        (["--archbench", ","], "--archbench names no model; write --archbench nin,mobilenet"),
        (["--archbench", "nin", "-p", "no:benchmark"], "--archbench needs pytest-benchmark: pip install pytest-benchmark"),
        (["--archbench", "nin", "--archbench-batch", "0"], "--archbench-batch takes a number from 1 on (got 0)"),
        (["--archbench", "nin", "--archbench-device", "cuda:99"], "--archbench-device cuda:99: this machine has *"),
    ],
)
def test_a_mistake_is_one_line_and_exit_4(arguments: list[str], message: str, project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message.replace('[', '[[]')}"])
    assert len(list(filter(None, result.errlines))) == 1

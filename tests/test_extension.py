"""How others add to the zoo: one file in it, or a package of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zoo

ROOT = Path(zoo.__file__).parent.parent
FAMILY = '''"""A family in one file."""

from torch import nn

from zoo._blocks import Classifier, average_and_linear, conv_relu
from zoo.nin import NIN_PAPER
from zoo.registry import ModelSpec, Published, register


@register(
    ModelSpec(
        name="my_net",
        title="MyNet",
        family="my_net",
        year=2026,
        paper=NIN_PAPER,
        parents=("nin",),
        takes="A 1x1 convolution behind each spatial one.",
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap+fc",
        # 3x3 to 8 maps, 1x1 to 16, 16 means to 10 classes: 224 + 144 + 170 parameters; (216 + 128) x 1,024 + 160 MACs
        published=(Published(538, 352_416, "arithmetic"),),
    )
)
def build_my_net(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """3x3, 1x1, the average."""
    return Classifier(nn.Sequential(conv_relu(in_channels, 8, 3), conv_relu(8, 16, 1)), average_and_linear(16, num_classes))
'''


def run(folder: Path, *command: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    return subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def zoo_copy(tmp_path: Path) -> Path:
    """A folder with a copy of the zoo, which comes before the real one on the path."""
    shutil.copytree(ROOT / "zoo", tmp_path / "copy" / "zoo", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


@pytest.mark.slow
def test_a_new_architecture_touches_one_file(zoo_copy: Path, tmp_path: Path) -> None:
    """The list, the common suite, a profile and its table all find it."""
    (zoo_copy / "zoo" / "my_net.py").write_text(FAMILY)
    listed = json.loads(run(tmp_path, "-m", "archbench", "list", "--models", "my_n*", "--json", path=zoo_copy).stdout)
    assert [(row["name"], row["params"], row["macs"]) for row in listed] == [("my_net", 538, 352_416)]
    tests, settings = str(ROOT / "tests" / "test_zoo.py"), str(ROOT / "pyproject.toml")
    suite = run(tmp_path, "-m", "pytest", tests, "-q", "-k", "my_net", "-c", settings, path=zoo_copy)
    assert suite.returncode == 0, suite.stdout
    assert re.search(r"\b1\d passed", suite.stdout), suite.stdout
    run(
        tmp_path,
        "-m",
        "archbench",
        "profile",
        "--models",
        "my_net",
        "--results",
        "r",
        "--batch-size",
        "2",
        "--launches",
        "1",
        path=zoo_copy,
    )
    (row,) = json.loads(run(tmp_path, "-m", "archbench", "tables", "--results", "r", "--json", path=zoo_copy).stdout)
    assert (row["name"], row["year"], row["params"], row["macs"]) == ("my_net", 2026, 538, 352_416)


def test_a_family_file_that_cannot_be_read_is_named(zoo_copy: Path, tmp_path: Path) -> None:
    (zoo_copy / "zoo" / "my_net.py").write_text("register()\n")
    answer = run(tmp_path, "-m", "archbench", "list", path=zoo_copy)
    assert answer.returncode == 2
    assert answer.stderr == "archbench: zoo/my_net.py cannot be read: NameError: name 'register' is not defined\n"


def test_a_network_that_cannot_run_is_named(zoo_copy: Path, tmp_path: Path) -> None:
    (zoo_copy / "zoo" / "my_net.py").write_text(FAMILY.replace("conv_relu(8, 16, 1)", "conv_relu(9, 16, 1)"))
    answer = run(tmp_path, "-m", "archbench", "list", "--models", "nin,my_net", path=zoo_copy)
    assert answer.returncode == 2
    assert answer.stderr.startswith("archbench: my_net cannot run: RuntimeError: ")
    assert answer.stderr.count("\n") == 1


def package(folder: Path, module: str) -> Path:
    """A package as pip would leave it, which names `my_family` under the entry point."""
    (folder / "my_family.py").write_text(module)
    about = folder / "my_family-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-family\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[archbench.zoo]\nmine = my_family\n")
    return folder


def test_a_package_adds_a_family_through_the_entry_point(tmp_path: Path) -> None:
    where = package(tmp_path, FAMILY)
    answer = run(tmp_path, "-m", "archbench", "show", "my_net", "--json", path=where)
    assert answer.returncode == 0, answer.stderr
    described = json.loads(answer.stdout)
    assert (described["params"], described["macs"]) == (538, 352_416)


def test_a_package_that_is_broken_is_named(tmp_path: Path) -> None:
    where = package(tmp_path, "import nothing_like_it\n")
    answer = run(tmp_path, "-m", "archbench", "list", path=where)
    assert answer.returncode == 2
    assert answer.stderr == (
        "archbench: the package my-family cannot add its architectures (my_family): No module named 'nothing_like_it'\n"
    )

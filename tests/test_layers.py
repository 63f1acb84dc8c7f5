"""The house rules about who imports whom, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_record

import archbench
from archbench.cli.app import COMMANDS
from archbench.records.store import Store

ROOT = Path(archbench.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
# what a plan needs, of trainings or of a test
PLANNING = {"job", "training", "data", "models", "execution", "environment", "device", "config", "records", "events", "errors"}
# a room and the rooms of archbench that it may import
ALLOWED = {
    "errors": set(),
    "events": set(),
    "stats": set(),
    "placing": {"errors"},
    "sharding": {"errors"},
    "toml_files": {"config", "errors"},
    "config": {"placing", "sharding", "errors"},
    "memory": set(),
    "chance": set(),
    "device": {"errors", "memory"},
    "conditions": {"device", "records"},
    "environment": {"conditions", "device"},
    "records": {"records", "errors"},
    "models": {"models", "errors", "records"},
    "budget": {"measure", "models", "errors"},
    "catalogue": {"budget", "measure", "models", "publish", "errors"},
    "claiming": {"errors"},
    "layering": set(),
    "reporting": {"claiming", "layering", "publish", "records", "config", "errors"},
    "serving": {"serving", "publish", "records", "errors"},
    "counting": {"catalogue", "measure", "models", "publish", "errors"},
    "evaluating": PLANNING | {"catalogue", "plan"},
    "following": {
        "duration",
        "explaining",
        "experiments",
        "catalogue",
        "job",
        "training",
        "data",
        "models",
        "execution",
        "device",
        "config",
        "records",
        "events",
        "errors",
    },
    "scoring": {
        "evaluating",
        "following",
        "explaining",
        "job",
        "plan",
        "training",
        "data",
        "device",
        "environment",
        "config",
        "records",
        "events",
        "errors",
    },
    "explaining": {
        "explaining",
        "evaluating",
        "catalogue",
        "job",
        "training",
        "data",
        "models",
        "device",
        "publish",
        "config",
        "records",
        "events",
        "errors",
    },
    "exporting": {"catalogue", "training", "models", "records", "errors"},
    "examining": {"conditions", "device", "environment", "events", "execution", "measure", "models", "records", "stats"},
    "execution": {"chance", "device", "errors", "records"},
    "importing": {"records", "stats", "errors"},
    "pytest_plugin": {"models", "environment", "device", "config", "errors"},
    "pytest_suite": {"pytest_plugin", "catalogue", "measure", "models", "execution", "errors"},
    "experiments": {"experiments", "toml_files", "models", "training", "records", "config", "errors"},
    "duration": {"job", "measure", "models", "device", "errors"},
    "estimate": {"plan", "job", "measure", "models", "execution", "device", "memory", "records"},
    "two_way": {"stats"},
    "rank_correlation": {"stats"},
    "permuting": set(),
    "remaking": {"toml_files", "config", "records", "errors"},
    "publish": {"publish", "remaking", "experiments", "records", "stats", "two_way", "rank_correlation", "permuting", "errors"},
    "verifying": {
        "verifying",
        "claiming",
        "remaking",
        "running",
        "plan",
        "measure",
        "models",
        "publish",
        "records",
        "stats",
        "config",
        "events",
        "errors",
    },
    "bundling": {"bundling", "publish", "remaking", "records", "errors"},
    "illustrating": {"publish", "records", "config", "errors"},
    "evidence": {"verifying", "bundling", "publish", "records", "config", "events", "errors"},
    "data": {"data", "environment", "device", "memory", "config", "errors", "events", "records"},
    "measure": {"measure", "device", "execution", "models", "records", "stats", "errors"},
    "training": {
        "training",
        "toml_files",
        "chance",
        "data",
        "device",
        "execution",
        "models",
        "records",
        "stats",
        "errors",
        "events",
        "config",
    },
    "job": {
        "job",
        "stats",
        "training",
        "measure",
        "data",
        "models",
        "execution",
        "conditions",
        "environment",
        "device",
        "records",
        "events",
        "errors",
    },
    "tracking": {"tracking", "job", "records", "events", "errors"},
    "engines": {
        "engines",
        "placing",
        "plan",
        "explaining",
        "job",
        "data",
        "measure",
        "models",
        "training",
        "environment",
        "device",
        "config",
        "records",
        "events",
        "errors",
    },
    "studies": {"job", "config", "records", "errors"},
    "tuning": {"studies", "engines", "plan", "job", "measure", "training", "data", "config", "records", "events", "errors"},
    "choosing": {"job", "training", "models", "execution", "device", "config", "records", "events", "errors"},
    "plan": PLANNING | {"studies", "budget", "choosing", "sharding", "experiments", "following", "duration"},
    "running": {
        "placing",
        "plan",
        "experiments",
        "tracking",
        "studies",
        "tuning",
        "engines",
        "evaluating",
        "scoring",
        "job",
        "config",
        "records",
        "events",
        "errors",
    },
    "api": {
        "running",
        "estimate",
        "studies",
        "catalogue",
        "claiming",
        "layering",
        "counting",
        "explaining",
        "measure",
        "examining",
        "exporting",
        "importing",
        "publish",
        "records",
        "config",
        "events",
        "errors",
    },
    "cli": {
        "cli",
        "api",
        "placing",
        "evidence",
        "illustrating",
        "bundling",
        "verifying",
        "estimate",
        "experiments",
        "running",
        "studies",
        "catalogue",
        "claiming",
        "reporting",
        "serving",
        "importing",
        "examining",
        "plan",
        "publish",
        "records",
        "config",
        "events",
        "errors",
    },
    "__init__": {"api", "evidence", "illustrating", "reporting", "errors"},
    "__main__": {"cli"},
}
IN_DEPTH = [path for path in MODULES if "cli" not in path.parts and path.name != "__main__.py"]


def imports(path: Path) -> set[str]:
    """Modules that a file names in an import, at its top or inside a function."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names if node.module == "archbench"}
    return named


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    used = {name.split(".")[1] for name in imports(path) if name.startswith("archbench.")} - {"__version__"}
    assert used <= ALLOWED[room(path)], f"{path.name} may not import {used - ALLOWED[room(path)]}"


@pytest.mark.parametrize("path", IN_DEPTH, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_below_the_command_line_prints_or_exits(path: Path) -> None:
    calls = {
        node.func.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"print", "exit", "quit", "input"}
    assert "sys.exit" not in path.read_text()


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; sys.argv = ['archbench', '--help']; {statement}; print('\\n'.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(answer.stdout.split("\n"))


@pytest.mark.parametrize(
    "module",
    ["publish.results", "publish.formats", "publish.pages", "publish.sheet", "records.store", "stats", "config", "events", "errors"],
)
def test_these_work_without_torch(module: str) -> None:
    assert "torch" not in loaded_after(f"import archbench.{module}")


def test_records_are_cited_and_bundled_without_torch(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.save(make_record())
    cites = "[archbench.cite('results', results=store, form=form) for form in ('text', 'markdown', 'bibtex', 'ris')]"
    bundles = (
        f"archbench.bundle(store, out={str(tmp_path / 'b.zip')!r}); archbench.import_bundle({str(tmp_path / 'b.zip')!r}, results=store)"
    )
    assert "torch" not in loaded_after(f"import archbench; store = {str(store.root)!r}; {cites}; {bundles}")
    assert (tmp_path / "b.zip").is_file()


def test_figures_are_drawn_without_torch(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(make_record(samples={"curves": {"loss": [2.0, 1.0]}}))
    draws = f"assert list(archbench.figures('curves', results={str(tmp_path)!r})) == ['curves-digits-modern-8ep']"
    assert "torch" not in loaded_after(f"import archbench; {draws}")


def test_the_report_is_made_without_torch(tmp_path: Path) -> None:
    Store(tmp_path).save(make_record())
    arguments = ["archbench", "report", "--results", str(tmp_path), "--out", str(tmp_path / "report.html")]
    assert "torch" not in loaded_after(f"sys.argv = {arguments}\nfrom archbench.cli import app\nassert app._status() == 0")
    assert (tmp_path / "report.html").is_file()


def test_the_registry_works_without_torch() -> None:
    assert "torch" not in loaded_after("import zoo")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_nothing_heavy(command: str) -> None:
    arguments = ["archbench", command, "--help"] if command else ["archbench", "--help"]
    loaded = loaded_after(f"sys.argv = {arguments}\nfrom archbench.cli import app\napp.build(sys.argv[1:])(standalone_mode=False)")
    assert not loaded & {"torch", "pandas", "scipy", "numpy"}
    if not command:  # typer itself loads pydantic to read the options of a command
        assert not loaded & {"pydantic", "rich"}

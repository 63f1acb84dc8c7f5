"""README.md and docs/: each command is run, or held against the application where a rule says why not; what is shown is what is printed."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from conftest import Answer
from documented import OTHER, ROOT, SHELL, Command, blocks, commands, pages, trains, why_not_run
from rich.console import Console

from archbench import count, models
from archbench.cli import app, tables, view
from archbench.config import Settings, split_names
from archbench.data import sources
from archbench.experiments import files as experiments
from archbench.records.where import parse as parsed_where
from archbench.training import recipe_file
from zoo import registry

PAGES = pages()
DRAWS = ("figures", "report")  # commands that are dear with many Records; they run beside these alone, a training and a profile on digits
FEW = ("nin-train-04193d6211b5.json", "nin-profile-038b7b9c9c94.json")
WIDTH = 100  # columns of the terminal that the pages show
OTHERS = {"mkdir", "mkdocs", "mlflow", "sbatch", "tensorboard", "wandb"}  # programs that archbench does not bring


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder as a clone's, with the project's Records, which are the reader's own runs too."""
    shutil.copytree(ROOT / "results", tmp_path / "results")
    shutil.copytree(ROOT / "results/runs", tmp_path / "archbench-runs/runs")
    for few in (tmp_path / "few/results/runs", tmp_path / "few/archbench-runs/runs"):
        few.mkdir(parents=True)
        for record in FEW:
            shutil.copy(ROOT / "results/runs" / record, few)
    return tmp_path


def test_every_block_says_its_language() -> None:
    """One without would be taken for no command, in silence."""
    unknown = [f"{page.name}: {language!r}" for page in PAGES for language, _ in blocks(page) if language not in (*SHELL, *OTHER)]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_as_the_application_takes_them(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for command in commands(page):
        if command.arguments is None:
            check_other(command)
        elif command.arguments[0].startswith("-"):
            assert command.arguments[0] in ("--help", "--version")
        else:
            check_values(*parameters(command))


def parameters(command: Command) -> tuple[str, dict[str, Any]]:
    """The name and the parameters of a command, parsed by the application; a usage error fails with its message."""
    name, *rest = command.arguments or ()
    assert name in app.COMMANDS, f"{command.page}: there is no command {name}"
    group: Any = typer.main.get_command(app.build([name]))
    short = command.inline and not rest  # `archbench tune`: the command's name in a sentence
    try:
        context = group.commands[name].make_context(name, list(rest), resilient_parsing=short)
    except app.USAGE_ERROR as error:
        pytest.fail(f"{command.page}: {' '.join(command.words)}: {error.format_message()}")
    return name, context.params


def check_values(name: str, given: dict[str, Any]) -> None:
    """Raise ArchbenchError for a model, data set, recipe, experiment, table or filter that is not known."""
    if name == "tables":
        tables._asked(given["names"] or ["results"])
    if name == "show":
        models.parse([given["name"]])
    if name in ("run", "train", "tune", "profile", "list", "count"):
        names = given["models"] or "" if isinstance(given["models"], str) else ",".join(given["models"] or ())
        models.parse([each for each in split_names(names) if ".py:" not in each and "RECORD_ID" not in each])
    if name in ("run", "train", "tune", "profile"):
        settings = Settings.of(**{key: value for key, value in given.items() if value is not None and key in Settings.__annotations__})
        sources.request(settings)
        recipe_file.load(settings.recipe)
    if given.get("experiment") not in (None, "my.toml"):
        experiments.load(given["experiment"])
    if given.get("where"):
        parsed_where(given["where"])


def check_other(command: Command) -> None:
    """That what another program is told is there: files, extras, environments."""
    program, *rest = command.words
    if program == "python":
        assert (ROOT / rest[0]).is_file(), f"{command.page}: no file {rest[0]}"
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert set(re.findall(r"\[(\w+)\]", " ".join(rest))) <= set(extras)
    elif program == "tox":
        names = set(re.findall(r"^\[testenv:(\w+)\]$", (ROOT / "tox.ini").read_text(), re.MULTILINE))
        assert set(rest) - {"-e"} <= names
    elif program == "pytest":
        assert all((ROOT / word).exists() for word in rest if "/" in word)
    else:
        assert program in OTHERS, f"{command.page}: nothing is known of the program {program}"


RUN = [page for page in PAGES if any(command.arguments and not why_not_run(command) for command in commands(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run_and_print_what_the_page_shows(
    page: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(view, "out", Console(highlight=False, width=WIDTH))
    for command in dict.fromkeys(commands(page)):
        if command.arguments is not None and why_not_run(command) is None:
            monkeypatch.chdir(workspace / "few" if command.arguments[0] in DRAWS else workspace)
            answer = run(command, monkeypatch, capsys)
            assert answer.returncode == 0, f"{' '.join(command.words)}: {answer.stderr}"
            if command.output is not None:
                assert_shown(answer.stdout, command)


def run(command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    """What a command leaves, in this process."""
    monkeypatch.setattr(sys, "argv", ["archbench", *(command.arguments or ())])
    capsys.readouterr()
    return Answer(app._status(), *capsys.readouterr())


def assert_shown(printed: str, command: Command) -> None:
    """That each line which a page shows is printed, in this order; a line `...` stands for any number of lines."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    parts = [part.strip("\n").splitlines() for part in re.split(r"^\.\.\.$", command.output or "", flags=re.MULTILINE)]
    assert lines[: len(parts[0])] == parts[0]
    at = len(parts[0])
    for part in parts[1:]:
        at = next(n for n in range(at, len(lines) + 1) if lines[n : n + len(part)] == part) + len(part)
    assert at == len(lines) or not (parts[-1] or len(parts) == 1), f"{command.page}: {' '.join(command.words)} prints more than is shown"


PYTHON = [(page, text) for page in PAGES for language, text in blocks(page) if language == "python"]


@pytest.mark.parametrize(("page", "text"), PYTHON, ids=[page.name for page, _ in PYTHON])
def test_python_blocks_name_what_is_there_and_run(page: Path, text: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each import, and each name that is taken from archbench or zoo; a block runs unless it trains. What is registered is counted."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert all(importlib.import_module(each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert [each.name for each in node.names if not hasattr(module, each.name)] == []
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("archbench", "zoo"):
            assert hasattr(importlib.import_module(node.value.id), node.attr), f"{page.name}: {node.value.id}.{node.attr}"
    registered: list[Any] = []
    monkeypatch.setattr(registry, "register", lambda spec: lambda builder: registered.append((spec, builder)))
    monkeypatch.chdir(workspace)
    if not trains(tree):
        exec(compile(tree, page.name, "exec"), {})
    for spec, build in registered:
        counted = count(build(10, 3, 32), torch.randn(1, 3, 32, 32))
        assert [(counted.params, counted.macs)] == [(each.params, each.macs) for each in spec.published]


def test_pictures_and_pages_that_the_readme_leads_to_are_there() -> None:
    """Figures are drawn by another command, so that one of them may be missing from a checkout."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not link.startswith("results/figures/") and not (ROOT / link).exists()] == []

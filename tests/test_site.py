"""What the site is made of beside the written pages; .ci/run builds it, where a warning is an error."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest
import typer
import yaml
from documented import ROOT, pages

import archbench
from archbench.cli import app

SPEC = importlib.util.spec_from_file_location("generated", ROOT / "docs/generated.py")
assert SPEC is not None
assert SPEC.loader is not None
generated = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generated)


def test_the_command_line_page_has_every_option_of_every_command() -> None:
    group: Any = typer.main.get_command(app.build(app.COMMANDS))
    sections = re.split(r"^## ", generated.command_line(), flags=re.MULTILINE)[1:]
    assert [section.split("\n")[0] for section in sections] == list(app.COMMANDS)
    for section, name in zip(sections, app.COMMANDS, strict=True):
        options = [flag for each in group.commands[name].params if each.param_type_name == "option" for flag in each.opts]
        assert [flag for flag in options if f"{flag}" not in section and flag not in ("--help", "-h")] == []


def test_the_python_page_names_what_the_package_offers() -> None:
    assert set(re.findall(r"^::: archbench\.\w+\.(\w+)$", generated.python(), re.MULTILINE)) == set(archbench.__all__) - {"__version__"}


def test_parts_and_pictures_that_pages_name_are_there() -> None:
    """Of the files that the project commits; a part is what stands below one heading, up to the next."""
    for page in pages():
        text = generated.with_parts(page.read_text())
        assert "<!-- from " not in text
        assert "<!-- picture " not in text
    assert generated.part("README.md", "lineage · 3×32×32").startswith("| model | year |")
    assert "<!--" not in generated.part("README.md", "lineage · 3×32×32")
    with pytest.raises(LookupError, match=r"README\.md has no part that begins with 'none'"):
        generated.part("README.md", "none")


def test_a_figure_in_a_cell_is_kept_on_one_line() -> None:
    marked = generated.FIGURE.sub(
        "F", "| nin<sup>a</sup> | 29.9 [29.0–30.8]* | 967 k | **0.6 [-0.2 to 1.2] n=5** | – | 1x1 |\n| --- | --- |"
    )
    assert marked == "| nin<sup>a</sup> | F | F | F | – | 1x1 |\n| --- | --- |"


def test_every_page_and_committed_table_has_its_place_in_the_navigation() -> None:
    assert set(generated.TITLES) == {path.stem for path in (ROOT / "results").glob("**/tables/*.md")}
    text = (ROOT / "mkdocs.yml").read_text()
    named = set(re.findall(r"\S+\.md", str(yaml.safe_load(text)["nav"]).replace("'", " ")))
    written = {str(path.relative_to(ROOT / "docs")) for path in pages()[1:]}
    assert named == written | {path for path, _ in generated.pages()}


def test_what_all_headings_of_a_page_begin_with_stands_above_them_once() -> None:
    condition = "maps by gradcam · shapes (3×32×32, 10 classes) · recipe modern"
    headings = ("test errors", "link kept · x")
    page = "".join(f"### {condition} · {heading}\n\n| a |\n\n" for heading in headings)
    page += f"### reading · {condition}\n\n- as under “{condition} · test errors”\n"
    assert generated.said_once(page) == (
        f"{condition}\n\n### test errors\n\n| a |\n\n### link kept · x\n\n| a |\n\n### reading\n\n- as under “test errors”\n"
    )
    assert generated.said_once("### a · b\n\n### a · c\n") == "### a · b\n\n### a · c\n"

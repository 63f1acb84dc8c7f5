"""What the site is made of beside the pages that are written: the command line's options, the zoo, recipes, tables and pictures.

A hook of mkdocs. Nothing that it makes is committed under docs/. In a page, a line `<!-- from FILE: HEADING -->` stands for the part of a
file of the repository whose heading begins so, and `<!-- picture FILE: TEXT -->` for a picture, where there is one.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PART = re.compile(r"^<!-- from (\S+): (.+) -->$", re.MULTILINE)
PICTURE = re.compile(r"^<!-- picture (\S+): (.+) -->$", re.MULTILINE)
FIGURE = re.compile(r"(?<=\| )[*]{0,2}-?\d[-\d., \[\]–nkMGto=*\\]*(?= \|)")  # a cell that holds a figure, with its interval
HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
MUCH = 40  # characters that all headings of a page share, from which on they are said once
TITLES = {
    "results": "Test errors, counts and latency",
    "errors": "Errors over seeds",
    "experiment-recipes": "Modern and fast",
    "experiment-local_function": "The local function: linear, maxout, MLP",
    "experiment-mlp_depth": "The depth of the local MLP",
    "experiment-head": "The head: average, fully connected, with dropout",
    "experiment-data_scale": "Heads on less data",
    "ablations": "Knobs beside the network without",
    "claims": "The papers' claims",
    "lineage": "The lineage",
    "operators": "Shares by operator class",
    "latency": "Latency",
    "memory": "Memory",
    "roofline": "Roofline",
    "reconciliation": "Counters beside each other",
    "environment": "Machines, versions and commits",
    "maps": "Class maps against known objects",
}
APART = {"maps": "class_maps", "experiment-data_scale": "narrow"}  # tables of an experiment that has a folder of its own


def on_files(files: Any, config: Any) -> Any:
    """Add the pages and pictures that are made."""
    from mkdocs.structure.files import File

    for path, text in pages():
        files.append(File.generated(config, path, content=text))
    for picture in pictures():
        files.append(File.generated(config, f"assets/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page with the parts and pictures that it names. Raises PluginError for a part that is not there."""
    from mkdocs.exceptions import PluginError

    above = "../" * page.file.src_uri.count("/")
    try:
        return with_parts(markdown, above)
    except LookupError as error:
        raise PluginError(f"{page.file.src_uri}: {error.args[0]}") from None


def pages() -> Iterator[tuple[str, str]]:
    """Each page that is made, with its path in the site."""
    yield "reference/command-line.md", command_line()
    yield "reference/python.md", python()
    yield "reference/recipes.md", recipes()
    yield "reference/zoo.md", (ROOT / "zoo/README.md").read_text()  # itself made from the specs, and held against them by a test
    for name, title in TITLES.items():
        text = (RESULTS / APART.get(name, "") / "tables" / f"{name}.md").read_text()
        text = FIGURE.sub(lambda found: f'<span class="figure">{found[0]}</span>', text)
        yield f"tables/{name}.md", text if text.startswith("# ") else f"# {title}\n\n{said_once(text)}".replace("\n### ", "\n## ")


def said_once(text: str) -> str:
    """A page of tables with what all its headings begin with above them, and not in each, where that is much."""
    parts = [heading.split(" · ") for heading in HEADING.findall(text)]
    conditions = [each[1:] if each[0] == "reading" else each[:-1] for each in parts]
    common = " · ".join(each[0] for each in itertools.takewhile(lambda each: len(set(each)) == 1, zip(*conditions, strict=False)))
    if len(common) < MUCH:
        return text
    shorter = re.sub(rf"^### (reading · )?{re.escape(common)} · ", r"### \1", text, flags=re.MULTILINE)
    shorter = shorter.replace(f"### reading · {common}\n", "### reading\n").replace(f"“{common} · ", "“")
    return f"{common}\n\n{shorter}"


def pictures() -> list[Path]:
    """The figures that are committed."""
    return sorted(picture for folder in ("", *APART.values()) for picture in (RESULTS / folder / "figures").glob("*.png"))


def with_parts(markdown: str, above: str = "") -> str:
    """A page with the parts of other files that it names, and its pictures; `above` leads from its folder to the first of the site."""
    there = {picture.name for picture in pictures()}

    def picture(found: re.Match[str]) -> str:
        image = f'<div class="picture" markdown>![{found[2]}]({above}assets/{found[1]})</div>'
        return image if found[1] in there else ""

    return PICTURE.sub(picture, PART.sub(lambda found: part(found[1], found[2]), markdown))


def part(path: str, heading: str) -> str:
    """What stands below the first heading of a file that begins so, up to the next one. Raises LookupError where there is none."""
    parts = re.split(r"^### ", (ROOT / path).read_text(), flags=re.MULTILINE)
    for each in parts:
        if each.startswith(heading):
            body = each.partition("\n")[2]
            return re.split(r"^(?:## |<!-- )", body, flags=re.MULTILINE)[0].strip() + "\n"
    raise LookupError(f"{path} has no part that begins with {heading!r}")


def command_line() -> str:
    """Every command with its arguments and options, from the application itself."""
    import typer

    from archbench.cli.app import ABOUT, COMMANDS, build

    group: Any = typer.main.get_command(build(COMMANDS))
    lines = [f"# The command line\n\n{ABOUT} `python -m archbench` is the same as `archbench`, and every command has `--help`.\n"]
    lines += ["| command | |", "| --- | --- |", *(f"| [`{name}`](#{name}) | {cell(COMMANDS[name])} |" for name in COMMANDS)]
    lines += [
        "",
        "A mistake is one line on stderr and exit status 2; a run that failed 1, after the others; an interrupt 130; SIGTERM 143.",
    ]
    for name in COMMANDS:
        lines += ["", *_of_command(name, group.commands[name])]
    return "\n".join(lines) + "\n"


def _of_command(name: str, command: Any) -> Iterator[str]:
    """What a command is for, how it is called, and a row for each argument and option: as its `--help` has them."""
    context = command.make_context(name, [], resilient_parsing=True)
    records = [record for each in command.params if (record := each.get_help_record(context)) and "--help" not in record[0]]
    yield from (f"## {name}", "", command.help.strip(), "")
    yield from ("```text", " ".join(["archbench", name, *command.collect_usage_pieces(context)]), "```", "")
    yield from ("| | |", "| --- | --- |")
    yield from (f"| {_flags(record[0])} | {cell(record[1])} |" for record in records)


def _flags(text: str) -> str:
    """`--models <str>` as code that a table's cell holds."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>"


def cell(text: str) -> str:
    """Text as a table's cell holds it."""
    return re.sub(r"([\\`|*\[\]_])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


def python() -> str:
    """What the package offers, by mkdocstrings."""
    import archbench

    names = [name for name in archbench.__all__ if not name.startswith("__")]
    lines = ["# From Python", "", "What `import archbench` offers; read at first use, so that the import is quick.", ""]
    for name in names:
        lines += [f"::: archbench.{home(name)}.{name}", ""]
    return "\n".join([*lines, "The architectures alone are in the package `zoo`:", "", *(f"::: zoo.{name}\n" for name in ZOO)])


ZOO = ("names", "get", "create", "register", "ModelSpec", "Paper", "Published", "Claim", "TrainingHints", "ZooError")


def home(name: str) -> str:
    """The module that a name of the package comes from."""
    import archbench

    return archbench._WITHOUT_TORCH.get(name, "api")


def recipes() -> str:
    """The recipes and the experiments that are shipped, as their files stand."""
    lines = [
        "# Recipes and experiments",
        "",
        "The files as they are shipped; `--recipe` and `--experiment` take their names, or the path of yours.",
    ]
    for kind, folder in (("Recipe", "training/recipes"), ("Experiment", "experiments")):
        for file in sorted((ROOT / "archbench" / folder).glob("*.toml")):
            lines += ["", f"## {kind} `{file.stem}`", "", "```toml", file.read_text().rstrip(), "```"]
    return "\n".join(lines) + "\n"

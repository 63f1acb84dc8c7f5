"""The commands, Python blocks and outputs that README.md and docs/ show, and why a command of them is not run by a test."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`(?P<text>(?:python -m )?archbench [^`]+)`(?!`)")
VARIABLE = re.compile(r"\$\{?\w+\}?")
COMMENT = re.compile(r"(?:^|\s)#.*")
SHELL, OTHER = ("sh", "bash"), ("python", "toml", "text", "bibtex", "console")
PLACEHOLDER = re.compile(r"RECORD|ID|A|B|X|FILE|FOLDER|NAME|DIR|TABLE|.*(?:=imagefolder:DIR|_ID|\.\.\.|FILE(\.\w+)*)")


class Command(NamedTuple):
    """One command as a page shows it: its words, and what it prints where the page shows that too."""

    page: str
    words: tuple[str, ...]
    output: str | None = None
    inline: bool = False

    @property
    def arguments(self) -> tuple[str, ...] | None:
        """What archbench is given; None where another program is called."""
        if self.words[0] == "archbench":
            return self.words[1:]
        return self.words[3:] if self.words[:3] == ("python", "-m", "archbench") else None


def pages(root: Path = ROOT) -> list[Path]:
    """README.md and the pages of the site that are written by hand."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[tuple[str, str]]:
    """The language and text of each fenced block."""
    return [(found["language"], found["text"]) for found in FENCE.finditer(page.read_text())]


def commands(page: Path) -> list[Command]:
    """All commands of a page, in its order; those inside a sentence last."""
    name, found = str(page.relative_to(ROOT)), []
    for language, text in blocks(page):
        if language in SHELL:
            found += [Command(name, words) for words in _split(text)]
        elif language == "console":
            found += list(_shown(name, text))
    prose = FENCE.sub("", page.read_text())
    for match in INLINE.finditer(prose):
        found += [Command(name, words, inline=True) for words in _split(" ".join(match["text"].split()))]
    return found


def _shown(page: str, text: str) -> Iterator[Command]:
    """The commands of a console block, each with the lines below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        *before, last = _split(line)
        yield from (Command(page, words) for words in before)
        yield Command(page, last, output)


def _split(text: str) -> list[tuple[str, ...]]:
    """The commands of a shell text: joined lines, without comments, assignments and `exec`, variables as 1, and told apart at && | ;"""
    found: list[tuple[str, ...]] = []
    for line in VARIABLE.sub("1", text.replace("\\\n", " ")).splitlines():
        lexer = shlex.shlex(COMMENT.sub("", line), posix=True, punctuation_chars="&|;")
        lexer.commenters, lexer.whitespace_split = "", True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("&|;"):
                found += [tuple(words)] * bool(words)
                words = []
            elif words or not (re.match(r"[A-Z_]+=", word) or word in ("exec", "export")):
                words.append(word)
    return found


TRAINS = {"run", "train", "tune", "profile", "evaluate"}
RULES: dict[str, Callable[[Command, str, list[str]], bool]] = {
    "it stands in a sentence, as an example of its form": lambda command, name, rest: command.inline,
    "it trains, times or tests networks": lambda command, name, rest: name in {*TRAINS, "doctor"} or "--rerun" in rest,
    "it needs the extra onnx; tests/test_exporting.py runs it": lambda command, name, rest: name == "export",
    "it counts every network with five counters, for minutes": lambda command, name, rest: "--explain" in rest,
    "it names what the reader has": lambda command, name, rest: any(PLACEHOLDER.fullmatch(word) for word in rest),
    ".ci/run makes all pages of this format, and holds them against the committed ones": lambda command, name, rest: (
        name == "tables" and command.output is None and "--format" not in rest
    ),
    "it counts the whole zoo, as tests/test_verifying.py and tests/test_catalogue.py do": lambda command, name, rest: (
        (name == "verify" and rest[0] == "results") or (name == "list" and "--out" in rest)
    ),
    "it draws many figures; .ci/run holds the committed ones against the Records": lambda command, name, rest: (
        name == "figures" and ("--check" in rest or rest[0].startswith("-") or rest[1:2] != ["--results"])
    ),
    "it needs the weights of the reader's runs; tests/test_explaining.py draws maps": lambda command, name, rest: name == "explain",
    "it serves until it is interrupted; tests/test_serving.py asks it": lambda command, name, rest: name == "serve",
    "it joins folders that the reader's other commands make": lambda command, name, rest: name == "merge",
}


def why_not_run(command: Command) -> str | None:
    """The rule by which a command is only held against the application; None: it is run."""
    name, *rest = command.arguments or [""]
    return next((reason for reason, holds in RULES.items() if holds(command, name, rest)), None)


def trains(tree: ast.Module) -> bool:
    """Whether Python code calls a function of archbench that trains or times networks; tests/test_cli.py and its like run those."""
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(isinstance(name, ast.Attribute) and name.attr in TRAINS and ast.unparse(name.value) == "archbench" for name in called)

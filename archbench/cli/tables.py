"""`archbench tables`: tables from the Records of a results folder."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archbench.config import INDEX, Settings, expanded, split_names
from archbench.errors import ArchbenchError, unknown
from archbench.records.uncollected import uncollected

if TYPE_CHECKING:
    from archbench.cli.tables_out import Choice
    from archbench.experiments.definition import Grid
    from archbench.publish.pages import Page
    from archbench.records.schema import Record


PAGES_HELP = "results, errors, classes, claims, operators, lineage, ablations, latency, memory, roofline, maps, environment"
NAMES_HELP = f"{PAGES_HELP}; all; experiment  [default: results]"
CONDITION_HELP = "Only tables whose captions hold these words, phrases with commas: '10 % of the training set, recipe fast'"
GLOB, LABEL = set("*?["), re.compile(r"[\w:.-]+", re.ASCII)


class Format(StrEnum):
    """How a table is written."""

    terminal = "terminal"
    md = "md"
    csv = "csv"
    latex = "latex"
    html = "html"
    json = "json"


@uncollected()  # a tenth of its time
def command(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help=NAMES_HELP)] = None,
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    models: Annotated[str, typer.Option("--models", help="Only these: names or globs as they stand in the table, with commas")] = "*",
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only trainings on this data set, and profiles")] = None,
    condition: Annotated[str | None, typer.Option("--condition", help=CONDITION_HELP)] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Only these columns and what a row is of: words of their headers, with commas")
    ] = None,
    caption: Annotated[str, typer.Option("--caption", help="LaTeX: your own sentence before the caption of the only table")] = "",
    label: Annotated[
        str, typer.Option("--label", help="LaTeX: the label of the only table  [default: tab: and words of its caption]")
    ] = "",
    mix: Annotated[
        bool,
        typer.Option("--mix", help="errors: rank what was trained under different settings together, each row with a footnote"),
    ] = False,
    experiment: Annotated[
        str | None, typer.Option("--experiment", help="experiment: names of shipped ones, or paths of your own .toml files, with commas")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How the tables are written")] = Format.terminal,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write to: NAME.md and NAME.csv, with --format others; experiment-head.md of an experiment"),
    ] = None,
    readme: Annotated[
        Path | None,
        typer.Option("--readme", help="Fill the blocks of this file anew, behind its marks <!-- lineage --> and <!-- results -->"),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit status 1, and a diff, where files of --out or --readme lag behind")
    ] = False,
    records_only: Annotated[
        bool, typer.Option("--records-only", help="Leave out predictions beside the Records, which others who have the Records may lack")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As --format json: the rows; by name where several are asked for")] = False,
) -> None:
    """Make tables from Records: results, errors, classes, claims, operators, lineage, ablations, latency, maps and more."""
    from archbench.records.looking import RUNS, Looking

    results = expanded(results)
    looking = Looking(results / RUNS)  # while what follows is loaded
    if looking.is_apart:
        import scipy.special  # noqa: F401 # which the intervals need
    from archbench.cli import tables_out, view
    from archbench.publish.asked import check_named, chosen, with_asked_claims
    from archbench.publish.pages import EXPERIMENT, NAMES, experiment_page, page
    from archbench.publish.predictions import Kept
    from archbench.publish.writing import files
    from archbench.records import index
    from archbench.records.store import TABLES, Store

    form = _form(form, json)
    every = check and form is Format.terminal  # of all that lie in the folder
    asked, wanted = _asked(names or (NAMES if every else ["results"])), split_names(models)
    grids, choice = _grids(experiment), _choice(condition, columns, caption, label)
    _check_together(asked, experiment, mix, csv_of=len([*asked, *grids[1:]]) if form is Format.csv and out is None and not check else 0)
    _check_choice(choice, form, check or out is not None, readme is not None)
    stored, problems = index.load(Store.of(results), INDEX, looking)
    specs = _claiming(problems) if "claims" in asked else []
    check_named(wanted if stored else (), stored, f"in {results}", specs, dataset if stored else None)
    records = chosen(stored, wanted, dataset)
    if "errors" in asked and not mix:
        _check_one_ranking(records, wanted)
    specs = [with_asked_claims(spec, wanted, dataset) for spec in specs]
    kept = Kept(None if records_only else results)

    @functools.cache
    def made(name: str) -> Page:
        return page(name, records, kept, mix, specs)

    blocks = {} if readme is None else {expanded(readme): {name: made(name) for name in files.BLOCKS}}
    where = f"{'of these ' if stored else ''}in {results} yet"
    pages = [made(name) for name in asked if name != EXPERIMENT] + [experiment_page(grid, records, kept) for grid in grids]
    folder = out if out is None else expanded(out)
    lag = tables_out.put(tables_out.chosen(pages, choice), form, folder, blocks, results / TABLES, check, where)
    view.report_problems([*problems, *kept.problems])
    if lag:
        raise typer.Exit(1)


def _form(form: Format, json: bool) -> Format:
    """The format that is asked for. Raises ArchbenchError where two are."""
    if json and form not in (Format.terminal, Format.json):
        raise ArchbenchError(f"--json and --format {form.value} ask for two formats: give one")
    return Format.json if json else form


def _asked(names: Sequence[str]) -> list[str]:
    """The tables' names, each once. Raises ArchbenchError, with the near name, for one that is not known."""
    from archbench.publish.pages import EXPERIMENT, NAMES

    known = (*NAMES, EXPERIMENT, "all")
    for name in names:
        if name not in known:
            raise unknown("table", name, known)
    every = [*NAMES, *[EXPERIMENT] * (EXPERIMENT in names)]
    return every if "all" in names else list(dict.fromkeys(names))


def _check_together(asked: Sequence[str], experiment: str | None, mix: bool, csv_of: int) -> None:
    """Raise ArchbenchError for options that the tables which are asked for have no use for; `csv_of` are the pages shown as CSV."""
    if ("experiment" in asked) != (experiment is not None):
        raise ArchbenchError("the table experiment and --experiment NAME belong together: archbench tables experiment --experiment head")
    if mix and "errors" not in asked:
        raise ArchbenchError("--mix is for the table that ranks: archbench tables errors --mix")
    if csv_of > 1:
        raise ArchbenchError("--format csv shows one table at a time: name one, or write each to its own file with --out")


def _choice(condition: str | None, columns: str | None, caption: str, label: str) -> Choice:
    """What is chosen of the tables. Raises ArchbenchError for an option that says nothing, and what is no label."""
    from archbench.cli.tables_out import Choice

    for option, text, example in (("condition", condition, "10 % of the training set, fast"), ("columns", columns, "test error, MACs")):
        if text is not None and not split_names(text):
            raise ArchbenchError(f"--{option} names nothing: archbench tables results --{option} '{example}'")
    if label and not LABEL.fullmatch(label):
        raise ArchbenchError(f"--label takes letters, digits and :._- (got {label!r})")
    return Choice(split_names(condition or ""), split_names(columns or ""), caption, label)


def _check_choice(choice: Choice, form: Format, of_files: bool, of_readme: bool) -> None:
    """Raise ArchbenchError where tables are chosen and numbers, or files in no format that is named, are asked for."""
    if (choice.title or choice.label) and form is not Format.latex:
        raise ArchbenchError("--caption and --label are of a table in LaTeX: --format latex")
    if not (choice.condition or choice.columns):
        return
    if form in (Format.csv, Format.json):
        raise ArchbenchError(f"--condition and --columns choose among what is read, {form.value} holds every number: leave one of them out")
    if of_readme or (of_files and form is Format.terminal):
        raise ArchbenchError(
            "--condition and --columns take --format md, latex or html beside --out and --check; --readme is about whole pages"
        )


def _grids(experiments: str | None) -> list[Grid]:
    """The experiments whose pages are asked for. Raises ArchbenchError for none, and where two would be files of one name."""
    if experiments is None:
        return []
    from archbench.experiments import grid

    if not split_names(experiments):
        raise ArchbenchError("--experiment names nothing: archbench tables experiment --experiment head,mlp_depth")
    found = [grid.of(name, {})[0] for name in split_names(experiments)]
    names = [each.experiment.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ArchbenchError(f"--experiment names {twice} twice, whose pages are files of one name")
    return found


def _check_one_ranking(records: Sequence[Record], models: Sequence[str]) -> None:
    """Who names networks one by one asks how they rank: raise ArchbenchError where that would have to mix settings."""
    from archbench.publish import errors, guard

    if not any(GLOB & set(name) for name in models):
        guard.one_ranking(errors.tested(records), models)


def _claiming(problems: list[str]) -> list[dict[str, Any]]:
    """What the zoo claims, beside what Records keep; where it cannot be read that is a problem, and no more."""
    from archbench.claiming import claiming

    try:
        return claiming()
    except ArchbenchError as error:
        problems.append(str(error))
        return []

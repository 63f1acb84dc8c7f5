"""`archbench tables`: tables from the Records of a results folder."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archbench.config import Settings, expanded, split_names
from archbench.errors import ArchbenchError, unknown

if TYPE_CHECKING:
    from archbench.experiments.definition import Grid
    from archbench.publish.pages import Page
    from archbench.publish.reading import Reading
    from archbench.records.schema import Record


PAGES_HELP = "results, errors, classes, claims, operators, lineage, latency, memory, roofline"
NAMES_HELP = f"{PAGES_HELP}; all; experiment  [default: results]"
GLOB = set("*?[")


class Format(StrEnum):
    """How a table is written."""

    terminal = "terminal"
    md = "md"
    csv = "csv"


def command(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help=NAMES_HELP)] = None,
    results: Annotated[Path, typer.Option("--results", help="Folder of the Records")] = Settings.results,
    models: Annotated[str, typer.Option("--models", help="Only these: names or globs as they stand in the table, with commas")] = "*",
    dataset: Annotated[str | None, typer.Option("--dataset", help="Only trainings on this data set, and profiles")] = None,
    mix: Annotated[
        bool,
        typer.Option("--mix", help="errors: rank what was trained under different settings together, each row with a footnote"),
    ] = False,
    experiment: Annotated[
        str | None, typer.Option("--experiment", help="experiment: a shipped one's name, or the path of your own .toml file")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How the tables are written")] = Format.terminal,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write NAME.md and NAME.csv to")] = None,
    json: Annotated[bool, typer.Option("--json", help="The rows as JSON on stdout; by name where several are asked for")] = False,
) -> None:
    """Make tables from Records: results, errors, classes, claims, operators, lineage, latency, memory, roofline."""
    from archbench.cli import view
    from archbench.publish.asked import is_asked
    from archbench.publish.pages import EXPERIMENT, experiment_page, page
    from archbench.publish.predictions import Kept
    from archbench.records.store import Store

    asked, results = _asked(names or ["results"]), expanded(results)
    _check_together(asked, experiment, mix, is_csv=form is Format.csv and out is None and not json)
    if not results.is_dir():
        raise ArchbenchError(f"there is no results folder {results}; archbench run makes one, --results looks elsewhere")
    stored, problems = Store(results).load()
    specs = _claiming(problems) if "claims" in asked else []
    wanted = split_names(models)
    _check_there(stored, wanted, results, specs)
    records = [record for record in stored if is_asked(record, wanted, dataset)]
    if "errors" in asked and not mix:
        _check_one_ranking(records, wanted)
    kept, specs, grid = Kept(results), [_with_asked_claims(spec, wanted, dataset) for spec in specs], _grid(experiment)

    def made(name: str) -> Page:
        return experiment_page(grid, records, kept) if name == EXPERIMENT and grid else page(name, records, kept, mix, specs)

    pages = [made(name) for name in asked]
    if out is not None:
        _write(pages, out)
    elif json:
        _print_rows(pages, records)
    else:
        _show(pages, form, f"{'of these ' if stored else ''}in {results} yet")
    view.report_problems([*problems, *kept.problems])


def _asked(names: Sequence[str]) -> list[str]:
    """The tables' names, each once. Raises ArchbenchError, with the near name, for one that is not known."""
    from archbench.publish.pages import EXPERIMENT, NAMES

    known = (*NAMES, EXPERIMENT, "all")
    for name in names:
        if name not in known:
            raise unknown("table", name, known)
    every = [*NAMES, *[EXPERIMENT] * (EXPERIMENT in names)]
    return every if "all" in names else list(dict.fromkeys(names))


def _check_together(asked: Sequence[str], experiment: str | None, mix: bool, is_csv: bool) -> None:
    """Raise ArchbenchError for options that the tables which are asked for have no use for."""
    if ("experiment" in asked) != (experiment is not None):
        raise ArchbenchError("the table experiment and --experiment NAME belong together: archbench tables experiment --experiment head")
    if mix and "errors" not in asked:
        raise ArchbenchError("--mix is for the table that ranks: archbench tables errors --mix")
    if is_csv and len(asked) > 1:
        raise ArchbenchError("--format csv shows one table at a time: name one, or write each to its own file with --out")


def _grid(experiment: str | None) -> Grid | None:
    """The experiment whose page is asked for."""
    from archbench import running

    return running.asked({"experiment": experiment}, ()).grid if experiment is not None else None


def _check_one_ranking(records: Sequence[Record], models: Sequence[str]) -> None:
    """Who names networks one by one asks how they rank: raise ArchbenchError where that would have to mix settings."""
    from archbench.publish import errors, guard

    if not any(GLOB & set(name) for name in models):
        guard.one_ranking(errors.tested(records), models)


def _write(pages: Sequence[Page], out: Path) -> None:
    """Two files a page; none for a page without tables."""
    from archbench.cli import view
    from archbench.records.store import write_atomically

    full, empty = ([each for each in pages if bool(each.tables) is filled] for filled in (True, False))
    texts = {f"{each.name}.{suffix}": text for each in full for suffix, text in (("md", each.markdown()), ("csv", each.csv()))}
    for name, text in texts.items():
        write_atomically(out / name, lambda file, text=text: file.write(text.encode()))  # type: ignore[misc]
    if texts:
        view.say(f"written: {', '.join(str(out / name) for name in texts)}")
    if empty:
        view.say(f"not written, since the Records hold nothing for them: {', '.join(each.name for each in empty)}")


def _print_rows(pages: Sequence[Page], records: Sequence[Record]) -> None:
    """The rows as JSON, by the page's name where there are several; those of the results as `archbench run` gives them."""
    from archbench.cli import view
    from archbench.publish.writing import rows

    found = {each.name: rows.of_results(records) if each.name == "results" else rows.of_frame(each.frame) for each in pages}
    view.print_json(found if len(found) > 1 else found[pages[0].name])


def _show(pages: Sequence[Page], form: Format, where: str) -> None:
    """On stdout; the reading, which pages share, once behind them, and what is said of several tables once."""
    from archbench.cli import view
    from archbench.publish.pages import said_once

    full, empty = said_once([each for each in pages if each.tables]), [each for each in pages if not each.tables]
    if form is Format.terminal:
        for each in full:
            view.print_tables(each.tables)
        view.print_readings([reading for n, each in enumerate(full) for reading in each.readings if not _said(reading, full[:n])])
    else:
        print("\n".join(each.markdown() if form is Format.md else each.csv() for each in full), end="")
    if empty:
        view.say(f"no finished {_missing(empty, named=len(pages) > 1)} {where}")


def _said(reading: Reading, pages: Sequence[Page]) -> bool:
    """Whether one of these pages has the same reading."""
    return any(reading in each.readings for each in pages)


def _missing(empty: Sequence[Page], named: bool) -> str:
    """`profile (operators, latency), lineage profile (lineage)`: what the pages are made from, and if `named` which pages they are."""
    pages: dict[str, list[str]] = {}
    for each in empty:
        pages.setdefault(each.made_from, []).append(each.name)
    return ", ".join(f"{what} ({', '.join(names)})" if named else what for what, names in pages.items())


def _claiming(problems: list[str]) -> list[dict[str, Any]]:
    """The specs of the zoo that hold claims, for those that no Record keeps; where it cannot be read that is a problem, and no more."""
    from archbench.claiming import claiming

    try:
        return claiming()
    except ArchbenchError as error:
        problems.append(str(error))
        return []


def _with_asked_claims(spec: dict[str, Any], models: Sequence[str], dataset: str | None) -> dict[str, Any]:
    """The spec with those of its claims that are of models that are asked for, and of the data set or one that it is named after."""
    from archbench.publish.claimed import is_named_after

    found = {name for pattern in models for name in fnmatch.filter(_names(spec), pattern)}
    asked = [claim for claim in spec["claims"] if found & {spec["name"], _label(spec, claim)}]
    return {**spec, "claims": [claim for claim in asked if dataset is None or is_named_after(dataset, claim["dataset"])]}


def _check_there(stored: Sequence[Record], models: Sequence[str], results: Path, specs: Sequence[dict[str, Any]]) -> None:
    """Raise ArchbenchError, with a near name, for a name or glob that no Record of a filled store goes by, nor a claim that is shown."""
    from archbench.publish.asked import names

    known = sorted({*names(stored), *(name for spec in specs for name in _names(spec))})
    for pattern in models if stored else ():
        if not fnmatch.filter(known, pattern):
            raise unknown(f"model in {results}:", pattern, known)


def _names(spec: dict[str, Any]) -> list[str]:
    """The names by which the claims of a network go."""
    return [spec["name"], *(_label(spec, claim) for claim in spec["claims"])]


def _label(spec: dict[str, Any], claim: dict[str, Any]) -> str:
    from archbench.publish.claimed import label_of

    return label_of(spec["name"], claim["knobs"])

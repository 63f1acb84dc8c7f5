"""What a notebook calls to lead from Records to their evidence, and the command line too: cite, verify, bundle and its import."""

from __future__ import annotations

import contextlib
import itertools
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archbench.config import Settings, expanded, split_names
from archbench.errors import ArchbenchError, unknown
from archbench.events import Listener, ignore
from archbench.records import tags
from archbench.records import where as filters
from archbench.records.located import Located, by_age, located, paths
from archbench.records.store import METADATA, Store

if TYPE_CHECKING:
    from archbench.bundling import Packed
    from archbench.records.merging import Merged
    from archbench.verifying import Check, Given


def cite(
    *named: str | Path,
    form: str = "text",
    results: str | Path = Settings.results,
    models: str | Iterable[str] = "*",
    dataset: str | None = None,
    condition: str = "",
) -> str:
    """How Records are cited: archbench, the papers concerned, a paragraph of methods, the command that makes them again, and their hashes.

    Each of `named` is the beginning of an id in the folder `results`, a Record's file, a results folder, or a page of `archbench tables`
    (`lineage`), which stands for the Records that it is made from; `models`, `dataset` and `condition` restrict a page as they do there.
    `form` is text, markdown, bibtex or ris. Raises ArchbenchError for what is none of these, and for a Record that cannot be read.
    """
    from archbench.publish.citing import citation, formats

    if form not in formats.FORMATS:
        raise unknown("format", form, formats.FORMATS)
    found = chosen([str(name) for name in named], expanded(Path(results)), models, dataset, condition)
    return formats.FORMATS[form](citation.cite(found))


def verify(
    *named: str | Path,
    results: str | Path = Settings.results,
    rerun: bool = False,
    dataset: str | None = None,
    data_dir: str | Path = Settings.data_dir,
    emit: Listener = ignore,
) -> list[Check]:
    """Recompute what Records tell and needs no training: checks of id, files, statistics and counts, each `ok`, `differs` or `cannot be
    checked`.

    Each of `named` is an id, a file, a results folder, whose tables are looked into too, or a bundle, packed or not, with all
    its files.
    With `rerun` each training or profile is made again in a temporary folder, and the check says whether it lies as near as chance allows
    (verifying/again.py has the rules); `dataset` is `NAME=imagefolder:DIR` where the Record's images are a folder's. Raises ArchbenchError
    where there is no such file.
    """
    return list(verified([str(name) for name in named], expanded(Path(results)), rerun, dataset, expanded(Path(data_dir)), emit))


def verified(named: Sequence[str], results: Path, rerun: bool, dataset: str | None, data_dir: Path, emit: Listener) -> Iterator[Check]:
    """The checks of `verify`, each as soon as it is made. Raises ArchbenchError, before any is made, where there is no such file."""
    from archbench import verifying

    with contextlib.ExitStack() as opened:
        places = [_opened(name, opened) for name in named]
        files = list(dict.fromkeys(path for name, place in zip(named, places, strict=True) for path in _paths(name, place, results)))
        folders = [folder for place in dict.fromkeys(places) if (folder := Path(place).expanduser()).is_dir()]
        of_records = (_checks_of(path, verifying.Given(dataset, data_dir) if rerun else None, emit) for path in files)
        of_folders = (verifying.checks_of_folder(folder.resolve()) for folder in folders)
        return _until_closed(itertools.chain.from_iterable(itertools.chain(of_records, of_folders)), opened.pop_all())


def _paths(name: str, place: str, results: Path) -> list[Path]:
    """The Records of a place, which what goes wrong calls by the name that it was given."""
    try:
        return paths(place, results)
    except ArchbenchError as error:
        raise ArchbenchError(str(error).replace(place, name)) from None


def _opened(name: str, opened: contextlib.ExitStack) -> str:
    """The folder that a packed bundle is unpacked to for as long as it is `opened`; any other name as it is."""
    path = expanded(Path(name))
    if not path.is_file() or (path.suffix != ".zip" and not zipfile.is_zipfile(path)):
        return name
    from archbench.bundling import unpacked_from

    return str(opened.enter_context(unpacked_from(path)))


def _until_closed(found: Iterator[Check], opened: contextlib.ExitStack) -> Iterator[Check]:
    with opened:
        yield from found


def _checks_of(path: Path, again: Given | None, emit: Listener) -> Iterator[Check]:
    from archbench import verifying

    found = []
    for each in verifying.checks(path):
        found.append(each)
        yield each
    if again is not None and found[0].status == verifying.OK:
        yield from verifying.made_again(Located.read(path), again, emit)


def bundle(
    *named: str | Path,
    out: str | Path,
    results: str | Path = Settings.results,
    where: str | None = None,
    models: str | Iterable[str] = "*",
    dataset: str | None = None,
    condition: str = "",
    licence: str | None = None,
) -> Packed:
    """Pack Records with their predictions, tables, figures and methods into one archive `out`, an RO-Crate.

    The same Records give the same bytes, with the same matplotlib, which draws the figures.

    `named` are Records and tables as `cite` takes them, restricted by `models`, `dataset` and `condition`, or `where` is an expression as
    in `archbench.load`; `licence` is what they are licensed under, a name or a web address. Raises ArchbenchError as `cite` does, and where
    the archive cannot be written or something else is in its place.
    """
    from archbench.bundling import pack
    from archbench.publish.writing import place

    folder, path = expanded(Path(results)), expanded(Path(out))
    if (where is None) == (not named):
        raise ArchbenchError("name the Records to bundle, or say with --where which, and not both")
    if where is not None and (models != "*" or dataset is not None or condition):
        raise ArchbenchError(
            "--models, --dataset and --condition restrict a table, which is named; with --where they are part of the expression"
        )
    place.check(path, METADATA.encode(), "bundle")
    found = chosen([str(name) for name in named], folder, models, dataset, condition) if where is None else _matching(folder, where)
    return pack(found, path, licence)


def import_bundle(file: str | Path, *, results: str | Path = Settings.results) -> Merged:
    """Take the Records of a bundle, and the files beside them, into a results folder, by the rules of `archbench merge`.

    Raises ArchbenchError, and writes nothing, for an archive that is damaged, altered or too large, or whose names lead out of it.
    """
    from archbench.bundling import take

    return take(expanded(Path(file)), expanded(Path(results)))


def _matching(results: Path, where: str) -> list[Located]:
    """The Records of a folder that an expression is true of. Raises ArchbenchError where it cannot be read."""
    matches, marks = filters.parse(where), tags.load(Store(results))
    return [each for each in located(str(results), results) if matches(each.record, marks)]


def chosen(
    named: Sequence[str], results: Path, models: str | Iterable[str] = "*", dataset: str | None = None, condition: str = ""
) -> list[Located]:
    """The Records behind names as `cite` takes them, each once, oldest first. Raises ArchbenchError as it does."""
    from archbench.publish.pages import NAMES

    if not named:
        raise ArchbenchError("no Record is named: an id, a file, a results folder, or a table as results or lineage")
    pages = [name for name in named if name in NAMES]
    for name in pages:
        if results == Settings.results and (Path(name) / "runs").is_dir():  # nothing says which of them is meant
            raise ArchbenchError(f"{name} is a table and a folder here: {name}/ is the folder, --results {name} the table made from it")
    patterns = split_names(models) if isinstance(models, str) else tuple(models)
    if not pages and (patterns != ("*",) or dataset is not None or condition):
        raise ArchbenchError(f"--models, --dataset and --condition restrict a table ({', '.join(NAMES)}), and none is named")
    found = [each for name in named if name not in NAMES for each in located(name, results)]
    if pages:
        found += _behind(pages, results, patterns, dataset, split_names(condition))
    return by_age({each.record.id: each for each in found}.values())


def _behind(pages: Sequence[str], results: Path, models: Sequence[str], dataset: str | None, condition: Sequence[str]) -> list[Located]:
    """The Records that these pages, or those of their tables whose captions hold the phrases of a condition, are made from."""
    from archbench.publish.citing import of_tables
    from archbench.publish.predictions import Kept

    stored = located(str(results), Store.of(results).root)
    records = of_tables.asked([each.record for each in stored], models, dataset)
    wanted = {identity for name in pages for identity in of_tables.ids(name, records, Kept(results), condition)}
    return [each for each in stored if each.record.id in wanted]

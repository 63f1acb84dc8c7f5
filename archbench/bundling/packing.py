"""Packs Records with what belongs to them. Unpacked, a bundle is a results folder; the same Records give the same bytes on any machine with
the same matplotlib, which draws the figures.

Nothing is compressed: how far a file shrinks depends on the version of zlib, and predictions are compressed already.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from archbench.bundling import crate
from archbench.errors import ArchbenchError
from archbench.publish import pages
from archbench.publish.citing import citation, formats
from archbench.publish.citing.citation import Citation
from archbench.publish.figures import files, gallery
from archbench.publish.figures.look import Look
from archbench.publish.predictions import FILE, Kept
from archbench.publish.scored import FILE as SCORES
from archbench.records.located import Located
from archbench.records.merging import check_places, is_whole
from archbench.records.store import METADATA, TABLES, plain_name, write_atomically

EPOCH, MODE = (1980, 1, 1, 0, 0, 0), 0o100644  # the time that a zip file can begin with; a regular file that all may read
README, METHODS, REFERENCES = "README.md", "methods.md", "references.bib"
CHUNK = 2**20


@dataclass(frozen=True)
class Content:
    """A file of the bundle: text that was made for it, or a copy of a file; `of` is the id of its Record."""

    path: str
    description: str
    source: Path | bytes
    of: str = ""

    def part(self) -> crate.Part:
        """As the metadata tells of it."""
        if isinstance(self.source, bytes):
            return crate.Part(self.path, len(self.source), hashlib.sha256(self.source).hexdigest(), self.description, self.of)
        with self.source.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return crate.Part(self.path, self.source.stat().st_size, found, self.description, self.of)


@dataclass(frozen=True)
class Packed:
    """How many Records and files of predictions a bundle holds, which tables and figures, and what was left out, a line each."""

    records: int
    predictions: int
    tables: tuple[str, ...]
    figures: tuple[str, ...]
    problems: tuple[str, ...]


def pack(found: Sequence[Located], out: Path, licence: str | None = None) -> Packed:
    """Write a bundle of Records, which are at least one. `licence` is what they are licensed under: a name or a web address.

    A file of predictions that is not what its Record says is left out and named. Raises ArchbenchError for a Record that names files
    elsewhere than a store keeps them, and where the bundle cannot be written.
    """
    if not found:
        raise ArchbenchError("there are no such Records to bundle")
    if len({each.root for each in found}) > 1:
        raise ArchbenchError("a bundle is of the Records of one results folder; archbench merge joins several")
    for each in found:
        check_places(each.record)
    problems: list[str] = []
    cited = citation.cite(found)
    predictions = list(_predictions(found, problems))
    tables, figures = list(_tables(found)), list(_figures(found))
    made = list({each.path: each for each in (*_records(found), *predictions, *tables, *figures, *_texts(cited))}.values())
    made.append(Content(README, "What this bundle is", _readme(found, made, licence).encode()))
    made.sort(key=lambda each: each.path)
    whole = crate.metadata([each.part() for each in made], [each.record for each in found], cited, licence)
    _write(out, [Content(METADATA, "", whole.encode()), *made])
    return Packed(len(found), len(predictions), _named(tables), _named(figures), tuple(problems))


def _named(contents: Sequence[Content]) -> tuple[str, ...]:
    """What these are called, each once whatever formats there are."""
    return tuple(dict.fromkeys(Path(each.path).stem for each in contents))


def _records(found: Sequence[Located]) -> Iterator[Content]:
    """Byte for byte as they lie in the store, by the name that their id has there."""
    for each in found:
        record = each.record
        path = f"runs/{plain_name(record.model.label)}-{record.kind}-{record.id}.json"
        yield Content(path, f"Record {record.id}: {citation.described(record)}", each.path.read_bytes(), record.id)


_ABOUT = {FILE: "network", SCORES: "scores of the maps"}


def _predictions(found: Sequence[Located], problems: list[str]) -> Iterator[Content]:
    """Those that lie beside the Records and are what these say; weights are left out, which are large and no evidence of an error."""
    for each in found:
        for file in each.record.files:
            place, what = each.root / file.path, _ABOUT.get(file.path.rpartition("/")[2])
            if what is None or not place.is_file():
                continue
            if is_whole(file, place):
                yield Content(file.path, f"What the {what} of Record {each.record.id} said of each test image", place, each.record.id)
            else:
                problems.append(f"{place} is left out: it was changed after it was written, its hash is not its Record's")


def _tables(found: Sequence[Located]) -> Iterator[Content]:
    """Each page that these Records fill, as Markdown and as CSV; published errors that have no Record here are no table of theirs."""
    records, kept = [each.record for each in found], Kept(found[0].root)
    for name in pages.NAMES:
        page = pages.page(name, records, kept, mix=True)
        if page.tables:
            yield Content(f"{TABLES}/{name}.md", f"The table {name}", page.markdown().encode())
            yield Content(f"{TABLES}/{name}.csv", f"The rows of the table {name}", page.csv().encode())


def _figures(found: Sequence[Located]) -> Iterator[Content]:
    """Each figure of which these Records give something, as it goes into a paper."""
    records, look = [each.record for each in found], Look.of("paper", 2)
    for figure in gallery.NAMES:
        for picture in gallery.pictures(figure, records):
            for name, content in files.contents(picture, look, ("pdf",)):
                yield Content(f"figures/{name}", f"The figure {figure}: {picture.condition}", content)


def _texts(cited: Citation) -> Iterator[Content]:
    yield Content(METHODS, "Citations, methods, and the commands that make the Records again", formats.markdown(cited).encode())
    yield Content(REFERENCES, "BibTeX entries for archbench, these Records, and the papers concerned", formats.bibtex(cited).encode())


def _readme(found: Sequence[Located], made: Sequence[Content], licence: str | None) -> str:
    """For whoever opens the archive."""
    listed = "\n".join(f"- `{each.path}`: {formats.in_markdown(each.description)}" for each in sorted(made, key=lambda each: each.path))
    said = f"Licence: {formats.in_markdown(licence)}." if licence else crate.UNSTATED
    return (
        f"# {len(found)} Record{'s' * (len(found) != 1)} of archbench\n\n"
        "Each file in `runs/` is the Record of one run: its settings, environment, measurements and raw samples. Its id is the beginning\n"
        "of the SHA-256 of what it holds, and it names the hash of each file beside it. `methods.md` says how the figures came about\n"
        f"and how they are made again. This folder is an RO-Crate 1.1 (`{METADATA}`) and, unpacked, a results folder of\n"
        "archbench:\n\n"
        "```sh\narchbench verify FOLDER\narchbench tables all --results FOLDER\narchbench import FILE.zip --results OTHER\n```\n\n"
        f"{said}\n\n{listed}\n"
    )


def _write(out: Path, contents: Sequence[Content]) -> None:
    """The archive, whole or not at all."""

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for each in contents:
                entry = zipfile.ZipInfo(each.path, EPOCH)
                entry.create_system, entry.external_attr = 3, MODE << 16
                if isinstance(each.source, bytes):
                    archive.writestr(entry, each.source)
                else:
                    entry.file_size = each.source.stat().st_size
                    with each.source.open("rb") as source, archive.open(entry, "w") as target:
                        shutil.copyfileobj(source, target, CHUNK)

    write_atomically(out, write)

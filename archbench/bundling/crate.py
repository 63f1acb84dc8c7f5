"""The metadata of a bundle as RO-Crate 1.1 wants it, JSON-LD in one flat graph: https://www.researchobject.org/ro-crate/specification/1.1/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from archbench.publish.citing.bibtex import Entry
from archbench.publish.citing.citation import Citation, described
from archbench.publish.citing.latex import one_line
from archbench.records.schema import Record
from archbench.records.store import METADATA

PROFILE = "https://w3id.org/ro/crate/1.1"
CONTEXT = [f"{PROFILE}/context", {"sha256": "https://schema.org/sha256"}]  # the one word that the profile's lacks
ARCHBENCH, LICENCE, MACHINE, AUTHOR = "#archbench", "#licence", "#machine-", "#author-"
FORMATS = {
    ".json": "application/json",
    ".npz": "application/zip",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".pdf": "application/pdf",
    ".bib": "application/x-bibtex",
}
UNSTATED = "No licence is stated. The bundle was packed without one: ask those who made the Records."


@dataclass(frozen=True)
class Part:
    """A file of the bundle as the metadata tells of it; `of` is the id of the Record that it is or belongs to."""

    path: str
    bytes: int
    sha256: str
    description: str
    of: str = ""


def metadata(parts: Sequence[Part], records: Sequence[Record], citation: Citation, licence: str | None) -> str:
    """The whole file, the same for the same parts."""
    cited = [entry for entry in citation.entries if entry.key not in (citation.software.key, citation.records.key)]
    papers = list({paper["@id"]: paper for paper in map(_paper, cited)}.values())
    graph = [
        {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": PROFILE}},
        _root(parts, records, papers, licence),
        *map(_file, parts),
        _software(citation.software),
        _licence(licence),
        *_machines(records),
        *(_action(record, parts) for record in records),
        *papers,
        *_authors([citation.software, *cited]),
    ]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


def _root(parts: Sequence[Part], records: Sequence[Record], papers: Sequence[Mapping[str, Any]], licence: str | None) -> dict[str, Any]:
    number = f"{len(records)} Record{'s' * (len(records) != 1)}"
    models = ", ".join(dict.fromkeys(one_line(record.model.label) for record in records))
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{number} of archbench",
        "description": f"Evidence of measurements of {models}: Records, predictions where they were kept, tables, figures, methods.",
        "datePublished": max(record.created for record in records)[: len("2026-01-01")],
        "license": {"@id": _licence(licence)["@id"]},
        "hasPart": [{"@id": _id(part.path)} for part in parts],
        "mentions": [{"@id": f"#run-{record.id}"} for record in records],
        "citation": [{"@id": paper["@id"]} for paper in papers],
    }


def _file(part: Part) -> dict[str, Any]:
    suffix = part.path[part.path.rfind(".") :]
    return {
        "@id": _id(part.path),
        "@type": "File",
        "name": part.path.rpartition("/")[2],
        "description": one_line(part.description),
        "encodingFormat": FORMATS.get(suffix, "text/plain"),
        "contentSize": str(part.bytes),
        "sha256": part.sha256,
        **({"identifier": part.of} if part.of else {}),
    }


def _software(entry: Entry) -> dict[str, Any]:
    return {
        "@id": ARCHBENCH,
        "@type": "SoftwareApplication",
        "name": entry.text("title"),
        "version": entry.text("version"),
        "author": _by(entry),
    }


def _licence(licence: str | None) -> dict[str, Any]:
    """What the licence is called; a web address is its own identifier."""
    if licence is None:
        return {"@id": LICENCE, "@type": "CreativeWork", "name": "No licence stated", "description": UNSTATED}
    identifier = licence if licence.startswith(("https://", "http://")) else LICENCE
    return {"@id": identifier, "@type": "CreativeWork", "name": licence, "description": f"The Records are licensed under {licence}."}


def _machines(records: Iterable[Record]) -> list[dict[str, Any]]:
    """What the runs ran on."""
    found = dict.fromkeys(_machine_name(record) for record in records)
    return [{"@id": MACHINE + quote(name, safe=""), "@type": "IndividualProduct", "name": name} for name in found]


def _machine_name(record: Record) -> str:
    return one_line(str(record.environment["device"]["name"]))


def _action(record: Record, parts: Sequence[Part]) -> dict[str, Any]:
    """One run: archbench is what it was done with, the Record and its files what came of it."""
    return {
        "@id": f"#run-{record.id}",
        "@type": "CreateAction",
        "name": one_line(described(record)),
        "endTime": record.created,
        "instrument": [{"@id": ARCHBENCH}, {"@id": MACHINE + quote(_machine_name(record), safe="")}],
        "result": [{"@id": _id(part.path)} for part in parts if part.of == record.id],
        "actionStatus": {"@id": f"http://schema.org/{'CompletedActionStatus' if record.status == 'ok' else 'FailedActionStatus'}"},
    }


def _paper(entry: Entry) -> dict[str, Any]:
    """A paper under its DOI or its number at arXiv, where it has one."""
    address = f"https://doi.org/{entry.text('doi')}" if "doi" in entry.fields else ""
    address = address or (f"https://arxiv.org/abs/{entry.text('eprint')}" if "eprint" in entry.fields else f"#{quote(entry.key)}")
    return {
        "@id": address,
        "@type": "ScholarlyArticle",
        "name": entry.text("title"),
        **({"author": _by(entry)} if entry.authors else {}),
        **({"datePublished": year} if (year := entry.text("year")) else {}),
    }


def _by(entry: Entry) -> list[dict[str, str]]:
    """Who wrote it, as references."""
    return [{"@id": AUTHOR + quote(name, safe="")} for name in entry.authors]


def _authors(entries: Iterable[Entry]) -> list[dict[str, str]]:
    """Each author once."""
    found = {name: "Organization" if name in entry.organizations else "Person" for entry in entries for name in entry.authors}
    return [{"@id": AUTHOR + quote(name, safe=""), "@type": kind, "name": name} for name, kind in found.items()]


def _id(path: str) -> str:
    """A path as the identifier of a file: relative to the bundle, what a URI cannot hold encoded."""
    return quote(path)

"""All that a text owes its readers about some Records: entries, methods, commands, and the hashes that lead back to the evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from archbench.errors import ArchbenchError
from archbench.publish.captioning import is_benchmark
from archbench.publish.citing import bibtex, methods, references, software
from archbench.publish.citing.bibtex import Entry
from archbench.records.located import Located
from archbench.records.schema import Record
from archbench.remaking import Remake, joined, remake

LONGEST_NOTE = 60_000  # signs in an entry
SHOWN = 12  # digits of a hash over several Records, as of a Record's id


@dataclass(frozen=True)
class Evidence:
    """One Record as a citation names it."""

    id: str
    sha256: str
    what: str


@dataclass(frozen=True)
class Citation:
    """What is cited: archbench, the Records, the papers; how the figures came about, and how they are made again.

    `unmade` says of each Record that no command makes again why.
    """

    software: Entry
    records: Entry
    papers: tuple[Entry, ...]
    evidence: tuple[Evidence, ...]
    methods: tuple[str, ...]
    commands: tuple[Remake, ...]
    unmade: tuple[str, ...]

    @property
    def entries(self) -> list[Entry]:
        """All of them, each work once, no two under one key."""
        return bibtex.numbered([self.software, self.records, *self.papers])


def cite(found: Sequence[Located]) -> Citation:
    """The citation of Records, at least one. Raises ArchbenchError where archbench's own citation is not there."""
    made, unmade = [], []
    for each in found:
        try:
            made.append(remake(each.record))
        except ArchbenchError as error:
            unmade.append(str(error))
    records = [each.record for each in found]
    evidence = tuple(Evidence(each.record.id, each.sha256, described(each.record)) for each in found)
    paragraphs, commands = tuple(methods.paragraphs(records)), tuple(joined(made))
    return Citation(
        software=software.entry(),
        records=_entry(records, evidence, paragraphs, commands),
        papers=tuple(references.papers(records)),
        evidence=evidence,
        methods=paragraphs,
        commands=commands,
        unmade=tuple(dict.fromkeys(unmade)),
    )


HASH = "SHA-256 of what it holds beside the id"  # as `archbench verify` computes it; that of the file is another


def described(record: Record) -> str:
    """`nin, trained on digits, seed 4`: a Record in a few words."""
    if is_benchmark(record):
        return f"{record.model.label}, timed by {(record.config.get('tool') or {}).get('name', 'pytest-benchmark')}"
    done = {"train": "trained", "profile": "profiled", "imported": "published weights", "evaluated": "kept weights tested"}
    done["explain"] = f"maps by {(record.config.get('explain') or {}).get('method')} scored"
    data, seed = record.config.get("data"), record.config.get("seed")
    on = f" on {data.get('name')}" if isinstance(data, dict) else ""
    of = f", seed {seed}" if record.kind == "train" else ""
    ended = "" if record.status == "ok" else f" ({record.status.replace('_', ' ')})"
    return f"{record.model.label}, {done[record.kind]}{on}{of}{ended}"


def _entry(records: Sequence[Record], evidence: Sequence[Evidence], paragraphs: Sequence[str], commands: Sequence[Remake]) -> Entry:
    """The Records as a work of their own, with all that leads back to them; styles of BibTeX print no `annote` unless they are asked to."""
    if len(evidence) == 1:
        name, title = evidence[0].id, f"archbench Record {evidence[0].id}: {evidence[0].what}"
        note = f"{HASH} {evidence[0].sha256}"
    else:
        whole = hashlib.sha256("\n".join(sorted(each.sha256 for each in evidence)).encode()).hexdigest()
        name, title = whole[:SHOWN], f"{len(evidence)} Records of archbench"
        note = f"SHA-256 over the sorted SHA-256 of each {whole}"
    entry = Entry.of_text(
        "misc",
        f"archbench-{name}",
        title=title,
        howpublished="Records of measurements",
        year=newest if (newest := max(record.created for record in records)[:4]).isdecimal() else "",
        note=note,
        annote=_annotation(evidence, [*paragraphs, *map(_again, commands)]),
    )
    return entry.beside({"key": "archbench Records"})  # by which BibTeX sorts what has no author


def _annotation(evidence: Sequence[Evidence], said: Sequence[str]) -> str:
    """Methods, commands and the hash of each of several Records; of what would be pages, where they are."""
    hashes = f"Records, each with the {HASH}: {'; '.join(f'{each.id} {each.sha256}' for each in evidence)}."
    whole = " ".join([*said, *[hashes] * (len(evidence) > 1)])
    return whole if len(whole) <= LONGEST_NOTE else f"Methods, commands and hashes of these {len(evidence):,} Records: --format text."


def _again(made: Remake) -> str:
    """How some of the Records are made again, on one line."""
    recipe = [f"{made.settings.recipe}: {'; '.join(made.recipe.splitlines())}"] if made.recipe else []
    return f"Made again by: {'; '.join([made.line, *made.said, *recipe])}."

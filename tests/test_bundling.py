"""A bundle is the same bytes for the same Records, an RO-Crate, and comes whole into another store or not at all."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from conftest import Answer, make_record, make_tested

import archbench
from archbench.bundling import taking
from archbench.errors import ArchbenchError
from archbench.publish.figures import files
from archbench.records.schema import StoredFile
from archbench.records.store import Store

LABELS = np.arange(20) % 10
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
Graph = dict[str, dict[str, Any]]


def filled(root: Path) -> Store:
    """Two trainings with predictions, one without, beside a file that belongs to nobody."""
    found = Store(root)
    for record in [*make_tested(root, "nin", np.zeros((2, 20), bool), LABELS), make_record("vgg")]:
        found.save(record)
    found.write_file(Path("files/other/weights.pt"), lambda file: file.write(b"x"))
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Such a store in the test's own folder."""
    return filled(tmp_path / "store")


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundle of such a store, packed once."""
    folder = tmp_path_factory.mktemp("packed")
    archbench.bundle(filled(folder / "store").root, out=folder / "b.zip", licence=LICENCE)
    return (folder / "b.zip").read_bytes()


@pytest.fixture
def packed(content: bytes, tmp_path: Path) -> Path:
    """That bundle in the test's own folder."""
    (tmp_path / "b.zip").write_bytes(content)
    return tmp_path / "b.zip"


def repacked(path: Path, out: Path, change: dict[str, bytes | None], more: Iterable[tuple[zipfile.ZipInfo, bytes]] = ()) -> Path:
    """The archive with other content under some names, None leaving them out, and with further entries."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            content = change.get(entry.filename, old.read(entry))
            if content is not None:
                new.writestr(entry, content)
        for entry, content in more:
            new.writestr(entry, content)
    return out


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


# what is packed


def test_a_bundle_holds_records_predictions_tables_and_texts(store: Store, packed: Path) -> None:
    """Byte for byte, and nothing that no Record names."""
    with zipfile.ZipFile(packed) as archive:
        for path in [*store.runs.iterdir(), *(store.root / "files").glob("nin*/*")]:
            assert archive.read(path.relative_to(store.root).as_posix()) == path.read_bytes()
        assert not [name for name in archive.namelist() if "other" in name]
        assert {"ro-crate-metadata.json", "README.md", "methods.md", "references.bib", "tables/results.md"} <= set(archive.namelist())
        assert archive.testzip() is None


def test_the_same_records_give_the_same_bytes(store: Store, packed: Path, tmp_path: Path) -> None:
    """Named one by one in another order, from a copy whose files have other times."""
    ids = sorted((record.id for record in store.load()[0]), reverse=True)
    archbench.import_bundle(packed, results=tmp_path / "copy")
    archbench.bundle(*ids, out=tmp_path / "c.zip", results=tmp_path / "copy", licence=LICENCE)
    assert (tmp_path / "c.zip").read_bytes() == packed.read_bytes()
    with zipfile.ZipFile(packed) as archive:
        assert {(entry.date_time, entry.compress_type, entry.create_system) for entry in archive.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), 0, 3)
        }


def test_records_are_chosen_by_an_expression(store: Store, tmp_path: Path) -> None:
    found = archbench.bundle(out=tmp_path / "b.zip", results=store.root, where="model=vgg")
    assert (found.records, found.predictions) == (1, 0)
    assert "results" in found.tables
    assert found.figures == ()  # without counts, time or curves


def test_a_bundle_holds_the_figures_that_its_records_give(tmp_path: Path, in_process: Callable[..., Answer]) -> None:
    """The same bytes twice, with the data in them, and a part of the metadata."""
    Store(tmp_path / "store").save(make_record(samples={"curves": {"loss": [2.0, 1.0]}}))
    for name in ("a.zip", "b.zip"):
        answer = in_process("bundle", "store", "--out", name)
        assert answer.stderr.endswith("figures: curves-digits-modern-8ep\n")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extract("figures/curves-digits-modern-8ep.pdf", tmp_path)
        parts = {part["@id"]: part for part in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}
    assert parts["figures/curves-digits-modern-8ep.pdf"]["encodingFormat"] == "application/pdf"
    stored = files.data_of(tmp_path / "figures/curves-digits-modern-8ep.pdf")
    assert stored is not None
    assert stored["figure"] == "curves"


def test_a_bundle_takes_the_place_of_one_before(packed: Path, store: Store) -> None:
    archbench.bundle(out=packed, results=store.root, where="model=vgg")
    assert len([name for name in names(packed) if name.startswith("runs/")]) == 1


def test_predictions_that_were_changed_are_left_out_and_named(store: Store, tmp_path: Path) -> None:
    place = store.root / "files/nin-0/predictions.npz"
    place.write_bytes(place.read_bytes() + b"x")
    found = archbench.bundle(store.root, out=tmp_path / "b.zip")
    assert found.predictions == 1
    assert found.problems == (f"{place} is left out: it was changed after it was written, its hash is not its Record's",)


def test_an_entry_that_unpacks_under_another_name_is_refused(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later Pythons take `filename` from a field beside the name that the archive lists."""
    listed = zipfile.ZipFile.infolist

    def renamed(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        entries = listed(archive)
        entries[-1].filename = "files/../../evil"
        return entries

    monkeypatch.setattr(zipfile.ZipFile, "infolist", renamed)
    refused(packed, tmp_path / "elsewhere", r"is no bundle: 'files/\.\./\.\./evil' has another name beside; nothing is taken$")


def test_a_record_that_names_a_file_elsewhere_is_not_packed(store: Store, tmp_path: Path) -> None:
    file = StoredFile(path="../secret/predictions.npz", bytes=1, sha256="0" * 64)
    record = make_record("bad", files=(file,))
    store.save(record)
    with pytest.raises(ArchbenchError, match="names a file outside the folder files"):
        archbench.bundle(record.id, out=tmp_path / "b.zip", results=store.root)
    assert not (tmp_path / "b.zip").exists()


# RO-Crate 1.1


def graph_of(path: Path) -> Graph:
    with zipfile.ZipFile(path) as archive:
        whole = json.loads(archive.read("ro-crate-metadata.json"))
    assert whole["@context"] == ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
    assert set(whole) == {"@context", "@graph"}
    graph = {entity["@id"]: entity for entity in whole["@graph"]}
    assert len(graph) == len(whole["@graph"]), "an identifier names two entities"
    return graph


def references(value: Any) -> set[str]:
    """All that an entity refers to by `@id`; nested entities are not flat JSON-LD."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if isinstance(value, dict):
        assert set(value) == {"@id"}, value
        return {value["@id"]}
    assert isinstance(value, str)
    return set()


def test_the_metadata_are_what_the_specification_of_ro_crate_wants(store: Store, packed: Path) -> None:
    """https://www.researchobject.org/ro-crate/specification/1.1/: metadata descriptor, root data entity, data entities, flat graph."""
    graph = graph_of(packed)
    descriptor, root = graph["ro-crate-metadata.json"], graph["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert (descriptor["about"], descriptor["conformsTo"]) == ({"@id": "./"}, {"@id": "https://w3id.org/ro/crate/1.1"})
    assert root["@type"] == "Dataset"
    assert root["name"]
    assert root["description"]
    assert date.fromisoformat(root["datePublished"]) == date(2026, 1, 1)  # of the newest Record
    assert graph[root["license"]["@id"]]["@id"] == LICENCE
    files = {unquote(part["@id"]) for part in root["hasPart"]}
    assert files == set(names(packed)) - {"ro-crate-metadata.json"}
    with zipfile.ZipFile(packed) as archive:
        for name in files:
            entity, content = graph[name], archive.read(name)
            assert entity["@type"] == "File"
            assert (int(entity["contentSize"]), entity["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
            assert entity["encodingFormat"].count("/") == 1
    outside = {"https://w3id.org/ro/crate/1.1", "http://schema.org/CompletedActionStatus"}
    for entity in graph.values():
        assert {"@id", "@type"} <= set(entity)
        assert references([value for key, value in entity.items() if not key.startswith("@")]) <= set(graph) | outside


def test_a_run_of_the_metadata_leads_to_its_record_and_its_predictions(store: Store, packed: Path) -> None:
    graph = graph_of(packed)
    record = next(each for each in store.load()[0] if each.model.label == "nin")
    run = graph[f"#run-{record.id}"]
    assert run["@type"] == "CreateAction"
    assert {each["@id"] for each in run["result"]} == {f"runs/nin-train-{record.id}.json", record.files[0].path}
    assert {each["@id"] for each in run["instrument"]} == {"#archbench", "#machine-a%20processor"}
    assert graph["#archbench"]["version"] == archbench.__version__


def test_authors_of_the_metadata_are_entities_and_nothing_is_empty(packed: Path) -> None:
    graph = graph_of(packed)
    digits = next(each for each in graph.values() if "Alpaydin" in str(each.get("author")))
    assert {graph[each["@id"]]["@type"] for each in digits["author"]} == {"Person"}
    (team,) = graph["#archbench"]["author"]
    assert graph[team["@id"]] == {**team, "@type": "Organization", "name": "The archbench authors"}
    assert not [entity for entity in graph.values() if "" in entity.values() or [] in entity.values()]


def test_without_a_licence_that_is_said(store: Store, tmp_path: Path) -> None:
    archbench.bundle(store.root, out=tmp_path / "b.zip")
    assert graph_of(tmp_path / "b.zip")["#licence"]["name"] == "No licence stated"


# what is taken


def test_a_bundle_comes_into_another_store_and_again_changes_nothing(store: Store, packed: Path, tmp_path: Path) -> None:
    merged = archbench.import_bundle(packed, results=tmp_path / "new")
    assert (merged.added, merged.there, merged.files, merged.problems) == (3, 0, 2, ())
    for path in [*store.runs.iterdir(), *(store.root / "files").glob("nin*/*")]:
        assert (tmp_path / "new" / path.relative_to(store.root)).read_bytes() == path.read_bytes()
    assert not (tmp_path / "new" / "tables").exists()
    again = archbench.import_bundle(packed, results=tmp_path / "new")
    assert (again.added, again.there, again.files) == (0, 3, 0)


def test_where_a_bundle_cannot_go_is_said_by_the_option_of_import(packed: Path, tmp_path: Path) -> None:
    into = tmp_path / "file"
    into.touch()
    with pytest.raises(ArchbenchError, match=f"^--results {into} is not a folder$"):
        archbench.import_bundle(packed, results=into)


def refused(path: Path, into: Path, message: str) -> None:
    with pytest.raises(ArchbenchError, match=message) as caught:
        archbench.import_bundle(path, results=into)
    assert str(path) in str(caught.value)
    assert not into.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../evil.json", "leads out of the archive"),
        ("runs/../../evil.json", "leads out of the archive"),
        ("/etc/evil.json", "is no plain name"),
        ("runs\\..\\evil.json", "is no plain name"),
        ("C:/evil.json", "is no plain name"),
        ("runs//evil.json", "leads out of the archive"),
        ("runs/./evil.json", "leads out of the archive"),
        ("tables/\x1b[31m.md", "is no plain name"),
        ("runs/evil.json", "is not JSON"),
        ("runs/deep/evil.json", "is not a file"),
        ("files/nobody/predictions.npz", "no Record of it names files/nobody/predictions.npz"),
        ("RUNS/../runs/evil.json", "leads out of the archive"),
        ("README.MD", "holds 'README.MD' twice"),
    ],
)
def test_names_that_lead_out_and_files_that_nobody_names_are_refused(name: str, message: str, packed: Path, tmp_path: Path) -> None:
    out = repacked(packed, tmp_path / "x.zip", {}, [(zipfile.ZipInfo(name), b"x")])
    refused(out, tmp_path / "new", message)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind: int, packed: Path, tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("files/link")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    refused(repacked(packed, tmp_path / "x.zip", {}, [(entry, b"/etc/passwd")]), tmp_path / "new", "is a link or no regular file")


def test_an_unusual_compression_is_refused(packed: Path, tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("files/x")
    entry.compress_type = zipfile.ZIP_BZIP2
    refused(repacked(packed, tmp_path / "x.zip", {}, [(entry, b"x")]), tmp_path / "new", "compressed in an unusual way")


def test_a_record_that_was_changed_is_refused(store: Store, packed: Path, tmp_path: Path) -> None:
    path = next(store.runs.glob("vgg*"))
    changed = path.read_bytes().replace(b"1437", b"1438")
    refused(repacked(packed, tmp_path / "x.zip", {f"runs/{path.name}": changed}), tmp_path / "new", "was changed after it was written")


def test_predictions_that_were_changed_are_refused(packed: Path, tmp_path: Path) -> None:
    out = repacked(packed, tmp_path / "x.zip", {"files/nin-0/predictions.npz": b"x"})
    refused(out, tmp_path / "new", r"files/nin-0/predictions\.npz is not the file that its Record names")


def test_a_bundle_without_some_predictions_is_taken(packed: Path, tmp_path: Path) -> None:
    out = repacked(packed, tmp_path / "x.zip", {"files/nin-0/predictions.npz": None})
    assert archbench.import_bundle(out, results=tmp_path / "new").files == 1


def test_a_bundle_without_records_is_refused(packed: Path, tmp_path: Path) -> None:
    out = repacked(packed, tmp_path / "x.zip", {name: None for name in names(packed) if name.startswith(("runs", "files"))})
    refused(out, tmp_path / "new", "it holds no Records")


def test_too_much_is_refused_before_it_is_unpacked(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million zeros, packed into a thousand bytes; and more entries than may be."""
    bomb = zipfile.ZipInfo("tables/zeros")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    out = repacked(packed, tmp_path / "x.zip", {}, [(bomb, bytes(1_000_000))])
    monkeypatch.setattr(taking, "MOST_BYTES", 900_000)
    refused(out, tmp_path / "new", "GiB are the most; nothing is taken")
    monkeypatch.undo()
    monkeypatch.setattr(taking, "MOST_FILES", 3)
    refused(packed, tmp_path / "new", "3 files and .* are the most")
    monkeypatch.undo()
    monkeypatch.setattr(taking, "MOST_RECORD_BYTES", 100)
    refused(packed, tmp_path / "new", "is larger than any Record")


def test_a_size_that_lies_is_found(packed: Path, tmp_path: Path) -> None:
    """The headers say that a file has one byte; what is read is that much, and its checksum is another."""
    entry = zipfile.ZipInfo("files/x")
    out = repacked(packed, tmp_path / "x.zip", {}, [(entry, b"abcdefgh" * 3)])
    size = (24).to_bytes(4, "little")
    assert out.read_bytes().count(size + size) >= 2
    out.write_bytes(out.read_bytes().replace(size + size, size + (1).to_bytes(4, "little")))
    refused(out, tmp_path / "new", "damaged")


@pytest.mark.parametrize("cut", [10, 200, 0.5, 0.99])
def test_a_damaged_archive_is_refused(cut: float, packed: Path, tmp_path: Path) -> None:
    """Cut short, the archive may end with that of some predictions, which is an archive too and holds no Records."""
    whole = packed.read_bytes()
    packed.write_bytes(whole[: int(cut * len(whole)) if cut < 1 else int(cut)])
    refused(packed, tmp_path / "new", "is damaged or no (zip archive|bundle)")


def test_a_byte_that_flipped_is_found(store: Store, packed: Path, tmp_path: Path) -> None:
    whole = bytearray(packed.read_bytes())
    place = whole.index(next(store.runs.glob("vgg*")).read_bytes()) + 30
    whole[place] ^= 1
    packed.write_bytes(whole)
    refused(packed, tmp_path / "new", "is damaged or no zip archive: Bad CRC-32")


def test_a_record_that_is_there_and_differs_is_refused_as_a_merge_does(store: Store, packed: Path) -> None:
    path = next(store.runs.glob("vgg*"))
    path.write_text(path.read_text().replace("1437", "1438"))
    with pytest.raises(ArchbenchError, match=r"nothing is joined: .*, and differ") as caught:
        archbench.import_bundle(packed, results=store.root)
    assert f"{packed}/runs/{path.name}" in str(caught.value)


# the commands


def test_the_commands_pack_and_take(store: Store, in_process: Callable[..., Answer], tmp_path: Path) -> None:
    answer = in_process("bundle", "--where", "model=nin", "--results", "store", "--out", "b.zip")
    assert (answer.returncode, answer.stderr) == (
        0,
        "b.zip: 2 Records, 2 files of predictions, tables: results, errors, classes, environment\n",
    )
    taken = in_process("import", "b.zip", "--results", "new", "--json")
    assert json.loads(taken.stdout) == {"added": 2, "there": 0, "files": 2, "left": [], "problems": []}
    cut = (tmp_path / "b.zip").read_bytes()[:500]
    (tmp_path / "b.zip").write_bytes(cut)
    broken = in_process("import", "b.zip", "--results", "other")
    assert (broken.returncode, broken.stderr.count("\n"), (tmp_path / "other").exists()) == (2, 1, False)


def test_a_packed_bundle_is_verified_with_all_its_files(packed: Path, tmp_path: Path) -> None:
    sound = archbench.verify(packed)
    assert {check.status for check in sound if check.record == "b.zip"} == {"ok"}
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert len(sound) == len(archbench.verify(tmp_path / "unpacked"))
    edited = archbench.verify(repacked(packed, tmp_path / "edited.zip", {"README.md": b"other"}))
    (why,) = [check.why for check in edited if check.record == "edited.zip" and check.status == "differs"]
    assert why == "missing, or not what it says: README.md"


def test_what_is_no_archive_is_not_verified_as_one(tmp_path: Path) -> None:
    (tmp_path / "torn.zip").write_bytes(b"PK")
    with pytest.raises(ArchbenchError, match=r"torn\.zip is damaged or no zip archive"):
        archbench.verify(tmp_path / "torn.zip")


@pytest.mark.parametrize(
    ("named", "more", "message"),
    [
        ([], {}, "name the Records to bundle, or say with --where which"),
        (["vgg"], {"where": "model=vgg"}, "and not both"),
        ([], {"where": "model=none"}, "there are no such Records to bundle"),
        ([], {"where": "modle=x"}, "unknown field 'modle'; did you mean 'model'"),
    ],
)
def test_mistakes_are_one_line(named: list[str], more: dict[str, str], message: str, store: Store, tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match=message):
        archbench.bundle(*named, out=tmp_path / "b.zip", results=store.root, **more)


def test_records_of_two_folders_make_no_bundle(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other").save(make_record("alexnet"))
    with pytest.raises(ArchbenchError, match="of one results folder; archbench merge joins several"):
        archbench.bundle(store.root, other, out=tmp_path / "b.zip")

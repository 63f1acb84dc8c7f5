"""Files of pytest-benchmark as Records: those of `pytest --archbench`, those of anybody, and what is neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import CommandLine, make_record

import archbench as package
from archbench.errors import ArchbenchError
from archbench.importing import import_file, records_of
from archbench.publish import formats
from archbench.publish.results import tables
from archbench.records.store import Store

ROUNDS = [0.4, 0.1, 0.3, 0.2, 0.5, 0.6, 0.2]  # median 0.3; of seven, the interval goes from the least to the largest (rank 1)
MACHINE = {
    "node": "annes-laptop",
    "machine": "x86_64",
    "system": "Linux",
    "python_version": "3.12.1",
    "cpu": {"brand_raw": "A chip", "count": 8},
}


def benchmark(name: str = "test_sort", data: list[float] | None = ROUNDS, **changes: Any) -> dict[str, Any]:
    """As pytest-benchmark writes one."""
    stats: dict[str, Any] = {"median": 0.3, "rounds": 7, "iterations": 2, "stddev": 0.0}
    if data is not None:
        stats["data"] = data
    return {"name": name, "fullname": f"tests/test_lists.py::{name}", "group": None, "stats": stats, "extra_info": {}, **changes}


def network(phase: str, label: str = "nin", **changes: Any) -> dict[str, Any]:
    """As one of `pytest --archbench` stands in the file."""
    facts = {
        "phase": phase,
        "model": {**make_record(label).model.model_dump(), "label": label},
        "batch": 8,
        "precision": "fp32",
        "memory_format": "contiguous",
        "mode": "eager",
        "threads": 2,
        "device": {"kind": "cpu", "name": "A chip"},
        "params": 966_986,
        "macs": 222_486_528,
    }
    return benchmark(f"test_{phase}[{label}]", extra_info={"archbench": {**facts, **changes}})


def report(tmp_path: Path, *benchmarks: dict[str, Any], **changes: Any) -> Path:
    path = tmp_path / "report.json"
    made = {"machine_info": MACHINE, "benchmarks": benchmarks, "datetime": "2026-03-01T12:00:00.5+02:00", "version": "5.3.1", **changes}
    path.write_text(json.dumps(made))
    return path


def test_both_phases_of_a_network_become_one_record(tmp_path: Path) -> None:
    facts = {**make_record().environment, "python": "3.12.1"}
    path = report(tmp_path, network("forward"), network("training_step"), machine_info={**MACHINE, "archbench": facts})
    (record,) = records_of(path)
    assert (record.kind, record.status, record.model.label, record.created) == ("imported", "ok", "nin", "2026-03-01T10:00:00.500+00:00")
    assert record.environment == {**facts, "device": {"kind": "cpu", "name": "A chip"}}
    latency = record.measurement("latency_s", batch=8, precision="fp32", memory_format="contiguous", mode="eager", threads=2)
    assert latency is not None
    assert (latency.value, latency.low, latency.high, latency.n, latency.method) == (
        0.3,
        0.1,
        0.6,
        7,
        "pytest-benchmark 5.3.1, median over rounds",
    )
    rate = record.measurement("train_images_per_s", batch=8)
    assert rate is not None
    assert (rate.value, rate.low, rate.high) == (8 / 0.3, 8 / 0.6, 8 / 0.1)
    assert [record.measurement(name).value for name in ("train_step_s", "params", "macs")] == [0.3, 966_986, 222_486_528]  # type: ignore[union-attr]
    assert record.samples == {"latency_s": {"rounds": ROUNDS}, "train_step_s": {"rounds": ROUNDS}}


def test_networks_in_other_circumstances_are_other_records(tmp_path: Path) -> None:
    path = report(tmp_path, network("forward"), network("forward", "mobilenet"), network("training_step", batch=16))
    made = records_of(path)
    assert [(record.model.label, record.config["batch"]) for record in made] == [("nin", 8), ("mobilenet", 8), ("nin", 16)]
    assert len({record.key for record in made}) == 3


def test_without_rounds_the_median_has_no_interval(tmp_path: Path) -> None:
    (record,) = records_of(report(tmp_path, benchmark(data=None)))
    (row,) = record.measurements
    assert (row.value, row.low, row.high, row.n) == (0.3, None, None, 7)
    assert record.samples == {}
    assert record.duration_s == 4.2  # 7 rounds of 2 calls of 0.3 s


def test_a_file_of_anybody_is_taken_by_the_names_of_its_benchmarks(tmp_path: Path) -> None:
    (record,) = records_of(report(tmp_path, benchmark()))
    assert (record.model.label, record.model.spec) == ("test_sort", {"title": "test_sort", "year": None, "head_kind": ""})
    assert record.environment["device"] == {"kind": "cpu", "name": "A chip"}
    assert (record.environment["python"], record.environment["cores"]) == ("3.12.1", 8)
    assert record.measurement("latency_s").value == 0.3  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("test_read[/home/anne/x.png]", "test_read[x.png]"),
        ("test_read[~anne/x.png-3]", "test_read[x.png-3]"),
        ("test_read[C:\\Users\\anne\\x.png]", "test_read[x.png]"),
        ("test_read[../anne/x.png]", "test_read[x.png]"),
        ("test_ratio[1/2]", "test_ratio[1_2]"),
        ("test_text[a b|c]", "test_text[a_b_c]"),
    ],
)
def test_a_label_names_no_folder(name: str, label: str, tmp_path: Path) -> None:
    assert records_of(report(tmp_path, benchmark(name)))[0].model.label == label


def test_no_host_is_named(tmp_path: Path) -> None:
    assert all("annes-laptop" not in record.model_dump_json() for record in records_of(report(tmp_path, benchmark(), network("forward"))))


def test_benchmarks_of_one_name_are_told_apart_by_their_modules(tmp_path: Path) -> None:
    other = benchmark(fullname="bench/sub/test_trees.py::test_sort")
    made = records_of(report(tmp_path, benchmark(), other))
    assert [record.model.label for record in made] == ["test_lists::test_sort", "test_trees::test_sort"]
    assert made[0].key != made[1].key


def test_a_file_is_taken_once_and_a_newer_run_of_it_again(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "store"), report(tmp_path, benchmark(), network("forward"))
    first, again = import_file(path, store), import_file(path, store)
    assert (len(first.new), len(first.known)) == (2, 0)
    assert (len(again.new), len(again.known)) == (0, 2)
    newer = import_file(report(tmp_path, benchmark(), datetime="2026-03-02T12:00:00"), store)
    assert len(newer.new) == 1
    assert newer.new[0].key == first.new[0].key
    assert len(store.load()[0]) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a table", "is not JSON"),
        ("[1, 2]", "is JSON but no file of pytest-benchmark"),
        ('{"benchmarks": []}', "is JSON but no file of pytest-benchmark"),
    ],
)
def test_another_file_is_refused_in_a_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ArchbenchError, match=message) as caught:
        records_of(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benchmarks": []}, "holds no benchmarks: none ran, or all of them failed"),
        ({"benchmarks": [{"name": "test_sort"}]}, "benchmarks.0.stats: Field required"),
        ({"benchmarks": [benchmark(stats={"rounds": 3})]}, "benchmarks.0.stats.median: Field required"),
        ({"benchmarks": [benchmark(stats={"rounds": 3, "median": float("nan")})]}, "stats.median: Input should be a finite number"),
        ({"benchmarks": [benchmark(data=[0.1, float("nan")])]}, "stats.data.1: Input should be a finite number"),
        ({"benchmarks": [benchmark(data=[-0.1])]}, "stats.data.0: Input should be greater than or equal to 0"),
        ({"benchmarks": [benchmark(data=[])]}, "stats.data: List should have at least 1 item"),
        ({"benchmarks": [network("backward")]}, "archbench.phase: Input should be 'forward' or 'training_step'"),
        (
            {"benchmarks": [benchmark()], "datetime": "0001-01-01T00:00:00+14:00"},
            "datetime: Value error, not a time of our calendar in UTC",
        ),
        ({"benchmarks": [benchmark()], "machine_info": {"cpu": {"brand_raw": {}}}}, "the name of the processor is not a text"),
        ({"benchmarks": [benchmark()], "machine_info": {"cpu": {"count": "2"}}}, "the count of the processor is not a number"),
        ({"benchmarks": [benchmark()], "datetime": "yesterday"}, "datetime: Value error, Invalid isoformat string"),
        ({"benchmarks": [benchmark()], "machine_info": {"archbench": {"threads": 1}}}, "environment.archbench is missing"),
    ],
)
def test_what_is_missing_or_no_number_is_named_and_nothing_is_written(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(ArchbenchError, match=message) as caught:
        import_file(report(tmp_path, **changes), store)
    assert "\n" not in str(caught.value)
    assert not store.root.exists()


def test_imported_benchmarks_stand_in_a_table_of_their_own(tmp_path: Path) -> None:
    path = report(tmp_path, network("forward"), network("training_step"), benchmark())
    of_network, of_call = tables([*records_of(path), make_record(kind="profile")])[1:]
    assert of_network.caption == "imported from pytest-benchmark · 1×32×32, 10 classes · batch 8 · fp32 · A chip"
    assert formats.cells(of_network).to_dict("records") == [
        {
            "model": "nin",
            "year": "2013",
            "params": "967 k",
            "MACs": "222 M",
            "latency, ms": "300",
            "images/s": "27",
            "training step, ms": "300",
            "training, images/s": "27",
        }
    ]
    assert of_call.caption == "imported from pytest-benchmark · A chip"
    assert formats.cells(of_call).to_dict("records") == [{"model": "test_sort", "latency, ms": "300"}]


def test_a_notebook_takes_a_file_too(tmp_path: Path) -> None:
    taken = package.import_benchmarks(report(tmp_path, benchmark()), results=tmp_path / "r")
    assert [record.model.label for record in taken.new] == ["test_sort"]
    assert [record.id for record in Store(tmp_path / "r").load()[0]] == [record.id for record in taken.new]


def test_the_command_says_what_was_taken(archbench: CommandLine, tmp_path: Path) -> None:
    report(tmp_path, benchmark())
    first, again = archbench("import", "report.json"), archbench("import", "report.json", "--json")
    assert first.returncode == again.returncode == 0, first.stderr
    assert "test_sort" in first.stdout
    assert "imported into archbench-runs: 1\n" in first.stderr
    assert "imported into archbench-runs: 0 · already there and skipped: 1" in again.stderr
    (row,) = json.loads(again.stdout)
    assert (row["name"], row["new"], row["measurements"][0]["value"]) == ("test_sort", False, 0.3)


@pytest.mark.parametrize(("file", "message"), [("nowhere.json", "there is no file nowhere.json"), (".", "cannot be read: Is a directory")])
def test_a_file_that_is_not_there_is_a_line_and_exit_2(file: str, message: str, archbench: CommandLine, tmp_path: Path) -> None:
    answer = archbench("import", file)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "archbench-runs").exists()

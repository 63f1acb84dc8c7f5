"""The tables of latency, memory and the roofline, from Records with figures of our choosing."""

from __future__ import annotations

import math

from conftest import make_record

from archbench.publish import formats, latency, lineage, memory, operators, roofline
from archbench.publish.results import Table, tables
from archbench.records.schema import Doubt, Measurement, Record

MIB = 2**20


def profile(*rows: Measurement, **changes: object) -> Record:
    return make_record(kind="profile", measurements=rows, **changes)


def row(name: str, value: float, low: float | None = None, high: float | None = None, **at: object) -> Measurement:
    return Measurement(name=name, value=value, low=low, high=high, method="m", at=at)


def texts(table: Table) -> list[list[str]]:
    return [list(map(str, line)) for line in formats.cells(table).values.tolist()]


TIMED = (
    row("latency_s", 0.004, 0.0039, 0.0042, batch=1, mode="eager"),
    row("latency_s", 0.001, 0.00099, 0.00102, batch=1, mode="compiled"),
    row("latency_s", 0.016, batch=8, mode="eager"),
)


def test_a_row_for_each_batch_size_and_mode_beside_eager() -> None:
    """Compiled takes a quarter of the time of eager at batch 1; 8 images in 16 ms are 500 a second.

    The intervals are 0.15 and 0.015 ms to either side: two digits of those are deserved.
    """
    assert texts(latency.tables([profile(*TIMED)])[0]) == [
        ["nin", "2013", "1", "eager", "4.00", "3.90 to 4.20", "250", "–"],
        ["nin", "2013", "1", "compiled", "1.000", "0.990 to 1.020", "1,000", "4.00"],
        ["nin", "2013", "8", "eager", "16.0", "–", "500", "–"],
    ]


def test_tables_of_conditions_that_read_alike_are_told_apart_by_batch_and_threads() -> None:
    """Batch 32 on 2 threads, batch 64 on 2 and batch 64 on 4."""
    base = make_record(kind="profile")
    config, environment = {**base.config, "batch": 64}, {**base.environment, "device": {"kind": "cpu", "name": "cpu"}}
    at = [
        profile(*TIMED, key=f"k{batch}{threads}", config={**config, "batch": batch}, environment={**environment, "threads": threads})
        for batch, threads in ((32, 2), (64, 2), (64, 4))
    ]
    (alone,) = latency.tables(at[:1])
    assert "batch" not in alone.caption
    told = [table.caption.rpartition(" · ")[2] for table in latency.tables(at)]
    assert told == ["batch 32, threads 2", "batch 64, threads 2", "batch 64, threads 4"]
    assert latency.tables(at[:2])[0].caption.rpartition(" · ")[2] == "batch 32"
    for page in (operators, lineage, memory, roofline):
        captions = [table.caption for table in page.tables(at)]
        assert len(set(captions)) == len(captions), page


def test_images_a_second_have_no_more_digits_than_the_time_they_come_from() -> None:
    """4 images in 0.5 ms, from 0.3 to 1.0: 8,000 a second, from 4,000 to 13,333; of a half width of 4,667 one digit is deserved."""
    wide = row("latency_s", 0.0005, 0.0003, 0.0010, batch=4, mode="eager")
    assert formats.cells(latency.tables([profile(wide)])[0])["images/s"].tolist() == ["8,000"]
    wider = row("latency_s", 0.00053, 0.0003, 0.0010, batch=4, mode="eager")  # 7,547 a second
    assert formats.cells(latency.tables([profile(wider)])[0])["images/s"].tolist() == ["8,000"]


def test_threads_are_those_of_a_processor_and_nothing_is_said_of_a_gpu() -> None:
    gpu = {**profile().environment, "device": {"kind": "cuda", "name": "a GPU"}}
    for environment, said in ((profile().environment, ["timed on 2 threads"]), (gpu, [])):
        (table,) = latency.tables([profile(*TIMED[:1], environment=environment)])
        assert [note for note in table.notes if note.startswith("timed")] == said


def test_a_star_marks_what_a_warning_concerns_and_no_more() -> None:
    noisy = Doubt(code="noisy", message="it jumps", at={"batch": 8, "mode": "eager"})
    other = Doubt(code="memory_unmeasured", message="no peak")
    made = latency.tables([profile(*TIMED, warnings=(noisy, other))])[0]
    assert formats.cells(made)["ms a pass"].tolist() == ["4.00", "1.000", "16.0*"]
    assert formats.cells(made)["images/s"].tolist() == ["250", "1,000", "500*"]
    assert "nin (batch 8): the interval of the time is wider than 2 % on either side" in made.notes
    busy = Doubt(code="busy", message="others")
    assert formats.cells(latency.tables([profile(*TIMED, warnings=(busy,))])[0])["ms a pass"].tolist() == ["4.00*", "1.000*", "16.0*"]


def test_the_results_table_has_the_star_too() -> None:
    noisy = Doubt(code="noisy", message="it jumps", at={"batch": 1, "mode": "eager"})
    rows = (*TIMED, row("infer_images_per_s", 500.0, batch=8, mode="eager"))
    cells = formats.cells(tables([profile(*rows, warnings=(noisy,))])[0])
    assert (cells["latency, ms"][0], cells["images/s"][0]) == ("4.00 [3.90–4.20]*", "500")


def test_memory_shows_peaks_by_kind_and_parts_in_mib() -> None:
    rows = [row("infer_peak_bytes", 3 * MIB, part="process"), row("train_peak_bytes", 9 * MIB, part="process")]
    rows += [row("train_peak_bytes", 8 * MIB, part="allocated"), row("train_bytes", MIB, part="parameters")]
    peaks, parts = memory.tables([profile(*rows)])
    assert formats.cells(peaks).to_dict("records") == [
        {"model": "nin", "year": "2013", "infer, process": "3.00", "train, process": "9.00", "train, allocated": "8.00"}
    ]
    assert formats.cells(parts).to_dict("records") == [{"model": "nin", "year": "2013", "parameters": "1.00"}]
    assert memory.frame([profile(*rows)]).train_allocated_bytes.tolist() == [8 * MIB]
    assert memory.frame([profile(*rows)]).condition[0].startswith("peaks of memory, bytes · ")


def test_records_without_parts_have_no_memory_table() -> None:
    assert memory.tables([profile(row("infer_peak_bytes", 3.0))]) == []
    assert memory.frame([]).empty


def test_the_roofline_says_what_bounds_each_class() -> None:
    """Peaks of 100 GMAC/s and 20 GB/s meet at 5 multiply-adds a byte."""
    at = {"phase": "forward", "batch": 32}
    rows = [row("peak_macs_per_s", 100e9), row("peak_bytes_per_s", 20e9)]
    for operator_class, macs_per_byte in (("pointwise", 4.0), ("dense_conv", 40.0)):
        here = {**at, "operator_class": operator_class}
        rows += [row("roof_share_pct", 50.0, **here), row("macs_per_s", 30e9, **here), row("macs_per_byte", macs_per_byte, **here)]
    rows += [row("roof_share_pct", 20.0, **at, operator_class="norm"), row("roof_share_pct", 40.0, **at)]
    made = roofline.tables([profile(*rows)])[0]
    assert texts(made) == [
        ["nin", "2013", "pointwise", "4.00", "30.0", "50", "memory"],
        ["nin", "2013", "dense conv", "40.0", "30.0", "50", "arithmetic"],
        ["nin", "2013", "norm", "–", "–", "20", "memory"],
        ["nin", "2013", "all", "–", "–", "40", "memory"],
    ]
    assert made.notes[1] == "they meet at 5 multiply-adds a byte, below which memory is the bound"
    assert math.isnan(made.frame.macs_per_byte.tolist()[2])

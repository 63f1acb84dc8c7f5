from __future__ import annotations

import dataclasses
import math

import pytest
from conftest import make_record

from archbench.publish import formats
from archbench.publish.results import frame, tables
from archbench.publish.writing import csv, markdown
from archbench.records.schema import Doubt, Measurement, Record


def profile_of(model: str = "nin", **changes: object) -> Record:
    rows = (
        Measurement(name="params", value=966_986, method="m"),
        Measurement(name="macs", value=222_486_528, method="m"),
        Measurement(name="macs", value=68_542_464, method="m", at={"operator_class": "pointwise"}),
        Measurement(name="latency_s", value=0.003, n=20, method="m", at={"batch": 1, "mode": "compiled"}),
        Measurement(name="latency_s", value=0.005, low=0.0049, high=0.0052, n=20, method="m", at={"batch": 1, "mode": "eager"}),
        Measurement(name="latency_s", value=0.1, n=20, method="m", at={"batch": 32, "mode": "eager"}),
        Measurement(name="infer_images_per_s", value=320.0, n=20, method="m", at={"batch": 32, "mode": "eager"}),
    )
    return make_record(model, "profile", measurements=rows, **changes)


def test_a_row_joins_a_training_and_its_profile() -> None:
    row = frame([make_record(), profile_of()]).iloc[0]
    assert (row.model, row.year, row.test_error_pct, row.params, row.latency_s) == ("nin", 2013, 10.0, 966_986, 0.005)
    assert row.pointwise_macs_pct == pytest.approx(100 * 68_542_464 / 222_486_528)
    assert row.infer_images_per_s == 320


def test_the_interval_of_a_time_is_told_and_those_made_otherwise_are_named() -> None:
    """As the measurement says how it was made; nothing of a time that has none."""
    one, other = profile_of(), profile_of("vgg")
    rows = [row.model_copy(update={"method": "over launches"}) for row in other.measurements]
    other = other.model_copy(update={"measurements": tuple(rows)})
    timed = "latency of one image, images/s of inference at batch 32, both eager fp32 on 2 threads"
    assert f"{timed}; 95 % intervals: m" in tables([one])[0].notes
    found = tables([one, other])[0].notes
    assert {f"nin: {timed}; 95 % intervals: m", f"vgg: {timed}; 95 % intervals: over launches"} <= set(found)
    bare = one.model_copy(update={"measurements": tuple(row.model_copy(update={"low": None}) for row in one.measurements)})
    assert timed in tables([bare])[0].notes


def test_one_run_keeps_wilsons_interval_and_seeds_get_students() -> None:
    alone = frame([make_record()]).iloc[0]
    assert (alone.test_error_low_pct, alone.test_error_high_pct) == (7.3, 13.5)
    several = frame([make_record(seed=seed, error_pct=error) for seed, error in enumerate((11.0, 12.0, 13.0))]).iloc[0]
    assert (several.test_error_pct, several.test_error_low_pct) == (12.0, pytest.approx(12 - 4.302653 / math.sqrt(3)))  # t(0.975, 2)


def test_an_interval_of_errors_ends_at_zero() -> None:
    assert frame([make_record(seed=seed, error_pct=error) for seed, error in enumerate((0.0, 0.1, 1.0))]).test_error_low_pct[0] == 0


def test_what_cannot_be_compared_stands_in_another_table() -> None:
    fp32, bf16 = make_record(), make_record("mobilenet")
    bf16 = make_record("mobilenet", config={**bf16.config, "execution": {**bf16.config["execution"], "precision": "bf16"}})
    assert len(tables([fp32, bf16])) == 2
    assert len(tables([fp32, make_record("mobilenet")])) == 1


def test_the_newest_of_a_key_is_shown_and_the_others_are_mentioned() -> None:
    old, new = make_record(error_pct=20.0), make_record(error_pct=10.0, created="2026-01-02T00:00:00.000+00:00")
    table = tables([old, new])[0]
    assert table.frame.test_error_pct.tolist() == [10.0]
    assert any("1 more of the same runs" in note for note in table.notes)


def test_failed_runs_are_not_in_a_table() -> None:
    assert tables([make_record(status="failed", measurements=())]) == []


def test_how_many_runs_left_chance_is_said() -> None:
    stuck = make_record(seed=1, error_pct=90.0, warnings=(Doubt(code="at_chance", message="not below 90.0 %"),))
    table = tables([make_record(), stuck])[0]
    assert formats.cells(table)["left chance"].tolist() == ["1 of 2"]
    assert any("not below 90.0 %" in note for note in table.notes)
    assert "left chance" not in formats.cells(tables([make_record()])[0])


def test_a_name_whose_code_changed_between_runs_is_pointed_out() -> None:
    now = make_record()
    older = {**now.model.model_dump(), "source_sha256": "older"}
    before = now.model_validate({**now.model_dump(), "group": "before", "key": "before", "model": older})
    table = tables([before, now])[0]
    assert formats.cells(table)["model"].tolist() == ["nin@older", "nin@s"]
    said = "nin@older, nin@s: one network, whose code changed between the runs; its source's hash begins as behind the @"
    assert said in table.notes
    assert formats.cells(tables([now])[0])["model"].tolist() == ["nin"]


def test_notes_that_take_much_room_are_said_once_for_several_tables() -> None:
    """210 characters in two notes of one table are said again by reference; 150 in one are said again."""
    table, doubts, one = tables([make_record()])[0], ("a" * 105, "b" * 105), ("c" * 150,)
    first, again = formats.once([dataclasses.replace(table, notes=(*doubts, "short"))] * 2)
    assert (first.notes, again.notes) == ((*doubts, "short"), ("short", f"2 more notes as under “{table.caption}”"))
    assert formats.once([dataclasses.replace(table, notes=one)] * 2)[1].notes == one


def test_a_network_without_a_known_head_has_a_dash() -> None:
    now = make_record()
    spec = {**now.model.spec, "head_kind": ""}
    foreign = now.model_copy(update={"model": now.model.model_copy(update={"spec": spec, "label": "my.py:f"}), "group": "f", "key": "f"})
    assert formats.cells(tables([now, foreign])[0])["head"].tolist() == ["–", "gap"]


def test_a_diverged_run_says_so() -> None:
    table = tables([make_record(status="diverged", measurements=())])[0]
    assert formats.cells(table)["test error, %"].tolist() == ["diverged"]


def test_profiles_without_a_training_get_a_table_without_errors() -> None:
    table = tables([profile_of()])[0]
    assert "test error, %" not in formats.cells(table)
    assert formats.cells(table)["latency, ms"].tolist() == ["5.00 [4.90–5.20]"]  # 0.15 to either side: two digits of it


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(966_986, "967 k"), (222_486_528, "222 M"), (4_089_184_256, "4.09 G"), (10, "10"), (math.nan, "–")],
        *[(999_499, "999 k"), (999_500, "1.00 M"), (9_996, "10.0 k"), (999_999_999, "1.00 G")],  # what is rounded up to the next size
    ],
)
def test_counts_have_three_digits_and_a_unit(value: float, text: str) -> None:
    assert formats.scaled(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.9996, "1.00"), (9.995, "9.99"), (9.996, "10.0"), (999.6, "1000"), (1234.5, "1234"), (0.0312, "0.0312")]
)
def test_what_is_rounded_up_to_the_next_size_has_no_digit_more(value: float, text: str) -> None:
    """9.995 is a little less in binary."""
    assert formats.three_digits(value) == text


def test_markdown_escapes_what_would_break_a_table() -> None:
    assert "a\\|b" in markdown.tables(tables([make_record("a|b")]))


def test_csv_holds_raw_numbers() -> None:
    lines = csv.rows(frame([make_record(), profile_of()])).splitlines()
    assert "966986" in lines[1]
    assert len(lines) == 2

"""Shares of a Record's parameters, MACs, activations and time, and the operators table made of them."""

from __future__ import annotations

import pytest
from conftest import make_member, make_record

from archbench.measure.operators import ALL_CLASSES
from archbench.publish import formats, operators
from archbench.publish.shares import COORDINATE, by_class, class_shares, coordinate_shares
from archbench.records.schema import Measurement

MACS = {"pointwise": 50, "gate": 10, "depthwise": 15, "token_mixing": 5, "dense_conv": 9, "grouped_conv": 6, "head": 5}


def test_every_operator_class_has_a_coordinate() -> None:
    assert set(COORDINATE) == set(ALL_CLASSES)


def test_coordinates_add_their_classes() -> None:
    """50 + 10 mix channels, 15 + 5 space, 9 + 6 both, of 100."""
    shares = coordinate_shares(by_class(make_member("m", counts={"macs": MACS}), "macs"))
    assert shares == pytest.approx({"channels": 60, "space": 20, "both": 15, "head": 5, "rest": 0})


def test_time_is_that_of_both_passes() -> None:
    member = make_member("m", forward_s={"pointwise": 1.0, "norm": 1.0}, backward_s={"pointwise": 2.0, "norm": 4.0})
    assert by_class(member, "time_s") == {"pointwise": 3.0, "norm": 5.0}
    assert by_class(member, "time_s", phase="forward") == {"pointwise": 1.0, "norm": 1.0}
    assert class_shares(by_class(member, "time_s"))["norm"] == pytest.approx(100 * 5 / 8)


def test_classes_that_do_not_add_up_to_the_whole_give_no_shares() -> None:
    """An older profile has of its parameters those of the head alone."""
    rows = (
        Measurement(name="params", value=100, method="m"),
        Measurement(name="params", value=10, method="m", at={"operator_class": "head"}),
    )
    assert by_class(make_record("m", "profile", measurements=rows), "params") == {}


def test_the_operators_table_has_a_row_for_each_quantity_and_model() -> None:
    one = make_member("one", year=2015, counts={"params": {"pointwise": 3, "head": 1}, "macs": {"pointwise": 4}}, forward_s={"norm": 0.002})
    two = make_member("two", year=1998, counts={"params": {"dense_conv": 2}, "macs": {"dense_conv": 2_000}})
    by_coordinate, classes = operators.tables([one, two])
    cells = formats.cells(by_coordinate)
    assert cells["share of"].tolist() == ["params", "params", "MACs", "MACs", "time", "time"]  # none has activations
    assert cells["model"].tolist() == ["two", "one"] * 3
    assert cells["channels, %"].tolist() == ["0", "75", "0", "100", "–", "0"]
    assert cells["in all"].tolist() == ["2", "4", "2.00 k", "4", "–", "2.00 ms"]
    assert [header for header in formats.cells(classes) if header.endswith("%")] == ["pointwise, %", "dense conv, %", "head, %", "norm, %"]
    assert classes.wide


def test_a_little_is_not_written_as_nothing() -> None:
    table = operators.tables([make_member("m", counts={"macs": {"pointwise": 999, "head": 1}})])[0]
    assert formats.cells(table)["head, %"].tolist() == ["<1"]


def test_the_long_form_has_a_row_for_each_class_that_occurs() -> None:
    frame = operators.frame([make_member("m", counts={"params": {"pointwise": 3, "norm": 1}}, forward_s={"pool": 2.0})])
    found = frame[["quantity", "operator_class", "coordinate", "share_pct", "value"]].values.tolist()
    assert found == [
        ["params", "pointwise", "channels", 75.0, 3],
        ["params", "norm", "rest", 25.0, 1],
        ["time_s", "pool", "rest", 100.0, 2.0],
    ]


def test_of_several_profiles_the_newest_counts_and_one_with_time_before_one_without() -> None:
    timed = make_member("m", counts={"macs": {"pointwise": 1}}, forward_s={"pointwise": 1.0}, key="timed", seed=1)
    newer = make_member("m", counts={"macs": {"pointwise": 1}}, key="untimed", created="2026-02-01T00:00:00.000+00:00")
    newest = make_member("m", counts={"macs": {"head": 1}}, key="again", created="2026-03-01T00:00:00.000+00:00")
    assert operators.comparable([timed, newer, newest]) == [[timed]]
    assert operators.comparable([newer, newest]) == [[newest]]


def test_what_cannot_be_compared_stands_in_other_tables() -> None:
    counts = {"macs": {"pointwise": 1}}
    small, large = make_member("a", counts=counts), make_member("b", counts=counts, model={"image_size": 224})
    assert [[record.model.label for record in group] for group in operators.comparable([small, large])] == [["a"], ["b"]]
    assert len(operators.tables([small, large])) == 4


def test_what_was_not_counted_is_said() -> None:
    member = make_member("m", counts={"macs": {"pointwise": 1}}, uncounted=({"operator": "aten.sort", "calls": 2},))
    assert "m: not counted: aten.sort" in operators.tables([member])[0].notes


def test_no_profile_is_no_table() -> None:
    assert operators.tables([make_record()]) == []
    assert operators.frame([make_record()]).empty


def test_nothing_to_share_is_no_share() -> None:
    assert class_shares({}) == coordinate_shares({}) == {}


def test_profiles_that_counted_nothing_by_class_make_no_table() -> None:
    assert operators.tables([make_record(kind="profile", measurements=())]) == []

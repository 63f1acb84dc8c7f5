"""The members of the lineage by year, and what changed from their parents."""

from __future__ import annotations

import math

import pytest
from conftest import make_member

from archbench.publish import formats, lineage
from archbench.records.schema import Measurement


def macs(channels: float, both: float) -> dict[str, dict[str, float]]:
    return {"macs": {"pointwise": channels, "dense_conv": both}}


def test_members_stand_by_year_with_their_shares() -> None:
    young = make_member("young", 2022, counts=macs(9, 1), forward_s={"pointwise": 0.3}, backward_s={"dense_conv": 0.1})
    shares, taken = lineage.tables([young, make_member("old", 1998, counts=macs(0, 5))])
    cells = formats.cells(shares)
    assert cells["model"].tolist() == ["old", "young"]
    assert cells["channels, MACs"].tolist() == ["0", "90"]
    assert cells["both, time"].tolist() == ["–", "25"]
    assert "time by operator class not measured (profile --time): old" in shares.notes
    assert formats.cells(taken)["takes from NIN"].tolist() == ["What old took.", "What young took."]


def test_the_change_is_from_the_mean_of_the_parents_in_the_table() -> None:
    """90 % from 20 % and 40 % is +60; a parent that was not profiled is named but not compared with."""
    one, two = make_member("one", counts=macs(2, 8)), make_member("two", counts=macs(4, 6))
    child = make_member("child", 2022, parents=("one", "two", "absent"), counts=macs(9, 1))
    frame = lineage.frame([one, two, child]).set_index("model")
    assert frame.channels_macs_change_points["child"] == pytest.approx(90 - (20 + 40) / 2)
    assert (frame.parents["child"], frame.compared_with["child"]) == ("one, two, absent", "one two")
    cells = formats.cells(lineage.tables([one, two, child])[1])
    assert cells["change, points"].tolist() == ["–", "–", "+60"]
    assert cells["from"].tolist() == ["–", "–", "one, two, absent"]
    assert [len(lineage.tables(found)[1].notes) for found in ([one, two, child], [one, two])] == [1, 0]  # said where the column is


def test_a_parent_under_other_conditions_is_not_compared_with() -> None:
    parent = make_member("parent", counts=macs(1, 1), model={"image_size": 224})
    child = make_member("child", parents=("parent",), counts=macs(9, 1))
    assert lineage.frame([parent, child]).channels_macs_change_points.isna().all()


def test_only_networks_as_published_are_members() -> None:
    changed = make_member("nin+head=fc", counts=macs(1, 1), model={"name": "nin", "knobs": {"head": "fc"}})
    foreign = make_member("timm:vit", year=None, counts=macs(1, 1))
    assert lineage.tables([changed, foreign]) == []
    assert lineage.frame([changed, foreign]).empty


def test_those_for_imagenet_have_tables_of_their_own() -> None:
    records = [make_member(name, counts=macs(1, 1)) for name in ("nin", "nin_imagenet", "vgg")]
    assert [table.frame.model.tolist() for table in lineage.tables(records)[::2]] == [["nin", "vgg"], ["nin_imagenet"]]


def test_what_1x1_achieves_is_macs_of_the_batch_in_the_time_of_the_forward_pass() -> None:
    """32 images of 8 MACs in 0.5 s; 4 MACs a byte under a roof that bends at 1000 / 100."""
    where = {"phase": "forward", "operator_class": "pointwise"}
    rows = (
        Measurement(name="roof_share_pct", value=40, method="m", at=where),
        Measurement(name="macs_per_byte", value=4, method="m", at=where),
        Measurement(name="peak_macs_per_s", value=1000, method="m", at={"precision": "fp32"}),
        Measurement(name="peak_bytes_per_s", value=100, method="m", at={"precision": "fp32"}),
        Measurement(name="latency_s", value=0.1, method="m", at={"batch": 1, "mode": "compiled"}),
        Measurement(name="latency_s", value=0.2, method="m", at={"batch": 1, "mode": "eager"}),
        Measurement(name="infer_images_per_s", value=50, method="m", at={"batch": 32, "mode": "eager"}),
    )
    seconds = {"pointwise": 0.5, "norm": 0.1}
    row = lineage.frame([make_member("m", counts=macs(8, 0), forward_s=seconds, backward_s=seconds, rows=rows)]).iloc[0]
    assert row.pointwise_macs_per_s == 32 * 8 / 0.5
    assert (row.pointwise_roof_share_pct, row.pointwise_macs_per_byte, row.ridge_macs_per_byte) == (40, 4, 10)
    assert (row.largest_time_class, row.latency_s, row.image_in_batch_s) == ("pointwise", 0.2, 0.02)


def test_a_rate_of_nothing_has_no_time_of_an_image() -> None:
    rate = Measurement(name="infer_images_per_s", value=0.0, method="m", at={"batch": 32, "mode": "eager"})
    (row,) = lineage.member_rows([make_member("nin", rows=[rate])]).to_dict("records")
    assert math.isnan(row["image_in_batch_s"])

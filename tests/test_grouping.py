"""Records are grouped by what stands in them, whatever that is."""

from __future__ import annotations

from conftest import make_record

from archbench.publish import grouping


def test_a_key_may_hold_what_a_free_field_holds() -> None:
    records = [make_record(seed=seed) for seed in range(3)]
    keys = iter([("a", [1]), ("a", {"b": [2]}), ("a", [1])])
    assert list(grouping.by_alike(records, lambda _: next(keys))) == [("a", (1,)), ("a", (("b", (2,)),))]
    assert len(grouping.by(records, lambda record: [record.kind])) == 1

from __future__ import annotations

import numpy as np
import pytest

from archbench.records import coded
from archbench.records.coded import Coded, firsts, groups

TEXTS = ["b", "a", "b", "", "a", "b"]


def test_a_column_gives_its_texts_back() -> None:
    column = Coded.of(TEXTS)
    assert list(column.values) == ["b", "a", ""]
    assert [column.places(text).tolist() for text in ("b", "", "other")] == [[0, 2, 5], [3], []]
    assert column.texts() == TEXTS
    assert column.at(np.array([3, 0])).texts() == ["", "b"]


def test_those_rows_that_count_stand_below_each_other() -> None:
    first, second = Coded.of(TEXTS), Coded.of(["c", "a"])
    joined = Coded.joined([(first, np.array([1, 0, 0, 1, 1, 0], bool)), (second, np.array([1, 1], bool))])
    assert joined.texts() == ["b", "", "a", "c", "a"]
    assert Coded.joined([]).texts() == []


@pytest.mark.parametrize("most_short", [coded.MOST_SHORT, 0])
def test_groups_come_in_the_order_of_the_first_of_each(monkeypatch: pytest.MonkeyPatch, most_short: int) -> None:
    monkeypatch.setattr(coded, "MOST_SHORT", most_short)
    codes = np.array([7, 2, 7, 0, 2, 7])
    assert [(number, places.tolist()) for number, places in groups(codes)] == [(7, [0, 2, 5]), (2, [1, 4]), (0, [3])]
    assert list(groups(codes[:0])) == []
    assert firsts(codes).tolist() == [0, 1, 3]

"""Which rows are the best of a column."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import make_record

from archbench import stats
from archbench.publish import best, latency
from archbench.publish.pairwise import Entry, pairs
from archbench.publish.predictions import Kept
from archbench.publish.results import tables
from archbench.records.schema import Measurement, Record


def around(middle: float, count: int = 5) -> list[float]:
    """Five values whose variance is 0.025."""
    return [middle + step / 10 for step in (-2, -1, 0, 1, 2)][:count]


def test_the_best_stands_with_all_that_cannot_be_told_from_it() -> None:
    """b lies one standard error above a, sqrt(0.025 * 2 / 5) = 0.1; c lies fifty of them above."""
    assert best.least([around(15.0), around(10.1), around(10.0)]) == {1, 2}


def test_rows_of_few_seeds_take_no_part_and_one_alone_is_no_best() -> None:
    assert best.least([around(10.0), around(20.0), around(15.0, count=4)]) == {0}
    assert best.least([around(10.0), around(20.0, count=4)]) == frozenset()
    assert best.least([]) == frozenset()


def test_where_a_row_of_few_seeds_has_the_least_mean_the_best_is_not_known() -> None:
    assert best.least([around(10.0), around(20.0), around(9.9, count=4)]) == frozenset()
    assert best.least([around(10.0), around(20.0), [9.0]]) == frozenset()


def test_seeds_that_all_agree_tell_nothing() -> None:
    assert best.least([[1.0] * 5, [2.0] * 5]) == {0, 1}


def test_equal_errors_have_no_variance_whatever_their_mean() -> None:
    """The mean of six times 86.84 is off by a bit, which is no scatter: as between two, nothing is told."""
    sides = [[86.84] * 6, [87.84] * 6]
    assert np.isnan(stats.welch_from(sides, 0)).all()
    assert math.isnan(stats.difference_t(*sides).p)


def test_the_verdicts_are_those_of_the_errors_page() -> None:
    """Each p among all pairs is that of the page that compares them one by one."""
    errors = {"a": around(10.0), "b": around(10.25), "c": around(10.4), "d": [12.0, 12.5, 13.0, 13.5, 14.5]}
    entries = [Entry([make_record(name, seed=seed, error_pct=error) for seed, error in enumerate(each)]) for name, each in errors.items()]
    paired = {row["against"]: row["p_holm"] for row in pairs(entries, Kept()) if row["model"] == "a"}
    found = stats.welch_from(list(errors.values()), 0)
    assert math.isnan(found[0])
    assert found[1:].tolist() == pytest.approx([paired[name] for name in "bcd"])


def profile(name: str, seconds: list[float]) -> Record:
    """A profile whose launches took so long for one image."""
    row = Measurement(name="latency_s", value=seconds[2], method="m", at={"batch": 1, "mode": "eager"})
    series = {"batch": 1, "mode": "eager", "launches": [{"rounds": [each]} for each in seconds]}
    return make_record(name, "profile", measurements=(row,), samples={"latency": [series]})


def test_times_are_told_apart_by_their_launches() -> None:
    """Launches scatter by a hundredth; b is a thousandth slower than a, c twice as slow, and d, which had four launches, in between."""
    scatter = (0.98, 0.99, 1.0, 1.01, 1.02)
    slower = {"a": 1.0, "b": 1.001, "c": 2.0}
    records = [profile(name, [0.01 * factor * each for each in scatter]) for name, factor in slower.items()]
    records.append(profile("d", [0.015 * each for each in scatter[:4]]))
    made = tables(records)[0]
    assert made.best["latency, ms"] == {0, 1}
    assert best.LAUNCHES in made.notes
    assert latency.tables(records)[0].best["ms a pass"] == {0, 1}
    row = Measurement(name="latency_s", value=0.001, method="m", at={"batch": 1, "mode": "eager"})
    without = make_record("e", "profile", measurements=(row,))  # nearer to nothing, and of one process, so that nothing is known of it
    assert tables([*records, without])[0].best["latency, ms"] == latency.tables([*records, without])[0].best["ms a pass"] == frozenset()


def test_what_the_mark_means_is_said_and_why_there_is_none() -> None:
    few = [make_record(name, seed=seed, error_pct=error + seed) for name, error in (("a", 10.0), ("b", 30.0)) for seed in range(2)]
    made = tables(few)[0]
    assert (made.best["test error, %"], best.FEW_SEEDS in made.notes) == (frozenset(), True)
    many = [make_record(name, seed=seed, error_pct=error + seed) for name, error in (("a", 10.0), ("b", 30.0)) for seed in range(5)]
    made = tables(many)[0]
    assert (made.best["test error, %"], best.SEEDS in made.notes) == ({0}, True)
    assert not {best.SEEDS, best.FEW_SEEDS} & set(tables(many[:5])[0].notes)  # one network alone has nobody beside it

"""Sentences about the lineage follow from its rows, and are left unsaid where there are too few."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from conftest import make_member

from archbench.cli import view
from archbench.publish import reading, sentences
from archbench.publish.lineage import member_rows
from archbench.publish.reading import apart, follows_macs, largest, rates, roof, shares_over_years
from archbench.publish.writing import markdown
from archbench.records.schema import Doubt

NAMES = ["a", "b", "c", "d", "e"]


def rows(**columns: list[object]) -> pd.DataFrame:
    """Five members, a year apart from 2014, with these columns."""
    empty = member_rows([make_member(name, 2014 + place) for place, name in enumerate(NAMES)])
    return empty.assign(**columns)


def test_a_share_that_grows_each_year_is_read_so() -> None:
    """Ranks agree in full: rho is 1, and p is 0 by the t distribution."""
    lines = list(shares_over_years(rows(channels_macs_pct=[0.0, 10.0, 30.0, 50.0, 90.0])))
    assert "Channels only, share of the MACs: 0 % in 2014 (a), 90 % in 2018 (e); over the years Spearman's ρ = 1.00 (n = 5)." in lines


def test_rho_and_p_are_those_of_the_ranks() -> None:
    """Ranks 2 1 3 5 4 against 1 to 5: rho = 1 - 6 x 4 / (5 x 24) = 0.8, p from t = 0.8 sqrt(3 / 0.36) with 3 degrees of freedom: 0.104."""
    lines = list(shares_over_years(rows(head_params_pct=[20.0, 10.0, 30.0, 50.0, 40.0])))
    assert "Head, share of the params: 20 % in 2014 (a), 40 % in 2018 (e); over the years Spearman's ρ = 0.80 (n = 5)." in lines


def test_several_of_one_year_are_a_mean_and_named() -> None:
    table = rows(channels_macs_pct=[0.0, 20.0, 30.0, 50.0, 90.0], year=[2014, 2014, 2015, 2016, 2017])
    assert any("10 % in 2014 (mean of a, b)" in line for line in shares_over_years(table))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"channels_macs_pct": [0.0, 20.0, 30.0, math.nan, math.nan]},
            "Channels only, share of the MACs: known for a, b, c alone, too few",
        ),
        ({}, "Channels only, share of the time: measured for no member."),
        ({"channels_macs_pct": [7.0] * 5}, "no correlation, as all are equal (n = 5)"),
        ({"channels_macs_pct": [7.0] * 5, "year": [2014] * 5}, "Channels only, share of the MACs: all 5 members are of 2014."),
    ],
)
def test_what_the_years_do_not_carry_is_said(columns: dict[str, list[object]], said: str) -> None:
    assert any(said in line for line in shares_over_years(rows(**columns)))


def test_members_whose_time_goes_to_1x1_are_named() -> None:
    table = rows(pointwise_time_pct=[60.0, 20.0, 51.0, 0.0, 0.0], largest_time_class=["pointwise", "norm", "pointwise", "head", "head"])
    assert list(largest(table)) == ["1×1 is the largest class of the time of a training step in 2 of 5 members: a (60 %), c (51 %)."]


def test_shares_of_time_far_from_those_of_macs_are_named() -> None:
    table = rows(pointwise_time_pct=[60.0, 20.0, 51.0, 0.0, 0.0], pointwise_macs_pct=[80.0, 30.0, 40.0, 0.0, 5.0])
    above, below = apart(table)
    assert above == "1×1's share of the time is more than 10 points above its share of the MACs in 1 of 5 members: c (+11.0)."
    assert below.endswith("below its share of the MACs in 1 of 5 members: a (-20.0).")  # b's ten points are not more than ten


def test_rates_are_compared_within_a_network() -> None:
    """Ratios 2, 1, 4, 0.5 and 1: the median is 1."""
    table = rows(pointwise_macs_per_s=[2e9, 1e9, 4e9, 1e9, 3e9], dense_conv_macs_per_s=[1e9, 1e9, 1e9, 2e9, 3e9])
    (line,) = rates(table)
    assert "1×1 achieves 1× the MAC/s of the dense convolutions of the same network (median of 5; from 0.5× (d) to 4× (c))" in line


def test_rates_of_too_few_are_not_compared() -> None:
    table = rows(pointwise_macs_per_s=[2e9, 1e9, 4e9, 1e9, 3e9], dense_conv_macs_per_s=[1e9, math.nan, 1e9, 2e9, 3e9])
    assert list(rates(table)) == [
        "MAC/s of 1×1 and dense convolutions in one network: known for a, c, d, e alone, too few to read anything from (fewer than 5)."
    ]


def test_below_the_ridge_memory_is_the_bound() -> None:
    table = rows(
        pointwise_roof_share_pct=[10.0, 20.0, 30.0, 40.0, 50.0], pointwise_macs_per_byte=[3, 30, 9, 40, 50], ridge_macs_per_byte=[10.0] * 5
    )
    share, bound = roof(table)
    assert "1×1 reaches 30 % of what the machine's measured peaks allow" in share
    assert bound == "By the same peaks 1×1 is bound by memory in 2 of 5 members: a, c."
    assert list(roof(rows())) == []


def test_times_off_the_line_of_the_macs_are_named() -> None:
    """Seconds a MAC: 0.5, 0.5, 0.5, 1.25 and 0.2 ns, of which the median is 0.5 ns: 2 G MAC/s."""
    table = rows(macs=[2e6, 4e6, 6e6, 8e6, 10e6], latency_s=[1e-3, 2e-3, 3e-3, 10e-3, 2e-3])
    follows, off, unmeasured = follows_macs(table)
    assert follows.startswith("The time of one image alone against the MACs: Spearman's ρ = ")
    assert follows.endswith("; the median member does 2.00 GMAC/s.")
    assert off == "For each MAC the time of one image alone is over 2 times the median in d (2.5×), under 1/2 of it in e (0.4×)."
    assert unmeasured == "Time of an image in a batch: measured for no member."


@pytest.mark.parametrize(("value", "text"), [(2.14, "2.1×"), (99.4, "99×"), (99.6, "100×"), (250.4, "250×")])
def test_so_many_times_is_a_plain_number(value: float, text: str) -> None:
    assert sentences.times(value) == text


def test_too_few_members_are_one_sentence() -> None:
    (read,) = reading.readings([make_member("a"), make_member("b")])
    assert read.answers == {"": ("a, b: fewer than 5 members, too few for a reading.",)}


def test_the_reading_as_markdown_has_each_question_and_sentence() -> None:
    text = markdown.readings(reading.readings([make_member(name, counts={"macs": {"pointwise": 1}}) for name in NAMES]))
    assert text.startswith("### reading · profile · ")
    assert "\nHow do the shares move with the years?\n\n- Channels only, share of the params: measured for no member.\n" in text
    assert markdown.readings([]) == ""


def test_the_reading_says_of_how_many_members_a_time_is_in_doubt() -> None:
    """Two of five; an error at chance is no doubt of a time."""
    doubts = dict(zip("abc", ("noisy", "busy", "at_chance"), strict=True))
    members = [make_member(name, warnings=(Doubt(code=doubts[name], message="m"),) if name in doubts else ()) for name in "abcde"]
    (read,) = reading.readings(members)
    assert read.answers["How sure are the times?"] == ("Of 2 of 5 members a time is in doubt; the tables mark it and say why.",)
    (sure,) = reading.readings([make_member(name) for name in "abcde"])
    assert "How sure are the times?" not in sure.answers


def test_what_is_read_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    view.print_readings([reading.Reading("\x1b[31m\u202ea", {"\x00b?": ("c",)})])
    assert not [sign for sign in capsys.readouterr().out if not (sign.isprintable() or sign == "\n")]

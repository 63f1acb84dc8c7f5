"""The language of `--where`, and tags beside Records."""

from __future__ import annotations

import pytest
from conftest import make_record

from archbench.errors import ArchbenchError
from archbench.records.where import parse

RECORD = make_record("nin+head=fc", seed=3, error_pct=12.5)  # on digits, recipe modern, 8 epochs, batch 32, 2026-01-01
PROFILE = make_record("nin", "profile")
TAGS = {RECORD.id: ("paper", "v1.0")}


@pytest.mark.parametrize(
    "text",
    [
        "model=nin+head=fc",
        "model = NIN* and dataset=digits",
        "model='nin+head=fc' or model=vgg",
        "model=vgg or model=nin* and seed=3",
        "(model=nin* or model=vgg) and not status=failed",
        "error<12.6 and error>=12.5 and error!=12",
        "when>=2026-01 and when<2026-01-02 and when=2026-01-01*",
        "tag=paper and tag=v1.? and tag!=old",
        "not (tag=old)",
        'device="a processor"',
        f"id={RECORD.id[:6]}*",
        "epochs=8 and batch=32 and precision=fp32 and recipe=modern and kind=train",
    ],
)
def test_true_of_the_record(text: str) -> None:
    assert parse(text)(RECORD, TAGS)
    assert not parse(f"not ({text})")(RECORD, TAGS)


@pytest.mark.parametrize(
    "text",
    [
        "model=nin",
        "model='nin*'",  # in quotes it is no glob
        "(model=nin* or model=vgg) and seed=4",
        "model=vgg and model=vgg or seed=4",
        "not not seed=4",
        "error>12.5",
        "tag!=paper",
    ],
)
def test_false_of_the_record(text: str) -> None:
    assert not parse(text)(RECORD, TAGS)


def test_what_a_record_does_not_have_equals_nothing_and_has_no_size() -> None:
    for text in ("error<100", "error>=0", "error=0", "seed=0", "recipe=*", "tag=*"):
        assert not parse(text)(PROFILE, TAGS)
    assert parse("seed!=0 and recipe!=modern and tag!=paper")(PROFILE, TAGS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--where says nothing; it is made of FIELD=VALUE"),
        ("modle=nin", "unknown field 'modle'; did you mean 'model'?"),
        ("model", "cannot be read at 'model'"),
        ("model=nin dataset=digits", "cannot be read at 'dataset=digits'"),
        ("model=nin and", "cannot be read at its end"),
        ("(model=nin", r"cannot be read at its end: a \) is missing"),
        ("model=nin)", r"cannot be read at '\)'"),
        ("model=", "cannot be read at 'model='"),
        ("model='nin", "cannot be read at"),
        ("error<x", r"error is a number \(got 'x'\)"),
        ("model<nin", "model has no order, so < means nothing; epochs, batch, seed, error, when have one"),
        ("__import__('os')", "cannot be read at"),
        ("(" * 200, "--where has 200 parts; 150 are the most"),
        ("(" * 149 + "seed=1", r"a \) is missing"),
    ],
)
def test_what_is_not_in_the_language_is_one_line(text: str, message: str) -> None:
    with pytest.raises(ArchbenchError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)

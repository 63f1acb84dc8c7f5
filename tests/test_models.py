from __future__ import annotations

import pytest

import zoo
from archbench.errors import ArchbenchError
from archbench.models import Input, Model, parse, source_hash


def labels(*names: str) -> list[str]:
    return [model.label for model in parse(names)]


def test_names_aliases_globs_and_groups() -> None:
    assert labels("nin", "resnet29") == ["nin", "resnet_bottleneck"]
    assert labels("nin*") == ["nin", "nin_tiny", "nin_bn"]
    assert labels("all") == zoo.names()


def test_each_model_once_in_the_order_asked_for() -> None:
    assert labels("mobilenet", "nin", "mobilenet") == ["mobilenet", "nin"]


def test_knobs_ride_on_the_name_and_keep_their_type() -> None:
    model = parse(["nin+mlp_depth=1+head=fc"])[0]
    assert model == Model("nin", (("head", "fc"), ("mlp_depth", 1)))
    assert model.label == "nin+head=fc+mlp_depth=1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nim", "unknown model 'nim'; did you mean 'nin'"),
        ("vit*", "no model matches 'vit\\*'"),
        ("nin+hed=fc", "nin has no knob 'hed'"),
        ("nin+head=fx", "head cannot be 'fx'"),
        ("nin+head", "a knob is written KEY=VALUE"),
        ("nin+head=fc+head=gap", "the knob 'head' is given twice"),
        ("", "empty name"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(name: str, message: str) -> None:
    with pytest.raises(ArchbenchError, match=message):
        parse([name])


def test_an_image_too_small_names_the_smallest() -> None:
    with pytest.raises(ArchbenchError, match="squeezenet needs images of at least 8x8"):
        Model("squeezenet").check(Input(10, 3, 7))


def test_source_hash_tells_families_apart_and_ignores_specs() -> None:
    assert source_hash("nin") != source_hash("nin_bn")
    assert source_hash("nin") != source_hash("mobilenet")


def test_a_snapshot_says_which_head_the_knob_made() -> None:
    assert parse(["nin+head=fc"])[0].snapshot(Input(10, 3, 32)).spec["head_kind"] == "fc"

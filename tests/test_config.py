from __future__ import annotations

import pytest

from archbench.config import Settings, parse_seeds
from archbench.errors import ArchbenchError


@pytest.mark.parametrize(("text", "seeds"), [("0", (0,)), ("0,2", (0, 2)), ("0-4", (0, 1, 2, 3, 4)), ("1,0-2", (1, 0, 2))])
def test_seeds_are_lists_or_ranges(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "x", "4-0", "-1", "1.5", "0-99999999999"])
def test_other_seeds_are_refused_by_name(text: str) -> None:
    with pytest.raises(ArchbenchError, match="--seeds"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "--epochs: .*greater than or equal to 1.*got 0"),
        ({"epochs": -3}, "--epochs"),
        ({"train_fraction": 0.0}, "--train-fraction: .*greater than 0"),
        ({"train_fraction": 1.5}, "--train-fraction: .*less than or equal to 1"),
        ({"val_fraction": 1.0}, "--val-fraction: .*less than 1"),
        ({"trials": 0}, "--trials: .*greater than or equal to 1.*got 0"),
        ({"span": 1.0}, "--span: .*greater than 1"),
        ({"precision": "bf61"}, "unknown precision 'bf61'; did you mean 'bf16'"),
        ({"epoch": 3}, "unknown setting 'epoch'; did you mean 'epochs'"),
        ({"models": ","}, "--models names no model"),
    ],
)
def test_a_wrong_setting_is_one_line(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ArchbenchError, match=message) as caught:
        Settings.of(**settings)
    assert "\n" not in str(caught.value)


def test_settings_as_the_command_line_that_gives_them() -> None:
    settings = Settings.of(models="nin,vgg", epochs=2, flip=False, train_fraction=0.25, seeds="0-1", results="my runs", tuned=True)
    asked = "archbench train --models nin,vgg --epochs 2 --train-fraction 0.25 --no-flip --tuned --results 'my runs'"
    assert settings.command("train", ["seeds"]) == asked
    assert Settings.of().command("tune", []) == "archbench tune --models nin,resnet_bottleneck"


def test_names_come_as_text_or_list() -> None:
    assert Settings.of(models="nin, resnet*").models == Settings.of(models=["nin", "resnet*"]).models == ("nin", "resnet*")


@pytest.mark.parametrize("shard", ["", "3", "/", "3/", "a/b", "-1/4", "1/2/3", "1 /2", "1.0/2", "٣/٤"])
def test_what_is_no_fraction_is_no_shard(shard: str) -> None:
    with pytest.raises(ArchbenchError, match="--shard takes a part as 3/16"):
        Settings.of(shard=shard)


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ("0/16", "parts are counted from 1, so of 16 there are 1/16 to 16/16"),
        ("17/16", "parts are counted from 1, so of 16 there are 1/16 to 16/16"),
        ("0/0", "the number of parts goes from 1 to 100000"),
        ("1/100001", "the number of parts goes from 1 to 100000"),
    ],
)
def test_a_shard_out_of_range_is_told_the_range(shard: str, message: str) -> None:
    with pytest.raises(ArchbenchError, match=rf"--shard: {message} \(got {shard}\)"):
        Settings.of(shard=shard)

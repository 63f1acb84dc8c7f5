"""Engines as the user names them."""

from __future__ import annotations

import pytest

from archbench.config import Settings
from archbench.errors import ArchbenchError
from archbench.placing import Placing


@pytest.mark.parametrize(
    ("text", "placing"),
    [
        ("local", Placing("local")),
        ("workers", Placing("workers")),
        ("workers:4", Placing("workers", 4)),
        ("workers:2/gpu", Placing("workers", 2, per_gpu=True)),
        ("ray", Placing("ray")),
        ("ray:auto", Placing("ray", address="auto")),
        ("ray:head.example:6379", Placing("ray", address="head.example:6379")),
        ("ray:[::1]:6379", Placing("ray", address="[::1]:6379")),
    ],
)
def test_an_engine_is_named_in_a_word(text: str, placing: Placing) -> None:
    assert Placing.of(text) == placing


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker", "unknown engine 'worker'; did you mean 'workers'?"),
        ("", "unknown engine ''; known are local, workers, ray"),
        ("local:2", "local takes nothing behind it (got local:2)"),
        *((f"workers:{number}", f"workers:N takes a whole number from 1 to 9999, .* (got workers:{number})") for number in ("", "0", "-1")),
        *((f"workers:{number}", "workers:N takes") for number in ("x", "2/cpu", "2/", "10000", "²")),
        *((f"ray:{address}", "takes the HOST:PORT of a cluster's head") for address in ("", "head", "head:", "head:0", "head:65536", ":1")),
        ("ray:ray://head:10001", "takes the HOST:PORT"),
        ("ray:head:6379/x", "takes the HOST:PORT"),
    ],
)
def test_what_is_none_is_one_line(text: str, said: str) -> None:
    with pytest.raises(ArchbenchError, match=said.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        Settings.of(engine=text)

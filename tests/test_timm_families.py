"""One model of each of sixty timm families: ours on the meta device against torch's counter, which counts a multiply-add as two."""

from __future__ import annotations

import pytest
import timm

from archbench.measure import crosscheck
from archbench.measure.complexity import complexity_of
from archbench.models import parse

SMALL = ("tiny", "nano", "small", "_s", "18", "atto", "pico", "xxs", "_0", "_b0")


def one_of_each_family() -> list[str]:
    """The first model of a small kind in each of timm's modules."""
    families: dict[str, list[str]] = {}
    for name in timm.list_models():
        families.setdefault(timm.model_entrypoint(name).__module__.rpartition(".")[2], []).append(name)
    return [next((name for name in names if any(mark in name for mark in SMALL)), names[0]) for names in families.values()]


CHOSEN = one_of_each_family()


def test_there_are_enough_families() -> None:
    assert len(CHOSEN) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN)
def test_ours_equals_torchs(name: str) -> None:
    (model,) = parse([f"timm:{name}"])
    network, image = model.weightless(model.native_input)
    operations = complexity_of(network, (image,)).operations
    theirs = next(each for each in crosscheck.compare(network, image, operations, only=("torch ÷ 2",)))
    if theirs.failure:
        pytest.xfail(f"torch's own counter fails: {theirs.failure}")
    assert theirs.causes == ()
    assert theirs.macs == sum(operation.macs for operation in operations)

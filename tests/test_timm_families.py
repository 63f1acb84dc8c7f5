"""One model of each of timm's families, as benchmarks/timm_families.txt names them: ours on the meta device against other counters."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm

from archbench.measure import crosscheck
from archbench.measure.complexity import complexity_of
from archbench.models import parse

FAMILIES = Path(__file__).parent.parent / "benchmarks" / "timm_families.txt"
CHOSEN = [line for line in FAMILIES.read_text().splitlines() if line and not line.startswith("#")]
# these two take as long as fifteen others, and are made of what eva and vision_transformer are; results/tables/reconciliation.md has them
LONG = {"timm:deepseek_vit_412m", "timm:gemma4_vit_167m"}


def test_there_are_enough_families_and_a_model_of_each() -> None:
    modules = {timm.model_entrypoint(name.removeprefix("timm:")).__module__ for name in CHOSEN}
    assert len(modules) == len(CHOSEN) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*CHOSEN} - LONG))
def test_ours_equals_torchs_and_every_difference_to_another_counter_has_a_cause(name: str) -> None:
    (model,) = parse([name])
    network, image = model.weightless(model.native_input)
    operations = complexity_of(network, (image,)).operations
    found = {each.counter: each for each in crosscheck.compare(network, image, operations)}
    assert [(each.counter, each.failure, each.unexplained) for each in found.values() if each.failure or each.unexplained] == []
    torchs = found["torch ÷ 2"]  # which counts a multiply-add as two
    assert (torchs.macs, torchs.causes) == (sum(operation.macs for operation in operations), ())

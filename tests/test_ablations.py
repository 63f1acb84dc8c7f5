"""The pages of ablations and of environments."""

from __future__ import annotations

import math

import pytest
from conftest import make_record

from archbench.publish import ablations, environments, formats
from archbench.publish.pages import page
from archbench.publish.predictions import Kept
from archbench.publish.results import Table
from archbench.records.schema import Measurement, Record


def run(
    label: str, error_pct: float = 10.0, seed: int = 0, kind: str = "train", counts: tuple[int, int] = (0, 0), **changes: object
) -> Record:
    """A run of a network whose knobs stand in its label."""
    name, *knobs = label.split("+")
    rows = tuple(Measurement(name=what, value=count, method="m") for what, count in zip(("params", "macs"), counts, strict=True))
    more = {"measurements": rows} if kind == "profile" else {}
    record = make_record(label, kind, seed=seed, error_pct=error_pct, **{**more, **changes})
    model = record.model.model_copy(update={"name": name, "knobs": dict(knob.split("=") for knob in knobs)})
    return record.model_copy(update={"model": model})


def seeds(label: str, middle: float) -> list[Record]:
    return [run(label, middle + step / 10, seed) for seed, step in enumerate((-2, -1, 0, 1, 2))]


def shown(records: list[Record]) -> list[Table]:
    return list(page("ablations", records, Kept()).tables)


def test_a_network_with_a_knob_stands_beside_the_same_without() -> None:
    """Five seeds a side, s² = 0.025: Welch has 8 degrees of freedom, t(0.975, 8) = 2.306, standard error 0.1; 120 and 90 of 100."""
    profiles = [run("nin", kind="profile", counts=(100, 100)), run("nin+head=fc", kind="profile", counts=(120, 90))]
    (table,) = shown([*seeds("nin", 10.0), *seeds("nin+head=fc", 11.0), *profiles])
    (cells,) = formats.cells(table).to_dict("records")
    low, high = 1 - 0.2306, 1 + 0.2306
    assert {name: cells[name] for name in ("model", "beside", "points", "interval", "verdict")} == {
        "model": "nin+head=fc",
        "beside": "nin",
        "points": "1.00",
        "interval": f"{low:.2f} to {high:.2f}",  # 0.2306 to either side: two digits
        "verdict": "worse",
    }
    assert (cells["params, change %"], cells["MACs, change %"]) == ("+20.0", "-10.0")


def test_other_conditions_and_other_code_are_no_counterpart_and_are_named() -> None:
    base = run("nin")
    config = {**base.config, "training": {"name": "modern", "epochs": 20}}
    longer, alike = run("nin+head=fc", config=config, key="long", group="long"), run("nin+head=fc")
    assert shown([base, longer]) == []
    (table,) = shown([base, alike, run("vgg+batch_norm=off")])
    assert "no run without knobs under equal conditions, so not shown: vgg+batch_norm=off" in table.notes
    edited = alike.model_copy(update={"model": alike.model.model_copy(update={"source_sha256": "edited"})})
    assert shown([base, edited]) == []


def test_networks_that_were_only_profiled_have_counts_alone() -> None:
    (table,) = shown([run("nin", kind="profile", counts=(100, 200)), run("nin+head=fc", kind="profile", counts=(100, 100))])
    (cells,) = formats.cells(table).to_dict("records")
    assert cells == {
        "model": "nin+head=fc",
        "beside": "nin",
        "params": "100",
        "params, change %": "+0.0",
        "MACs": "100",
        "MACs, change %": "-50.0",
    }


def test_one_seed_a_side_is_inconclusive_and_a_run_that_failed_to_learn_has_no_difference() -> None:
    diverged = run("nin+head=fc_dropout", status="diverged", measurements=())
    (table,) = shown([run("nin"), run("nin+head=fc", 20.0), diverged])
    cells = formats.cells(table)
    assert cells["verdict"].tolist() == ["inconclusive", "inconclusive"]
    assert cells["points"].tolist()[1] == "–"
    assert math.isnan(table.frame.difference_points[1])
    rows = ablations.frame(ablations.ablations([run("nin"), run("nin+head=fc", 20.0)], Kept()))
    assert rows.difference_points.tolist() == pytest.approx([10.0])


def test_environments_that_are_equal_are_one_and_name_their_records() -> None:
    first, second = make_record(), make_record(seed=1)
    environment = {**first.environment, "threads": 1, "git": {"commit": "0123456789abcdef", "changed": True}}
    other = make_record("vgg", environment=environment, created="2026-01-02T00:00:00.000+00:00")
    records = [first, second, other]
    found = page("environment", records, Kept())
    environments, libraries, of_records = (formats.cells(table) for table in found.tables)
    assert environments["Records"].tolist() == ["2", "1"]
    assert environments["threads"].tolist() == ["2", "1"]
    assert environments["commit"].tolist() == ["–", "0123456789+"]
    assert libraries["torch"].tolist() == ["2.9", "2.9"]
    assert of_records["ids"].tolist() == [f"{first.id} {second.id}", other.id]
    assert of_records["environment"].tolist() == ["E1", "E2"]
    assert found.frame.record.tolist() == [record.id for record in records]
    assert found.tables[-1].notes == ()


def test_of_many_records_in_one_environment_the_first_are_named() -> None:
    """Six seeds of one network: five ids, and that there are more; the rows hold all."""
    records = [make_record(seed=seed, key=f"k{seed}") for seed in range(6)]
    found = page("environment", records, Kept())
    (row,) = formats.cells(found.tables[-1]).to_dict("records")
    assert row["Records"] == "6"
    assert row["ids"] == " ".join([record.id for record in records[:5]] + ["…"])
    assert found.tables[-1].notes == (environments.EACH,)
    assert found.frame.record.tolist() == [record.id for record in records]

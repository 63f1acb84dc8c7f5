"""A Record leads back to the command that makes it: planned again, that is the same run, by its key."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import make_record

from archbench import plan, remaking
from archbench.choosing import Chooser
from archbench.config import Settings
from archbench.data.sources import SOURCES
from archbench.errors import ArchbenchError
from archbench.events import ignore
from archbench.job import Job
from archbench.job.outcome import Outcome, record
from archbench.records.schema import Record
from archbench.records.store import Store
from archbench.remaking import joined, remake
from archbench.training import recipe_file
from archbench.training.recipe import Recipe

OWN = """epochs = 3
batch_size = 16
optimizer = "adamw"
optimizer_options = { betas = [0.8, 0.9], eps = 1e-7 }
lr = 2e-3
schedule = "step"
milestones = [0.5, 0.75]
gamma = 0.2
test_flip = true
"""


@pytest.fixture(autouse=True)
def _no_step_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which memory layout is the fastest is no part of what makes two runs the same."""
    monkeypatch.setattr(Chooser, "laid_out", lambda chooser, job: job)


def planned(folder: Path, kind: str, **settings: Any) -> list[Job]:
    asked = Settings.of(**{"results": folder, "device": "cpu", **settings})
    return list(plan.make(asked, [kind], Store(folder), ignore).jobs)


TRAININGS: list[dict[str, Any]] = [
    {"recipe": "paper", "val_fraction": 0.1, "seeds": "7", "flip": False, "devices": 2},
    {"recipe": "fast", "limit_train": 100, "batch_size": 20, "deterministic": True, "micro_batch": 5},
    {"train_fraction": 0.5, "image_size": 36, "flip": True, "precision": "fp32", "micro_batch": "auto"},
]
PROFILES: list[dict[str, Any]] = [
    {},
    {"dataset": "digits", "batch_size": 8, "launches": 2, "batch_sizes": "1,3"},
    {"image_size": 48, "time": True, "deterministic": True},
    {"dataset": "cifar100", "precision": "bf16"},
]


@pytest.mark.parametrize(
    ("kind", "settings"), [*(("train", each) for each in TRAININGS), *(("profile", each) for each in PROFILES)], ids=str
)
def test_what_a_record_says_of_its_run_plans_the_same_run(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """The key holds the settings, the data and the code: it is the same only where all of these are."""
    (job,) = planned(tmp_path, kind, **{"models": "lenet", **settings})
    samples = {"time_s": {}} if settings.get("time") else {}
    made = remake(record(job, Outcome(samples=samples), 1.0))
    assert (made.command, made.settings.devices) == (kind, settings.get("devices", 1))
    (again,) = planned(tmp_path, kind, **{**vars(made.settings), "results": tmp_path})
    assert again.key == job.key


def test_a_recipe_of_the_users_own_is_written_out(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    (job,) = planned(tmp_path, "train", models="lenet", recipe=str(tmp_path / "own.toml"))
    made = remake(record(job, Outcome(), 1.0))
    assert made.settings.recipe == "own.toml"
    assert made.said[0] == "own.toml holds the recipe, which is none that this version ships"
    assert made.recipe is not None
    said = tomllib.loads(made.recipe)
    assert {name: said[name] for name in tomllib.loads(OWN)} == tomllib.loads(OWN)
    (tmp_path / "again.toml").write_text(made.recipe)
    (again,) = planned(tmp_path, "train", **{**vars(made.settings), "results": tmp_path, "recipe": str(tmp_path / "again.toml")})
    assert again.key == job.key


def changed(made: Record, **config: Any) -> Record:
    return made.model_copy(update={"config": {**made.config, **config}})


def test_a_folder_of_images_has_to_be_put_in(tmp_path: Path) -> None:
    made = make_record()
    found = remake(changed(made, data={**made.config["data"], "name": "my pets"}))
    assert "--dataset 'my pets=imagefolder:DIR'" in found.line
    assert "DIR stands for the folder of my pets, whose images must have the fingerprint f" in found.said


def test_records_under_the_same_settings_are_made_by_one_command() -> None:
    """nin with seeds 0 and 1, lenet with seed 1 alone: two commands make just these three, one would make four."""
    found = joined(remake(make_record(model, seed=seed)) for model, seed in (("nin", 0), ("nin", 1), ("lenet", 1), ("alexnet", 1)))
    assert [(each.settings.models, each.settings.seeds) for each in found] == [(("nin",), (0, 1)), (("lenet", "alexnet"), (1,))]
    assert found[0].line.startswith("OMP_NUM_THREADS=2 archbench train --models nin --dataset digits ")
    assert " --seeds 0,1 " in found[0].line


def test_the_first_records_said_otherwise_which_optimizer_it_is() -> None:
    old = {"name": "mine", "decay": "cosine", "momentum": 0.9, "nesterov": True, "lr": 0.1}
    now = {"name": "mine", "lr": 0.1, "optimizer": "sgd", "optimizer_options": {"momentum": 0.9, "nesterov": True}, "schedule": "cosine"}
    assert remaking.as_written_now(old) == remaking.as_written_now(now) == now


def test_the_sets_that_go_by_name_are_those_of_the_data() -> None:
    assert set(remaking.SIZES) == set(SOURCES)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (changed(make_record(kind="imported"), data=None), "it was taken from a file of pytest-benchmark"),
        (changed(make_record(), seed=-1), "--seeds takes whole numbers"),
        (changed(make_record(), recipe=None), "does not hold what a run of archbench leaves"),
        (changed(make_record(), batch="many"), "--batch-size"),
    ],
)
def test_what_no_command_makes_is_said(made: Record, why: str) -> None:
    with pytest.raises(ArchbenchError, match=why):
        remake(made)


def test_text_of_the_users_own_is_quoted_for_the_shell() -> None:
    made = make_record()
    hostile = made.model_copy(update={"model": made.model.model_copy(update={"label": "x; rm -rf $HOME"})})
    assert "--models 'x; rm -rf $HOME' " in remake(hostile).line
    assert dataclasses.replace(remake(made), threads=None).line.startswith("archbench train --models nin ")


def test_a_recipe_that_says_more_than_the_shipped_one_of_its_name_is_another() -> None:
    shipped = json.loads(recipe_file.load("modern").model_dump_json())
    assert remaking.is_shipped(shipped)
    assert not remaking.is_shipped({**shipped, "average": 0.5})


def test_the_defaults_of_a_recipe_are_those_of_its_fields() -> None:
    fields = {name: field.get_default(call_default_factory=True) for name, field in Recipe.model_fields.items() if not field.is_required()}
    assert json.loads(json.dumps(fields)) == remaking.DEFAULTS

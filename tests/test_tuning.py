from __future__ import annotations

import contextlib
import dataclasses
import inspect
import sqlite3
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from conftest import CommandLine, make_record

import archbench
from archbench import choosing, studies, tuning
from archbench import plan as planning
from archbench.cli import tune as tune_command
from archbench.config import Settings
from archbench.data import Dataset, load, request
from archbench.errors import ArchbenchError
from archbench.events import Epoch, Event, Finished, ignore
from archbench.job import Job
from archbench.publish import formats
from archbench.publish.results import tables
from archbench.records.schema import Failure, Record
from archbench.records.store import Store
from archbench.studies import Found
from archbench.training.recipe import TrainingConfig

MODERN_RATES = {"lr": 0.1, "weight_decay": 5e-4}
QUICK = {"models": "alexnet", "epochs": 2, "limit_train": 160}

Trial = Callable[[Job, Callable[[Event], None]], Record]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(request(Settings.of()), ignore)


@pytest.fixture
def trials(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> Callable[[Trial], list[dict[str, float]]]:
    """Puts a function in place of training; gives the list that the values of each trial are then added to. Nothing is timed."""
    monkeypatch.setattr(planning, "load", lambda *request: digits)
    monkeypatch.setattr(choosing.Chooser, "laid_out", lambda self, job: job)

    def put(trial: Trial) -> list[dict[str, float]]:
        tried: list[dict[str, float]] = []

        def train(job: Job, dataset: object, store: object, emit: Callable[[Event], None]) -> Record:
            assert job.training is not None
            tried.append({"lr": job.training.lr, "weight_decay": job.training.weight_decay})
            return trial(job, emit)

        monkeypatch.setattr(tuning, "train", train)
        return tried

    return put


def ending_with(errors: Iterable[float]) -> Trial:
    """A training of two epochs that has the next of these validation errors in both."""
    left = iter(errors)

    def trial(job: Job, emit: Callable[[Event], None]) -> Record:
        error = next(left)
        for epoch in (1, 2):
            emit(Epoch(job.label, epoch, 2, loss=1.0, images_per_s=1.0, val_error_pct=error))
        return make_record("alexnet", error_pct=error)

    return trial


def failing(status: str) -> Record:
    return make_record("alexnet", error_pct=None, status=status, failure=Failure(reason=status, message="no more of it"))


def tune(tmp_path: Path, **settings: object) -> Found:
    (found,) = archbench.tune(**{**QUICK, "results": tmp_path, **settings})
    return found


def test_the_first_trials_are_the_recipes_own_values_and_even_places_about_them() -> None:
    """Halton's sequence in bases 2 and 3: (1/2, 1/3), (1/4, 2/3), (3/4, 1/9) of the way from a tenth to ten times, in logarithms."""
    recipe = TrainingConfig.model_construct(**MODERN_RATES)
    found = [tuning.first_values(number, recipe, 10, ("lr", "weight_decay")) for number in range(4)]
    places = [(1 / 2, 1 / 2), (1 / 2, 1 / 3), (1 / 4, 2 / 3), (3 / 4, 1 / 9)]
    expected = [{"lr": 0.1 * 10 ** (2 * x - 1), "weight_decay": 5e-4 * 10 ** (2 * y - 1)} for x, y in places]
    assert found == [pytest.approx(each) for each in expected]
    assert found[0] == MODERN_RATES


def test_a_search_never_sees_the_test_split_and_leaves_nothing_but_its_study(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, real = [], tuning.train
    monkeypatch.setattr(tuning, "train", lambda job, dataset, *rest: seen.append((job, dataset)) or real(job, dataset, *rest))
    found = tune(tmp_path, trials=1, epochs=1)
    ((job, dataset),) = seen
    assert (job.data.train_images, job.data.test_images) == (144, 16)  # a tenth of 160 is held out
    assert all((digits.train.images == image).flatten(1).all(1).any() for image in dataset.test.images)
    assert found.val_error_pct == found.recipe_error_pct
    assert found.val_error_pct % (100 / 16) == 0
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".db"}


def test_a_run_takes_what_was_found_and_more_trials_make_another_run(tmp_path: Path, trials: Callable) -> None:
    def planned(**settings: object) -> Job:
        asked = Settings.of(**{**QUICK, "results": tmp_path, **settings})
        return planning.make(asked, ("train",), Store(tmp_path), ignore).jobs[0]

    trials(ending_with([50.0, 50.0, 40.0, 60.0]))
    found, job = tune(tmp_path, trials=3), planned(tuned=True)
    assert {name: getattr(job.training, name) for name in studies.SEARCHED} == found.values
    assert job.config()["tuned"] == found.evidence
    assert found.evidence.items() >= {"trials": 3, "val_error_pct": 40.0, "recipe_error_pct": 50.0, "span": 10.0}.items()
    assert tune(tmp_path, trials=4).values == found.values
    assert len({job.key, planned(tuned=True).key, planned().key}) == 3
    assert planned().config()["tuned"] is None


def test_a_table_says_which_rows_were_tuned_with_how_many_trials() -> None:
    plain = make_record("nin")
    search = {"trials": 12, "val_fraction": 0.1, "span": 10.0, "space": {"lr": [0.01, 1.0], "weight_decay": [5e-5, 5e-3]}}
    tuned = make_record("vgg", config={**plain.config, "tuned": search})
    (table,) = tables([plain, tuned])
    assert list(formats.cells(table)["tuned, trials"]) == ["–", "12"]
    assert (
        "tuned: lr and weight decay are those of the best of so many trials, by the error on 10 % of the training images, from 1/10 to 10 "
        "times the recipe's; rows without a number have the recipe's"
    ) in table.notes
    (table,) = tables([plain])
    assert "tuned, trials" not in formats.cells(table)
    assert not any(note.startswith("tuned") for note in table.notes)


def test_every_model_is_searched_at_the_same_places_relative_to_its_recipe(tmp_path: Path, trials: Callable) -> None:
    tried = trials(ending_with([50.0] * 6))
    found = archbench.tune(models="alexnet,resnet_bottleneck", trials=3, epochs=2, limit_train=160, results=tmp_path)
    assert [(each.model, each.trials) for each in found] == [("alexnet", 3), ("resnet_bottleneck", 3)]
    first, second = ([{name: value / part[0][name] for name, value in each.items()} for each in part] for part in (tried[:3], tried[3:]))
    assert first == [pytest.approx(each) for each in second]
    assert tried[3] == MODERN_RATES != tried[0]  # alexnet asks for a rate of its own


def test_the_best_trial_counts_and_of_equals_the_recipes_own(tmp_path: Path, trials: Callable) -> None:
    tried = trials(ending_with([50.0, 40.0, 60.0, 40.0]))
    found = tune(tmp_path, trials=4)
    assert (found.recipe_error_pct, found.val_error_pct) == (50.0, 40.0)
    assert found.values == pytest.approx(tried[1])
    trials(ending_with([40.0] * 4))
    again = tune(tmp_path, trials=4, rerun=True)
    assert (again.trials, again.values) == (4, pytest.approx(tried[0]))


def test_a_search_that_was_killed_goes_on_as_if_nothing_had_happened(tmp_path: Path, trials: Callable) -> None:
    errors = [50.0, 40.0, 60.0, 30.0, 35.0, 20.0]
    undisturbed = trials(ending_with(errors))
    whole = tune(tmp_path / "whole", trials=6)

    ends = ending_with(errors)

    def killed_in_the_sixth(job: Job, emit: Callable[[Event], None]) -> Record:
        if len(tried) == 6:
            emit(Epoch(job.label, 1, 2, loss=1.0, images_per_s=1.0, val_error_pct=20.0))
            raise KeyboardInterrupt
        return ends(job, emit)

    tried = trials(killed_in_the_sixth)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path / "cut", trials=6)
    with pytest.raises(ArchbenchError, match=r"has 5 of 6 trials; archbench tune .*--trials 6.* goes on with it"):
        archbench.train(**QUICK, results=tmp_path / "cut", tuned=True)
    again = trials(ends)
    resumed = tune(tmp_path / "cut", trials=6)
    assert [*tried[:5], *again] == undisturbed
    assert tried[5] == again[0]  # which goes on from its checkpoint
    assert dataclasses.replace(resumed, study="") == dataclasses.replace(whole, study="")
    trials(ending_with([]))
    assert tune(tmp_path / "cut", trials=6) == resumed  # nothing is left to do


@pytest.mark.parametrize(("fifth", "pruned"), [(50.0, 1), (15.0, 0)])
def test_a_trial_that_is_worse_than_the_median_ends_early(tmp_path: Path, trials: Callable, fifth: float, pruned: int) -> None:
    """The median of 10, 20, 30 and 40 is 25."""
    said: list[Event] = []
    trials(ending_with([10.0, 20.0, 30.0, 40.0, fifth]))
    (found,) = archbench.tune(**QUICK, results=tmp_path, trials=5, emit=said.append)
    assert (found.trials, found.pruned, found.val_error_pct) == (5, pruned, 10.0)
    ended = [event for event in said if isinstance(event, Finished)]
    assert [event.job for event in ended] == [f"alexnet · trial {number}/5" for number in range(1, 6)]
    assert [event.status for event in ended] == ["ok"] * 4 + ["pruned" if pruned else "ok"]
    assert ended[4].summary.startswith("pruned after epoch 1/2 at a validation error of 50.00 %" if pruned else "validation error 15.00 %")


def test_a_trial_that_fails_is_not_the_end(tmp_path: Path, trials: Callable) -> None:
    results = iter([failing("diverged"), failing("out_of_memory"), failing("failed"), make_record("alexnet", error_pct=30.0)])
    tried = trials(lambda job, emit: next(results))
    found = tune(tmp_path, trials=4)
    assert (found.trials, found.pruned, found.failed) == (4, 1, 2)
    assert (found.recipe_error_pct, found.val_error_pct) == (None, 30.0)
    assert found.values == pytest.approx(tried[3])


def test_a_trial_that_failed_is_made_again_in_its_place_by_the_same_command(tmp_path: Path, trials: Callable) -> None:
    """The second of three runs out of memory once; while it lacks, the search is not equal to a whole one."""
    good = [make_record("alexnet", error_pct=error) for error in (50.0, 30.0)]
    results = iter([good[0], failing("out_of_memory"), good[1]])
    tried = trials(lambda job, emit: next(results))
    assert tune(tmp_path, trials=3).evidence.items() >= {"trials": 3, "pruned": 0, "failed": 1}.items()
    trials(ending_with([50.0] * 3))
    tune(tmp_path, models="nin_tiny", trials=3)
    with pytest.raises(ArchbenchError, match=r"of 3 trials 1 of alexnet failed, 0 of nin_tiny; archbench tune .*makes those again"):
        archbench.train(**{**QUICK, "models": "alexnet,nin_tiny"}, results=tmp_path, tuned=True)
    again = trials(ending_with([20.0]))
    found = tune(tmp_path, trials=3)
    assert (again, found.trials, found.failed, found.val_error_pct, found.recipe_error_pct) == ([tried[1]], 3, 0, 20.0, 50.0)


def test_a_trial_that_diverges_is_as_bad_as_can_be(tmp_path: Path, trials: Callable) -> None:
    """Whatever error it had before."""

    def trial(job: Job, emit: Callable[[Event], None]) -> Record:
        emit(Epoch(job.label, 1, 2, loss=1.0, images_per_s=1.0, val_error_pct=20.0))
        return failing("diverged")

    trials(trial)
    found = tune(tmp_path, trials=1)
    with studies.opened(tmp_path) as storage:
        (told,) = storage.get_all_trials(storage.get_study_id_from_name(found.study))
        assert (told.state.name, told.value) == ("PRUNED", 100.0)


def test_a_search_anew_removes_the_checkpoint_of_an_interrupted_trial(tmp_path: Path, trials: Callable) -> None:
    left: list[Path] = []

    def interrupted(job: Job, emit: Callable[[Event], None]) -> Record:
        left.append(tuning.TrialStore(tmp_path).checkpoint_path(job.key))
        left[0].parent.mkdir(parents=True, exist_ok=True)
        left[0].write_bytes(b"half a training")
        raise KeyboardInterrupt

    trials(interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path, trials=1)
    assert left[0].exists()
    seen: list[bool] = []
    trials(lambda job, emit: seen.append(left[0].exists()) or make_record("alexnet", error_pct=50.0))
    tune(tmp_path, trials=1, rerun=True)
    assert seen == [False]


def test_a_search_without_any_result_is_not_used(tmp_path: Path, trials: Callable) -> None:
    trials(lambda job, emit: failing("diverged"))
    assert tune(tmp_path, trials=2).values == {}
    with pytest.raises(ArchbenchError, match=r"none of the 2 trials of alexnet .*, recipe modern, 2 epochs, batch 32, (bf16|fp32) ended"):
        archbench.train(**QUICK, results=tmp_path, tuned=True)


def test_a_recipe_without_decay_is_searched_for_its_rate_alone(tmp_path: Path, trials: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    made = planning.make

    def without_decay(*arguments: object) -> planning.Plan:
        plan = made(*arguments)
        jobs = [dataclasses.replace(job, training=job.training.model_copy(update={"weight_decay": 0.0})) for job in plan.jobs]
        return dataclasses.replace(plan, jobs=tuple(jobs))

    monkeypatch.setattr(tuning.planning, "make", without_decay)
    trials(ending_with([50.0] * 5))
    assert list(tune(tmp_path, trials=5).values) == ["lr"]


def test_a_run_with_other_settings_than_the_search_is_refused_with_the_command_that_helps(tmp_path: Path, trials: Callable) -> None:
    trials(ending_with([50.0] * 20))
    tune(tmp_path, trials=2)
    in_both = {**QUICK, "models": "alexnet,nin_tiny", "results": tmp_path, "tuned": True}
    missing = rf"no study of nin_tiny .* in {tmp_path}; archbench tune --models alexnet,nin_tiny --epochs 2 .*makes it"
    with pytest.raises(ArchbenchError, match=missing):
        archbench.train(**in_both)
    with pytest.raises(ArchbenchError, match="no study of alexnet on digits, recipe modern, 3 epochs, batch 32"):
        archbench.train(**QUICK | {"epochs": 3}, results=tmp_path, tuned=True)
    tune(tmp_path, models="nin_tiny", trials=1)
    with pytest.raises(ArchbenchError, match=r"alexnet was tuned with 2 trials, nin_tiny with 1; archbench tune .*--trials 2"):
        archbench.train(**in_both)
    tune(tmp_path, models="nin_tiny", trials=2, span=3, rerun=True)
    with pytest.raises(ArchbenchError, match=r"alexnet and nin_tiny were not searched alike: spans 10 and 3, held out 0\.1 and 0\.1"):
        archbench.train(**in_both)


@pytest.mark.parametrize("other", [{"span": 3}, {"val_fraction": 0.2}])
def test_a_search_over_another_space_does_not_go_on(tmp_path: Path, trials: Callable, other: dict[str, float]) -> None:
    trials(ending_with([50.0] * 2))
    tune(tmp_path, trials=1)
    with pytest.raises(ArchbenchError, match=r"was begun with --span 10 --val-fraction 0\.1: give these to go on, or --rerun"):
        tune(tmp_path, trials=1, **other)


def test_two_processes_do_not_make_the_same_trials(tmp_path: Path, trials: Callable) -> None:
    trials(ending_with([50.0] * 2))
    found = tune(tmp_path, trials=1)
    with Store(tmp_path).lease(found.study) as mine:
        assert mine
        for rerun in (False, True):
            with pytest.raises(ArchbenchError, match="another process is at work on the study of alexnet"):
                tune(tmp_path, trials=2, rerun=rerun)
    assert tune(tmp_path, trials=1) == found


def test_a_damaged_database_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / studies.FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(ArchbenchError, match=r"studies\.db cannot be used: .*file is not a database") as caught:
        archbench.train(**QUICK, results=tmp_path, tuned=True)
    assert "\n" not in str(caught.value)


def test_a_database_of_another_version_is_one_line(tmp_path: Path, trials: Callable) -> None:
    trials(ending_with([50.0]))
    tune(tmp_path, trials=1)
    with contextlib.closing(sqlite3.connect(tmp_path / studies.FILE)) as database, database:
        database.execute("update alembic_version set version_num = 'v0.9.0.a'")
    with pytest.raises(ArchbenchError, match=r"studies\.db cannot be used: .*version"):
        tune(tmp_path, trials=1)


@pytest.mark.parametrize(("settings", "user"), [({"trials": 1}, "archbench tune"), ({"tuned": True}, "--tuned")])
def test_without_optuna_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], user: str
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    asked = archbench.train if "tuned" in settings else archbench.tune
    with pytest.raises(ArchbenchError, match=rf"{user} needs optuna: pip install 'archbench\[tune\]'"):
        asked(**QUICK, **settings, results=tmp_path)


def test_optuna_is_silent_during_a_search_alone(tmp_path: Path, trials: Callable) -> None:
    import optuna

    verbosity, during = optuna.logging.get_verbosity(), []
    trials(lambda job, emit: during.append(optuna.logging.get_verbosity()) or make_record("alexnet", error_pct=50.0))
    tune(tmp_path, trials=1)
    assert during == [optuna.logging.ERROR]
    assert optuna.logging.get_verbosity() == verbosity != optuna.logging.ERROR


def test_the_command_shows_what_was_found_and_how_to_train_with_it(archbench: CommandLine) -> None:
    asked = ("--models", "alexnet", "--epochs", "1", "--limit-train", "160", "--results", "my runs")
    answer = archbench("tune", *asked, "--trials", "1")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1].split()[:4] == ["alexnet", "1", "0", "0"]
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert "digits: 144 training and 16 validation images · recipe modern, 1 epoch, batch 32" in answer.stderr
    assert answer.stderr.splitlines()[-1] == (
        "train with these values: archbench run --models alexnet --epochs 1 --limit-train 160 --tuned --results 'my runs'"
    )


def test_the_command_that_mends_a_search_has_the_options_of_a_search_alone() -> None:
    """What is printed leaves out every setting that `archbench tune` does not take, and `--tag` is none of its."""
    taken = set(inspect.signature(tune_command.command).parameters) - {"json", "quiet", "context"}
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert "tag" not in taken
    assert fields - set(studies.NOT_OF_A_SEARCH) == taken - {"download", "rerun", "engine"}  # which a search takes, but needs not


def test_a_study_is_its_own_for_each_recipe_data_and_precision_but_not_for_what_is_held_out(tmp_path: Path, trials: Callable) -> None:
    def name(**settings: object) -> str:
        asked = Settings.of(**{**QUICK, "results": tmp_path, **settings})
        return studies.name_of(planning.make(asked, ("train",), Store(tmp_path), ignore).jobs[0])

    same = name(precision="fp32")
    assert name(precision="fp32", val_fraction=0.2) == name(precision="fp32", seeds="3") == same
    changes = [{"epochs": 3}, {"batch_size": 16}, {"limit_train": 170}, {"models": "alexnet+head=gap"}, {"micro_batch": 8}]
    others = [name(**{"precision": "fp32", **change}) for change in changes]
    assert len({same, name(precision="bf16"), *others}) == 7

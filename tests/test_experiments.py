"""Experiments: what their files hold, the grid that comes of it, what a user gives beside it, and each mistake in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import CommandLine

import archbench as package
from archbench import plan as planning
from archbench import running
from archbench.cli import plan_view
from archbench.config import Settings
from archbench.errors import ArchbenchError
from archbench.estimate import Planned, planned
from archbench.events import Event, Notice, ignore
from archbench.experiments import files, grid
from archbench.experiments.definition import Grid
from archbench.records.store import Store
from archbench.training import recipe_file

TINY = """
train_fractions = [0.5, 1.0]
seeds = "0-1"
models = ["lenet", "hog_linear"]
[settings]
epochs = 1
limit_train = 64
[[questions]]
ask = "Which errs less?"
factor = "model"
against = "lenet"
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """A user's own experiment: two networks on two shares of 64 digits, two seeds each."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return str(path)


def labels(name: str) -> set[str]:
    return {cell.label for cell in grid.of(name, {})[0].cells}


def compared(found: Grid) -> list[tuple[str, str]]:
    """The labels of all pairs of all questions."""
    questions = [question for question in found.experiment.questions if question.factor]
    return [(one.cell.label, other.cell.label) for question in questions for one, other in found.pairs(question)]


@pytest.mark.parametrize(
    ("name", "networks", "parts"),
    [
        ("lineage", 32, 1),  # 33 without _imagenet, less decaf, which needs a Record
        ("mlp_depth", 4 + 3 + 3, 1),  # depth 2 at equal counts is NIN itself
        ("head", 3 + 3 * 2, 1),
        ("local_function", 3, 1),
        ("data_scale", 3 + 2, 5),
        ("without_pointwise", 2 * 6, 1),
        ("recipe_by_architecture", 8, 3),
        ("class_maps", 10, 5),
    ],
)
def test_the_shipped_experiments(name: str, networks: int, parts: int) -> None:
    """Each has five seeds, so that verdicts can be drawn."""
    found, settings = grid.of(name, {})
    assert (len(labels(name)), len(settings)) == (networks, parts)
    assert all(each.seeds == (0, 1, 2, 3, 4) and len(each.models) == networks for each in settings)
    assert found.experiment.questions


def test_all_shipped_are_tested() -> None:
    assert len(files.names()) == 8


def test_a_network_with_its_own_defaults_is_itself_at_equal_counts_too() -> None:
    assert labels("local_function") == {"nin", "nin+local=linear+equal=macs", "nin+local=maxout+equal=macs"}
    assert compared(grid.of("local_function", {})[0]) == [("nin", "nin+local=linear+equal=macs"), ("nin", "nin+local=maxout+equal=macs")]


def test_only_what_differs_in_the_factor_alone_is_compared() -> None:
    """Four networks have both heads, NIN a third one; none is compared with another network."""
    pairs = compared(grid.of("head", {})[0])
    assert len(pairs) == 5
    assert all(one.partition("+")[0] == other.partition("+")[0] for one, other in pairs)
    assert ("plain_cnn+head=gap", "plain_cnn") in pairs


def test_what_is_given_beside_it_overrides_the_experiment(tiny: str) -> None:
    found, settings = grid.of(tiny, {"seeds": "7", "train_fraction": 0.25, "epochs": 3, "models": "lenet", "dataset": "mnist"})
    assert [(each.seeds, each.train_fraction, each.epochs, each.models, each.dataset) for each in settings] == [
        ((7,), 0.25, 3, ("lenet",), "mnist")
    ]
    assert settings[0].limit_train == 64
    assert found.train_fractions == ()


OF_RECIPES = "\n[[questions]]\nask = 'a'\nfactor = 'recipe'\nagainst = 'hour'"
TWO_OF_ONE_NAME = "\n[[questions]]\nask = 'a'\nfactor = 'model'\nagainst = 'vgg'" * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = [", "is not TOML"),
        ("", "it names no model"),
        ("models = []", "it names no model"),
        ("models = ['nim']", "unknown model 'nim'; did you mean 'nin'"),
        ("modles = ['nin']", "unknown key 'modles'; did you mean 'models'"),
        ("models = ['nin']\nseeds = []", "seeds is empty, so there is nothing to run"),
        ("models = ['nin']\nseeds = 0.5", r"seeds: whole numbers are needed, as 3, \[0, 1\] or '0-4' \(got 0.5\)"),
        ("models = ['nin']\nrecipes = ['']", r"experiment .*\.toml: unknown recipe ''"),
        ("[[models]]\nnames = 'nin'", r"names: a list is needed, as \['nin'\]"),
        ("[[models]]\nnames = ['nin']\nknobs = { head = ['gap'], equal = ['foo'] }", "nin: equal cannot be 'foo'; valid: macs, params"),
        (f"models = ['nin', 'vgg']{TWO_OF_ONE_NAME}", "two questions are 'a'; the tables would not tell them apart"),
        (f"models = ['nin']\nseeds = {'9' * 5000}", "is not TOML: Exceeds the limit"),
        ("models = ['nin']\nseeds = true", r"seeds: whole numbers are needed, as 3, \[0, 1\] or '0-4' \(got True\)"),
        ("models = ['nin']\ntrain_fractions = [true]", "train_fractions.0: "),
        ("models = ['nin']\n[settings]\nepochs = true", "--epochs: True is no value for it"),
        ("[[models]]\nnames = ['nin']\nknobs = { mlp_depth = [0, true] }", "knobs.mlp_depth.1"),
        ("[[models]]\nnames = ['nin']\nknobs = { head = ['gap', 'fc+width=0.5'] }", "nin: head cannot be 'fc.width=0.5': each knob"),
        (f"models = ['nin']\nrecipes = ['fast', 'modern']{OF_RECIPES}", "'a': against = 'hour' is none of fast, modern"),
        ("models = ['nin']\nseeds = '5-1'", "the range 5-1 runs backwards"),
        ("models = ['nin']\nrecipes = ['fast', 'modren']", "unknown recipe 'modren'; did you mean 'modern'"),
        ("models = ['nin']\ntrain_fractions = [2.0]", "--train-fraction"),
        ("models = ['nin']\n[settings]\nepoch = 1", "unknown key of .settings. 'epoch'; did you mean 'epochs'"),
        ("models = ['nin']\n[settings]\nepochs = 0", "--epochs"),
        ("[[models]]\nnames = ['nin']\nknobs = { hed = ['fc'] }", "nin has no knob 'hed'"),
        ("[[models]]\nnames = ['nin']\nknobs = { head = [] }", "knobs.head is empty, so there is nothing to run"),
        ("[[models]]\nnames = ['nin']\nknob = 1", "unknown key of ..models.. 'knob'; did you mean 'knobs'"),
        ("models = ['nin']\n[[questions]]\nask = 'a'", "a question has a factor"),
        ("models = ['nin']\n[[questions]]\nask = 'a'\nfactor = 'head'\nagainst = 'gap'", "unknown factor 'head'"),
        ("models = ['nin']\n[[questions]]\nask = 'a'\nfactor = 'model'\nagainst = 'vgg'", "no run of model vgg has another"),
        ("models = ['nin']\n[[questions]]\nask = 'a'\nspread = ['recipe', 'model']", "compares each recipe, of which recipes names fewer"),
    ],
)
def test_a_mistake_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ArchbenchError, match=message) as caught:
        grid.of(str(path), {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("against", ["own", "FILE"])
def test_a_recipe_of_ones_own_is_compared_by_its_name_or_its_path(against: str, tmp_path: Path) -> None:
    recipe, path = tmp_path / "mine.toml", tmp_path / "experiment.toml"
    recipe.write_text((Path(recipe_file.__file__).parent / "recipes" / "fast.toml").read_text().replace('"fast"', '"own"'))
    asked = f"[[questions]]\nask = 'a'\nfactor = 'recipe'\nagainst = '{recipe if against == 'FILE' else against}'"
    path.write_text(f"models = ['lenet']\nrecipes = ['modern', '{recipe}']\n{asked}\n")
    found, settings = grid.of(str(path), {})
    assert (found.recipes, [each.recipe for each in settings]) == (("modern", "own"), ["modern", str(recipe)])
    assert [(one.recipe, other.recipe) for one, other in found.pairs(found.experiment.questions[0])] == [("own", "modern")]


def test_two_recipes_of_one_name_are_refused(tmp_path: Path) -> None:
    recipe, path = tmp_path / "mine.toml", tmp_path / "experiment.toml"
    recipe.write_text((Path(recipe_file.__file__).parent / "recipes" / "fast.toml").read_text())
    path.write_text(f"models = ['lenet']\nrecipes = ['fast', '{recipe}']\n")
    with pytest.raises(
        ArchbenchError, match=r"the recipes fast and .*mine\.toml are both called 'fast'; the tables would not tell them apart$"
    ):
        grid.of(str(path), {})


def test_models_that_are_no_names_are_one_line(tiny: str) -> None:
    with pytest.raises(ArchbenchError, match=r"models takes names, as 'nin,resnet\*' or \['nin', 'resnet\*'\] \(got 3\)$"):
        grid.of(tiny, {"models": 3})


def test_a_grid_of_many_networks_is_asked_about_before_they_are_made(tmp_path: Path) -> None:
    """101 x 100 knobs are 10,100 networks, in two recipes."""
    path = tmp_path / "own.toml"
    knobs = f"width = {[n / 100 for n in range(1, 102)]}, mlp_depth = {list(range(100))}"
    path.write_text(f"recipes = ['modern', 'fast']\n[[models]]\nnames = ['nin']\nknobs = {{ {knobs} }}\n")
    with pytest.raises(ArchbenchError, match=r"this is a grid of 20,200 runs; give --yes to plan more than 10,000$"):
        grid.of(str(path), {})


def test_an_unknown_experiment_is_refused_with_a_near_name() -> None:
    with pytest.raises(ArchbenchError, match="unknown experiment 'haed'; did you mean 'head'"):
        files.load("haed")
    with pytest.raises(ArchbenchError, match=r"experiment nowhere\.toml cannot be read: No such file"):
        files.load("nowhere.toml")


@pytest.mark.parametrize(("models", "seeds", "runs"), [("lenet,nin", "0-5000", "10,002"), ("lenet", "0-999999", "1,000,000")])
def test_a_grid_of_many_runs_is_asked_about_twice(models: str, seeds: str, runs: str, tmp_path: Path) -> None:
    with pytest.raises(ArchbenchError, match=f"a grid of {runs} runs; give --yes"):
        planning.make(Settings.of(models=models, seeds=seeds), ("train",), Store(tmp_path), ignore)


def test_a_grid_of_many_runs_is_planned_when_that_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_RUNS", 1)
    settings = Settings.of(models="lenet", seeds="0-1", yes=True)
    assert len(planning.make(settings, ("train",), Store(tmp_path), ignore).jobs) == 2


def test_a_plan_is_made_seed_by_seed_cheapest_first_and_times_each_network_once(tiny: str, tmp_path: Path) -> None:
    """Two networks, two fractions, two seeds."""
    events: list[Event] = []
    plan = running.planned(running.asked({"experiment": tiny, "results": tmp_path}, ("results",)), ("train",), events.append)
    assert len(plan.jobs) == 8
    places = [(job.seed, seconds) for job, seconds in zip(plan.jobs, plan.seconds, strict=True)]
    assert places == sorted(places)
    assert [seed for seed, _ in places] == 4 * [0] + 4 * [1]
    timed = [event for event in events if isinstance(event, Notice) and event.message.startswith("timing")]
    assert len(timed) == 2
    assert len({job.key for job in plan.jobs}) == 8
    rows = planned(plan)
    assert {(row.model, row.train_fraction, row.todo, row.there) for row in rows} == {
        (model, fraction, 2, 0) for model in ("lenet", "hog_linear") for fraction in (0.5, 1.0)
    }
    assert all(row.bytes is not None and row.bytes > 2**20 for row in rows)


def test_an_option_overrides_with_its_default_too_where_it_is_given(archbench: CommandLine, tiny: str) -> None:
    """`--seeds 0` is the default of a run without an experiment; here it leaves one of two seeds."""
    answer = archbench("train", "--experiment", tiny, "--seeds", "0", "--models", "lenet", "--dry-run", "--json")
    assert answer.returncode == 0, answer.stderr
    assert [(row["model"], row["train_fraction"], row["todo"]) for row in json.loads(answer.stdout)] == [
        ("lenet", 0.5, 1),
        ("lenet", 1.0, 1),
    ]
    assert "2 runs: 2 to do, about" in answer.stderr


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({}, "of memory"),
        ({"engine": "workers:3"}, "of memory in each of 3 processes"),
        ({"engine": "workers"}, "of memory in each process"),
        ({"engine": "ray"}, "of memory in each process"),
        ({"devices": 2}, "of memory in each of 2 processes"),
    ],
)
def test_memory_is_told_of_each_process(settings: dict[str, object], where: str) -> None:
    rows = [Planned("lenet", "train", "digits", "modern", 1.0, 4, 1, 8.0, 800 * 2**20)]
    said = plan_view.summary(rows, Settings.of(**settings))
    assert said == f"5 runs: 4 to do, about 8 s, one after the other; 1 there; at most about 800 MiB {where}"


def test_a_dry_run_refuses_what_the_run_would(tiny: str, tmp_path: Path) -> None:
    """More devices than this machine has, and devices beside workers."""
    with pytest.raises(ArchbenchError, match=r"^--devices 1024: there (is|are) \d+ cores? here$"):
        package.dry_run(experiment=tiny, results=tmp_path, devices=1024, device="cpu")
    with pytest.raises(ArchbenchError, match=r"^--devices gives a training several devices, --engine workers shares them out$"):
        package.dry_run(experiment=tiny, results=tmp_path, devices=2, engine="workers")


def test_an_experiment_is_run_resumed_and_answered(tiny: str, tmp_path: Path) -> None:
    """Two seeds of one network: one pair of runs without another network, and no verdict."""
    wanted = {"experiment": tiny, "results": tmp_path / "r", "deterministic": True}
    first = package.train(**wanted, seeds="0", models="lenet")
    plan = package.dry_run(**{**wanted, "models": "lenet"})
    trainings = plan[plan.kind == "train"]
    assert (len(first), trainings.todo.sum(), trainings.there.sum()) == (2, 2, 2)
    package.train(**wanted, seeds="0", train_fraction=1.0)
    ((sentence, other),) = package.answers(tiny, tmp_path / "r").values()
    assert sentence.startswith("50 % of the training set: ") and "no run of hog_linear has a result" in sentence
    assert "than lenet (1 seed each): inconclusive, fewer than 5 seeds." in other

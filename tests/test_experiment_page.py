"""What Records say to an experiment: cells, comparisons with their verdicts, sentences, and how much of the spread is the recipe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_record, make_tested

from archbench.experiments.definition import Cell, Experiment, Grid, Question
from archbench.publish import experiment, formats, pages
from archbench.publish.experiment import Answers
from archbench.publish.predictions import Kept
from archbench.records.schema import Measurement, Record
from archbench.two_way import shares

HEADS = tuple(
    Cell("nin", (("head", head),), label) for head, label in (("gap", "nin"), ("fc", "nin+head=fc"), ("fc_dropout", "nin+head=fc_dropout"))
)
HEAD = Question(ask="Which head?", factor="head", against="gap")
GAPS = Question(ask="Which overfits?", factor="head", against="gap", of="gap")


def gridded(*questions: Question, cells: Sequence[Cell] = HEADS, **axes: tuple[object, ...]) -> Grid:
    return Grid(Experiment(name="head", models=("nin",), questions=questions), tuple(cells), **axes)  # type: ignore[arg-type]


def seeds(label: str, middle: float, count: int = 5, train_pct: float | None = None, **changes: object) -> list[Record]:
    """Errors `middle` - 0.2, - 0.1, 0, + 0.1, + 0.2 in turn; all runs have the same error on training images."""
    records = []
    for seed in range(count):
        rows = [Measurement(name="test_error_pct", value=middle + (seed % 5 - 2) / 10, low=0, high=100, n=360, method="m")]
        rows += [Measurement(name="train_error_pct", value=train_pct, n=360, method="m")] if train_pct is not None else []
        records.append(make_record(label, seed=seed, measurements=tuple(rows), **changes))
    return records


def under(recipe: str = "modern", fraction: float = 1.0, epochs: int = 8) -> dict[str, object]:
    """The config of a training under another recipe, on another part of the data."""
    config = make_record().config
    data = {**config["data"], "train_fraction": fraction, "train_images": round(1437 * fraction)}
    return {**config, "training": {"name": recipe, "epochs": epochs}, "recipe": {"name": recipe, "lr": len(recipe)}, "data": data}


def only(grid: Grid, records: list[Record], kept: Kept | None = None) -> Answers:
    (found,) = experiment.answers(grid, records, kept or Kept())
    return found


def said(grid: Grid, records: list[Record], kept: Kept | None = None) -> list[str]:
    (reading,) = pages.experiment_page(grid, records, kept or Kept()).readings
    return [sentence for sentences in reading.answers.values() for sentence in sentences]


def test_a_verdict_has_its_interval_and_its_seeds() -> None:
    """Five seeds a side, s² = 0.025: Welch has 8 degrees of freedom, t(0.975, 8) = 2.306, standard error sqrt(0.025 * 2 / 5) = 0.1."""
    records = [*seeds("nin", 10.0), *seeds("nin+head=fc", 11.2), *seeds("nin+head=fc_dropout", 10.1)]
    low, high = 1.2 - 0.2306, 1.2 + 0.2306
    assert said(gridded(HEAD), records) == [
        f"nin: head=fc errs 1.2 points more than head=gap (95 % {low:.1f} to {high:.1f}, 5 seeds each): worse, on these test images.",
        "nin: head=fc_dropout errs 0.1 points more than head=gap (95 % -0.1 to 0.3, 5 seeds each): no difference told.",
    ]


def test_the_best_of_the_rows_is_marked_where_cells_have_the_same_network() -> None:
    cells = (*HEADS[:2], Cell("nin", (("head", "gap"),), "nin"), HEADS[2])
    records = [*seeds("nin", 20.0), *seeds("nin+head=fc", 30.0), *seeds("nin+head=fc_dropout", 10.0)]
    found = only(gridded(HEAD, cells=cells), records)
    networks, *_ = experiment.tables([found], records, Kept())
    assert list(networks.frame.model) == ["nin", "nin+head=fc", "nin+head=fc_dropout"]
    assert networks.best["test error, %"] == {2}


def test_less_is_said_in_its_own_direction_and_is_better() -> None:
    (first, second) = said(gridded(HEAD), [*seeds("nin", 12.0), *seeds("nin+head=fc", 11.0)])
    assert first == "nin: head=fc errs 1.0 points less than head=gap (95 % 0.8 to 1.2, 5 seeds each): better, on these test images."
    assert second == "nin: head=fc_dropout against head=gap: inconclusive, no run of head=fc_dropout has a result."


def test_fewer_than_five_seeds_carry_no_verdict() -> None:
    (first, _) = said(gridded(HEAD), [*seeds("nin", 10.0), *seeds("nin+head=fc", 20.1, count=4)])
    assert first.endswith("4 and 5 seeds): inconclusive, fewer than 5 seeds.")


def test_no_verdict_is_drawn_from_those_that_did_not_diverge() -> None:
    """Five and five that learned, far apart; behind one side two seeds more that did not."""
    ended = {"status": "diverged", "failure": {"reason": "loss", "message": "m"}, "measurements": ()}
    lost = [make_record("nin+head=fc", seed=seed, **ended) for seed in (5, 6)]
    records = [*seeds("nin", 10.0), *seeds("nin+head=fc", 20.0), *lost]
    (first, _) = said(gridded(HEAD), records)
    assert first.endswith("5 seeds each): inconclusive, since 2 of 7 runs of head=fc diverged.")


def test_with_predictions_the_verdict_holds_for_other_images_too(tmp_path: Path) -> None:
    """Of 200 images one side errs on 20 to 24 drawn for each seed, the other on 80 to 84; without scatter nothing can be told."""
    labels, draw = np.arange(200) % 10, np.random.default_rng(0)
    wrong = [np.stack([draw.permutation(200) < count + seed for seed in range(5)]) for count in (20, 80)]
    records = [*make_tested(tmp_path, "nin", wrong[0], labels), *make_tested(tmp_path, "nin+head=fc", wrong[1], labels)]
    assert said(gridded(HEAD), records, Kept(tmp_path))[0].endswith(": worse.")
    still = [make_record(label, seed=seed, error_pct=error) for label, error in (("nin", 10.0), ("nin+head=fc", 20.0)) for seed in range(5)]
    assert said(gridded(HEAD), still)[0].endswith("(5 seeds each): inconclusive, since no error differs from seed to seed.")


def test_all_p_of_all_questions_count_together() -> None:
    records = [*seeds("nin", 10.0, train_pct=5), *seeds("nin+head=fc", 10.2, train_pct=5), *seeds("nin+head=fc_dropout", 10.3, train_pct=5)]
    rows = only(gridded(HEAD, GAPS), records).compared
    smallest = min(row["p"] for row in rows)
    assert len(rows) == 4
    assert min(row["p_holm"] for row in rows) == pytest.approx(4 * smallest)


def test_the_gap_is_the_test_error_less_the_training_error() -> None:
    """Five seeds, s² = 0.025: t(0.975, 4) = 2.776, half an interval 2.776 * sqrt(0.025 / 5) = 0.196; training errors do not differ."""
    records = [*seeds("nin", 10.0, train_pct=8), *seeds("nin+head=fc", 10.0, train_pct=3)]
    sentence = said(gridded(GAPS), records)[0]
    assert sentence.startswith("nin: the gap between test and training error is 5.0 points larger with head=fc than with head=gap")
    cells = formats.cells(experiment.tables([only(gridded(GAPS), records)], records, Kept())[0])
    assert cells["gap, points"].tolist() == ["2.00 [1.80–2.20]", "7.00 [6.80–7.20]"]
    assert cells["train error, %"].tolist() == ["8.00 [8.00–8.00]", "3.00 [3.00–3.00]"]


def test_fractions_are_compared_each_with_its_own() -> None:
    grid = gridded(HEAD, cells=HEADS[:2], train_fractions=(0.1, 1.0))
    keyed = lambda label, part: {"key": f"{label}-{part}", "group": f"{label}-{part}"}  # noqa: E731
    records = [
        make_record(label, error_pct=error, config=under(fraction=part), **keyed(label, part))
        for label, part, error in (("nin", 0.1, 30.0), ("nin+head=fc", 0.1, 35.0), ("nin", 1.0, 10.0), ("nin+head=fc", 1.0, 7.5))
    ]
    assert [sentence.partition(" (")[0] for sentence in said(grid, records)] == [
        "nin, 10 % of the training set: head=fc errs 5.0 points more than head=gap",
        "nin, 100 % of the training set: head=fc errs 2.5 points less than head=gap",
    ]


def test_what_the_experiment_does_not_vary_keeps_runs_apart() -> None:
    records = [*seeds("nin", 10.0), *seeds("nin+head=fc", 11.0, config=under(epochs=20))]
    assert experiment.answers(gridded(HEAD), records, Kept()) == []


def long(recipe: str, epochs: int, own: int, error_pct: float) -> Record:
    """A run of a recipe over so many epochs, of which `own` are its own."""
    config, name = under(recipe, epochs=epochs), f"{recipe}-{epochs}"
    config["recipe"] = {"name": recipe, "epochs": own}
    return make_record("nin", error_pct=error_pct, config=config, key=name, group=name)


def test_recipes_are_compared_at_one_length_or_each_at_its_own() -> None:
    """What fast errs after 14 epochs says nothing beside modern after 8."""
    question = Question(ask="Which recipe?", factor="recipe", against="modern")
    grid = gridded(question, cells=HEADS[:1], recipes=("fast", "modern"))
    records = [long("fast", 4, 4, 20.0), long("modern", 4, 30, 30.0), long("modern", 30, 30, 15.0), long("fast", 14, 4, 12.0)]
    found = experiment.answers(grid, [*records, long("modern", 8, 30, 17.0)], Kept())
    points = [round(each.compared[0]["difference_points"], 6) for each in found]
    assert list(zip(points, ["epochs 4" in each.caption for each in found], strict=True)) == [(5, False), (-10, True)]
    pinned = Grid(grid.experiment.model_copy(update={"settings": {"epochs": 4}}), grid.cells, grid.recipes)
    assert [each.compared[0]["difference_points"] for each in experiment.answers(pinned, records, Kept())] == pytest.approx([-10])


def test_runs_of_before_an_edit_are_left_out() -> None:
    old = [
        make_record("nin", seed=seed, error_pct=50.0, group="before", key=f"old-{seed}", created=f"2025-01-01T00:00:0{seed}")
        for seed in range(5)
    ]
    rows = only(gridded(HEAD), [*old, *seeds("nin", 10.0), *seeds("nin+head=fc", 11.0)]).compared
    assert rows[0]["difference_points"] == pytest.approx(1.0)


def test_shares_of_the_spread_are_those_of_statsmodels() -> None:
    """Unequal cells, so that the type of the sums matters."""
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    draw = np.random.default_rng(1)
    first, second = draw.choice(["a", "b", "c"], 60), draw.choice(["u", "v"], 60)
    values = np.where(first == "a", 3.0, 1.0) + np.where(second == "u", 1.5, 0.0) + draw.normal(size=60)
    sums = anova_lm(
        ols("value ~ C(first) * C(second)", pd.DataFrame({"first": first, "second": second, "value": values})).fit(), typ=2
    ).sum_sq
    found = shares(list(first), list(second), list(values))
    assert [each.value for each in found[:4]] == pytest.approx((100 * sums / sums.sum()).tolist())
    assert found.first.low < found.first.value < found.first.high


def test_the_spread_of_the_errors_is_split_in_recipe_and_architecture() -> None:
    """Recipes differ by 6, networks by 2, nothing besides but seeds: of 4 cells of 5 the sums of squares are 20 * 9, 20 * 1, 4 * 0.1."""
    cells = tuple(Cell(name, (), name) for name in ("a", "b"))
    grid = gridded(Question(ask="How much?", spread=("recipe", "model")), cells=cells, recipes=("fast", "modern"))
    records = [
        record.model_copy(update={"key": f"{record.key}-{recipe}", "group": f"{record.group}-{recipe}"})
        for recipe, more in (("fast", 6.0), ("modern", 0.0))
        for name, middle in (("a", 10.0), ("b", 12.0))
        for record in seeds(name, middle + more, config=under(recipe))
    ]
    (spread,) = only(grid, records).spreads.values()
    assert [row["share_pct"] for row in spread.rows] == pytest.approx([100 * part / 200.4 for part in (180, 20, 0, 0.4)], abs=1e-6)
    (sentence,) = said(grid, records)
    assert sentence.startswith("Of the spread of the test errors: the recipe 90 % (95 % ")
    assert sentence.endswith(": more the recipe.")
    (fewer,) = said(grid, [record for record in records if int(record.key.split("-")[2]) < 2])
    assert fewer.endswith(": inconclusive, fewer than 5 seeds.")
    lost = [record for record in records if (record.model.label, record.config["training"]["name"]) != ("b", "fast")]
    assert experiment.answers(grid, lost, Kept()) == []


def test_the_interval_of_a_share_is_about_the_share() -> None:
    """Three recipes and eight networks that add up, five seeds: in each of 40 sets every share lies in its own interval."""
    draw, first, second = np.random.default_rng(0), np.repeat(list("abc"), 40), np.tile(np.repeat(list("stuvwxyz"), 5), 3)
    middle = np.repeat([0.0, 1.0, 3.0], 40) + np.tile(np.repeat(np.arange(8.0), 5), 3)
    for _ in range(40):
        found = shares(list(first), list(second), list(middle + draw.normal(0, 0.5, 120)))
        assert all(each.low <= each.value <= each.high for each in found)


def test_shares_of_single_runs_have_no_interval() -> None:
    found = shares(["a", "a", "b", "b"], ["u", "v", "u", "v"], [1.0, 2.0, 3.0, 5.0])
    assert math.isnan(found.first.low)

"""Test errors ranked over seeds, each pair, the guard against mixing, and the errors of classes, from Records and the files beside them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine, make_record, make_tested

from archbench import stats
from archbench.cli.tables import _check_one_ranking
from archbench.errors import ArchbenchError
from archbench.publish import classes, errors, formats, guard, pairwise
from archbench.publish.errors import Ranking
from archbench.publish.pairwise import Entry
from archbench.publish.predictions import Kept
from archbench.publish.results import Table
from archbench.records.schema import Doubt, Record
from archbench.records.store import Store


def seeds(model: str, found_pct: Sequence[float], **changes: object) -> list[Record]:
    """A Record a seed with these test errors."""
    return [make_record(model, seed=seed, error_pct=error, **changes) for seed, error in enumerate(found_pct)]


def around(middle: float) -> list[float]:
    """Five seeds."""
    return [middle + step / 10 for step in (-2, -1, 0, 1, 2)]


def under(precision: str = "fp32", epochs: int = 8) -> dict[str, object]:
    """The config of a training under another precision or length."""
    config = make_record().config
    return {**config, "execution": {**config["execution"], "precision": precision}, "training": {"name": "modern", "epochs": epochs}}


def tables(records: list[Record], kept: Kept | None = None, mix: bool = False) -> list[Table]:
    kept = kept or Kept()
    return errors.tables(errors.rankings(records, kept, mix), records, kept)


def only(records: list[Record], kept: Kept | None = None) -> Ranking:
    (ranking,) = errors.rankings(records, kept or Kept())
    return ranking


def test_a_row_has_the_mean_over_seeds_with_students_interval() -> None:
    """11, 12, 13: s = 1, t(0.975, 2) = 4.302653."""
    row = formats.cells(tables(seeds("nin", [11.0, 12.0, 13.0]))[0]).iloc[0]
    half = 4.302653 / math.sqrt(3)
    assert (row["seeds"], row["test error, %"], row["interval"]) == ("3", "12.0", f"{12 - half:.1f} to {12 + half:.1f}")


def test_one_seed_has_wilsons_interval_and_says_so() -> None:
    table = tables([make_record()])[0]
    assert formats.cells(table)["interval"].tolist() == ["7.3 to 13.5"]
    assert any("Wilson's" in note and "nothing about other seeds" in note for note in table.notes)


def test_a_rank_counts_those_that_are_significantly_better() -> None:
    """Seeds scatter by 0.16 points: a and b differ by 0.1, c is 5 points behind both, d has too few seeds for a rank."""
    records = [*seeds("c", around(15.0)), *seeds("a", around(10.0)), *seeds("b", around(10.1)), *seeds("d", [2.0, 2.1])]
    ranked, paired = tables(records)
    assert ranked.frame.model.tolist() == ["d", "a", "b", "c"]
    assert formats.cells(ranked)["rank"].tolist() == ["–", "1", "1", "3"]
    verdicts = {(row["model"], row["against"]): row["verdict"] for _, row in paired.frame.iterrows()}
    assert verdicts == {
        **dict.fromkeys([("d", "a"), ("d", "b"), ("d", "c")], ""),  # fewer than five seeds on a side
        ("a", "b"): "not told apart",
        **dict.fromkeys([("a", "c"), ("b", "c")], "better on these images"),  # without predictions nothing is said of others
    }


def test_four_seeds_carry_no_verdict() -> None:
    ranked, paired = tables([*seeds("a", around(10.0)), *seeds("b", around(20.0)[:4])])
    assert "rank" not in formats.cells(ranked)
    assert "verdict" not in formats.cells(paired)
    assert any("at least 5 seeds" in note for note in paired.notes)


def test_a_network_at_chance_is_named_beside_its_differences() -> None:
    stuck = Doubt(code="at_chance", message="not below 90.0 %")
    records = [*seeds("nin", around(30.0)), *seeds("lenet", around(90.0), warnings=(stuck,)), *seeds("vgg", around(40.0))]
    _, paired = tables(records)
    said = [note for note in paired.notes if "at chance" in note]
    assert said == ["lenet: 5 of 5 runs at chance, so that its differences do not say what it can learn"]


def test_p_values_count_all_pairs() -> None:
    """Three pairs: the smallest p times 3, the next times 2, the largest as it is, none below the one before."""
    found = sorted(only([*seeds("a", around(10.0)), *seeds("b", around(10.2)), *seeds("c", around(10.5))]).pairs, key=lambda row: row["p"])
    expected = [3 * found[0]["p"], max(3 * found[0]["p"], 2 * found[1]["p"])]
    assert [row["p_holm"] for row in found] == pytest.approx([*expected, max(expected[1], found[2]["p"])])


def test_a_difference_that_other_images_could_turn_holds_on_these_images_alone(tmp_path: Path) -> None:
    """Of 100 images one side errs on the first 10 with each seed, the other on the last 14; of each, one seed errs on one image more.

    Over seeds 10, 10, 10, 10, 11 against 14, 14, 14, 14, 15 is clear; over images, ten for and fourteen against are not.
    """
    labels, place = np.arange(100) % 10, np.arange(100)

    def nearly_alike(wrong: np.ndarray) -> np.ndarray:
        errs = np.tile(wrong, (5, 1))
        errs[4, 20] = True
        return errs

    first = make_tested(tmp_path, "a", nearly_alike(place < 10), labels)
    second = make_tested(tmp_path, "b", nearly_alike(place >= 86), labels)
    (pair,) = only([*first, *second], Kept(tmp_path)).pairs
    assert (pair["difference_points"], pair["verdict"]) == (pytest.approx(4), "better on these images")
    assert pair["low_images_points"] < 0 < pair["high_images_points"]
    clear = make_tested(tmp_path, "c", nearly_alike(place >= 30), labels)
    (pair,) = only([*first, *clear], Kept(tmp_path)).pairs
    assert (pair["verdict"], pair["low_images_points"] > 0) == ("better", True)


def test_two_trained_networks_are_compared_by_mcnemar_and_it_is_called_so(tmp_path: Path) -> None:
    """Of 100 images 10 are wrong in one alone and 2 in the other alone: p = 158 / 4096, as test_stats derives."""
    labels, place = np.arange(100) % 10, np.arange(100)
    records = [*make_tested(tmp_path, "a", (place < 2)[None], labels), *make_tested(tmp_path, "b", (place >= 90)[None], labels)]
    paired = tables(records, Kept(tmp_path))[1]
    assert formats.cells(paired)["p, McNemar"].tolist() == [f"{158 / 4096:.3f}"]
    assert "verdict" not in formats.cells(paired)
    assert any(note.startswith("p McNemar") and "of two trained networks" in note for note in paired.notes)


def test_absent_predictions_are_said_and_damaged_ones_are_a_problem(tmp_path: Path) -> None:
    labels, wrong = np.arange(20) % 10, np.zeros((5, 20), bool)
    records = [*make_tested(tmp_path, "a", wrong, labels), *make_tested(tmp_path, "b", wrong, labels)]
    (tmp_path / "files" / "b-3" / "predictions.npz").unlink()
    (tmp_path / "files" / "a-1" / "predictions.npz").write_bytes(b"other")
    kept = Kept(tmp_path)
    paired = tables(records, kept)[1]
    assert "no test over images for a, b: their predictions do not lie beside the Records" in paired.notes
    assert kept.problems == ["files/a-1/predictions.npz was changed after it was written: its hash is not its Record's"]


def test_runs_of_one_network_under_two_versions_of_torch_are_two_rows_when_mixed() -> None:
    """Two seeds and three, which one row would rank as five."""
    environment = make_record().environment
    newer = {**environment, "libraries": {**environment["libraries"], "torch": "2.99.0"}}
    two, three = ([make_record("a", seed=seed, error_pct=9.0 + seed / 10) for seed in part] for part in ((0, 1), (2, 3, 4)))
    newer_three = [record.model_copy(update={"environment": newer}) for record in three]
    mixed, _ = tables([*two, *newer_three, *seeds("b", around(20.0))], mix=True)
    assert formats.cells(mixed)[["model", "seeds"]].to_numpy().tolist() == [["a¹", "2"], ["a²", "3"], ["b¹", "5"]]
    assert mixed.frame["rank"].isna().all()


def test_settings_that_differ_are_ranked_apart_unless_told_to_mix() -> None:
    other = under("bf16", epochs=2)
    records = [*seeds("a", around(10.0)), *seeds("b", around(15.0), config=other), *seeds("c", around(12.0))]
    assert [table.frame.model.tolist() for table in tables(records)[::2]] == [["a", "c"], ["b"]]
    mixed, paired = tables(records, mix=True)
    assert formats.cells(mixed)["model"].tolist() == ["a¹", "c¹", "b²"]
    assert mixed.frame["rank"].tolist() == [1, 2, 3]
    assert mixed.notes[:2] == ("¹ epochs 8, precision fp32", "² epochs 2, precision bf16")
    assert mixed.caption.startswith("test errors · mixed in epochs, precision · data digits · recipe modern · ")
    assert ("a¹", "b²") in zip(paired.frame.model, paired.frame.against, strict=True)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("data", "name", "cifar10"),
        ("data", "fingerprint", "other"),
        ("data", "train_fraction", 0.2),
        ("data", "train_images", 500),
        ("data", "val_fraction", 0.1),
        ("training", "name", "fast"),
        ("training", "epochs", 30),
        ("training", "flip", "chosen"),
        ("training", "test_flip", "chosen"),
        ("recipe", "lr", 0.5),
        ("execution", "precision", "bf16"),
        ("execution", "micro_batch", 16),
    ],
)
def test_what_may_not_be_mixed(part: str, name: str, value: object) -> None:
    """Data set, recipe, budget, precision, fraction: one that differs is enough to refuse, and is named."""
    config = make_record().config
    other = make_record("vgg", config={**config, part: {**config[part], name: value}})
    with pytest.raises(ArchbenchError, match=r"no table holds nin, vgg together.*--mix") as caught:
        guard.one_ranking([make_record(), other], ["nin", "vgg"])
    assert str(value) in str(caught.value) or name == "train_fraction"
    guard.one_ranking([make_record(), other, make_record("vgg")], ["nin", "vgg"])  # they stand together elsewhere


def test_recipes_of_one_name_are_told_apart_by_what_differs_in_them() -> None:
    first, second = (make_record(config={**make_record().config, "recipe": {"name": "modern", "lr": rate}}) for rate in (0.1, 0.5))
    assert guard.said(second, guard.differing([first, second])) == "recipe: lr 0.5"


def test_a_rate_is_compared_at_the_batch_that_it_was_used_at() -> None:
    """0.005 for 64 images is 0.01 for 128, however the recipe says it; twice 0.01 is another."""
    config = {**make_record().config, "batch": 128}
    kept = {"one": (0.01, None), "tied": (0.005, 64), "other": (0.01, 64)}
    one, tied, other = (
        make_record(config={**config, "recipe": {"name": "fast", "lr": rate, "lr_batch": of}}) for rate, of in kept.values()
    )
    assert not guard.differing([one, tied])
    assert guard.said(other, guard.differing([one, other])) == "recipe: lr 0.02"


def test_tables_of_one_caption_say_what_sets_them_apart() -> None:
    rates = {"nin": 0.1, "vgg": 0.5}
    records = [make_record(name, config={**make_record().config, "recipe": {"name": "modern", "lr": rate}}) for name, rate in rates.items()]
    first, second = (table.caption for table in tables(records))
    assert (first.rpartition(" · ")[2], second.rpartition(" · ")[2]) == ("recipe: lr 0.1", "recipe: lr 0.5")


def test_a_tuned_network_is_called_so_beside_itself() -> None:
    """Its evidence, as studies.Found keeps it."""
    evidence = {"trials": 12, "val_fraction": 0.1, "span": 10.0, "space": ["lr"]}
    config = {**make_record().config, "tuned": evidence}
    tuned = [make_record(seed=seed, error_pct=error, config=config, key=f"t{seed}", group="t") for seed, error in enumerate(around(8.0))]
    ranked, paired = tables([*seeds("nin", around(10.0)), *tuned])
    assert formats.cells(ranked)[["model", "tuned, trials"]].to_numpy().tolist() == [["nin (tuned, 12)", "12"], ["nin", "–"]]
    assert (paired.frame.model[0], paired.frame.against[0]) == ("nin (tuned, 12)", "nin")
    assert any(note.startswith("tuned: ") for note in ranked.notes)


def test_the_bootstrap_of_many_pairs_draws_enough_for_holm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 253 pairs (23 networks) the least p of 10,000 draws, 2 / 10,001, comes to 0.0506; 4 / 0.05 draws a pair keep it below 0.05."""
    least = 253 * 2 / 0.05
    assert least > 10_001
    labels, wrong = np.arange(20) % 10, np.zeros((5, 20), bool)
    one, *others = (Entry(make_tested(tmp_path, f"a{number}", wrong, labels)) for number in range(24))
    drawn: list[int] = []

    def difference(*sides: object, draws: int) -> stats.Comparison:
        drawn.append(draws)
        return stats.Comparison(0.0, -1.0, 1.0, 1.0)

    monkeypatch.setattr(stats, "difference_over_images", difference)
    pairs = itertools.islice(itertools.cycle((one, other) for other in others), 253)
    pairwise.compared(pairs, Kept(tmp_path))
    assert len(drawn) == 253
    assert min(drawn) + 1 > least


def test_lost_predictions_make_no_verdict_surer(tmp_path: Path) -> None:
    """Of three pairs one keeps its predictions: its p counts three times all the same."""
    labels, draw = np.arange(200) % 10, np.random.default_rng(1)
    sides = [make_tested(tmp_path, name, draw.random((5, 200)) < share, labels) for name, share in (("a", 0.1), ("b", 0.2), ("c", 0.3))]
    for seed in range(5):
        (tmp_path / "files" / f"c-{seed}" / "predictions.npz").unlink()
    pairs = only([record for side in sides for record in side], Kept(tmp_path)).pairs
    (told,) = (row for row in pairs if not math.isnan(row["p_images"]))
    assert told["p_images_holm"] == pytest.approx(min(1, 3 * told["p_images"]))


def test_runs_that_failed_are_counted_beside_the_others() -> None:
    lost = make_record("a", seed=9, status="failed", measurements=())
    assert "a: 1 more run failed, in no figure" in tables([*seeds("a", around(10.0)), lost])[0].notes


def test_a_network_that_always_diverged_comes_last_and_one_that_did_in_part_says_so() -> None:
    lost = make_record("a", seed=9, status="diverged", measurements=())
    ranked = tables([*seeds("a", around(10.0)), lost, make_record("b", status="diverged", measurements=())])[0]
    assert formats.cells(ranked)["test error, %"].tolist() == ["10.00", "diverged"]
    assert "a: 1 of 6 runs diverged and are in no figure" in ranked.notes


def test_of_many_networks_the_table_holds_neighbours_and_the_rows_all() -> None:
    found = errors.rankings([make_record(f"m{place:02d}", error_pct=float(place)) for place in range(12)], Kept())
    assert len(errors.tables(found, [], Kept())[1].frame) == 11
    assert errors.frame(found).against.notna().sum() == 12 * 11 / 2


def test_the_errors_of_classes_and_what_they_are_taken_for(tmp_path: Path) -> None:
    """Forty images of ten classes; one seed takes half of class 3 for 4, the other none: a quarter of class 3 over both."""
    labels = np.repeat(np.arange(10), 4)
    wrong = np.zeros((2, 40), bool)
    wrong[0, 12:14] = True
    names = {"config": {**make_record().config, "classes": list("abcdefghij")}}
    records = make_tested(tmp_path, "nin", wrong, labels, **names)
    by_class, confusion = classes.tables(records, Kept(tmp_path))
    assert formats.cells(by_class).iloc[3].to_dict() == {"class": "d", "images": "4", "nin": "25.0"}
    assert formats.cells(confusion).iloc[3].to_dict() == {**dict.fromkeys("abcdefghij", "0"), "class": "d", "d": "75.0", "e": "25.0"}
    rows = classes.frame(records, Kept(tmp_path))
    taken = rows[rows["class"] != rows.predicted].iloc[0]
    assert (taken["class"], taken.predicted, taken.images, taken.share_pct, taken.seeds) == ("d", "e", 2, 25, 2)
    assert classes.tables(records, Kept()) == []


def test_of_many_classes_the_commonest_confusions_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "WIDEST", 9)
    labels = np.repeat(np.arange(10), 4)
    records = make_tested(tmp_path, "nin", (labels == 2)[None], labels)
    shown = formats.cells(classes.tables(records, Kept(tmp_path))[1])
    assert shown.to_dict("records") == [{"class": "2", "taken for": "3", "images": "4", "of the class, %": "100.0"}]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two networks of five seeds with predictions, and a third that was trained for longer."""
    labels, draw = np.arange(200) % 10, np.random.default_rng(0)
    for model, share, changes in (("nin", 0.1, {}), ("resnet_bottleneck", 0.3, {}), ("vgg", 0.2, {"config": under(epochs=20)})):
        for record in make_tested(tmp_path / "r", model, draw.random((5, 200)) < share, labels, **changes):  # type: ignore[arg-type]
            Store(tmp_path / "r").save(record)
    return tmp_path / "r"


def test_the_errors_page_in_every_form(archbench: CommandLine, store: Path) -> None:
    shown = archbench("tables", "errors", "--results", "r").stdout
    assert max(map(len, shown.splitlines())) <= 80
    archbench("tables", "errors", "--results", "r", "--out", "t")
    assert " | better |" in (store.parent / "t" / "errors.md").read_text()
    assert (store.parent / "t" / "errors.csv").read_text().startswith("model,title,year,setting,test_error_pct,")
    rows = json.loads(archbench("tables", "errors", "--results", "r", "--json").stdout)
    assert [(row["name"], row["against"], row["rank"]) for row in rows] == [
        ("nin", None, 1),
        ("resnet_bottleneck", None, 2),
        ("nin", "resnet_bottleneck", None),
        ("vgg", None, None),
    ]
    assert rows[2]["verdict"] == "better"


def test_networks_named_one_by_one_are_not_mixed_unless_told_to(archbench: CommandLine, store: Path) -> None:
    refused = archbench("tables", "errors", "--models", "nin,vgg", "--results", "r")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "archbench: no table holds nin, vgg together, since errors are ranked under equal settings alone "
        "(nin: epochs 8; vgg: epochs 20); --mix ranks them all the same and footnotes each row\n"
    )
    assert "¹ epochs 8" in archbench("tables", "errors", "--models", "nin,vgg", "--mix", "--results", "r").stdout


def test_a_pattern_names_no_ranking() -> None:
    _check_one_ranking([make_record(), make_record("vgg", config=under(epochs=20))], ["nin*", "vgg"])


def test_a_damaged_prediction_is_named_behind_the_table(archbench: CommandLine, store: Path) -> None:
    (store / "files" / "nin-0" / "predictions.npz").write_bytes(b"other")
    answer = archbench("tables", "classes", "--results", "r")
    assert answer.returncode == 2
    assert "resnet_bottleneck" in answer.stdout
    assert answer.stderr == "archbench: files/nin-0/predictions.npz was changed after it was written: its hash is not its Record's\n"

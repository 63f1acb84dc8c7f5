"""The maps page, from Records with figures of our choosing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from conftest import make_record

from archbench.publish import map_answers, maps
from archbench.publish.formats import texts
from archbench.publish.mapped import conditions, name_of
from archbench.publish.pages import page
from archbench.publish.predictions import Kept
from archbench.publish.results import Table
from archbench.rank_correlation import spearman
from archbench.records.schema import Doubt, Measurement, Record

ROWS = {"pointing_pct": 60.0, "pointing_mask_pct": 40.0, "energy_object_pct": 30.0, "energy_ground_pct": 60.0, "deletion": 0.5}


def explained(
    model: str = "nin",
    link: int = 95,
    test: str = "kept",
    seed: int = 0,
    method: str = "gradcam",
    error: float = 10.0,
    learned: str = "",
    **figures: float,
) -> Record:
    """One training explained on one test; the Gaussian about the middle always points at 50 %."""
    data = "+".join(["shapes", *[f"link={link}"] * bool(link), *[f"test={test}"] * (test != "kept")])
    wrong, right = figures.pop("wrong", 60.0), figures.pop("right", 60.0)
    untrained = figures.pop("untrained", 50.0)
    own: list[tuple[str, dict[str, Any], float]] = [(name, {"of": "map"}, value) for name, value in {**ROWS, **figures}.items()]
    own += [("pointing_pct", {"of": of}, value) for of, value in (("centre", 50.0), ("random", 25.0), ("untrained", untrained))]
    own += [("test_error_pct", {"split": "test"}, error)]
    own += [("energy_ground_pct", {"of": "map", "silent": False}, figures.get("energy_ground_pct", 60.0))]
    own += [("energy_ground_pct", {"of": "map", "answer": answer}, value) for answer, value in (("right", right), ("wrong", wrong))]
    rows = tuple(Measurement(name=name, value=value, low=value - 1, high=value + 1, n=300, method="m", at=at) for name, at, value in own)
    base = make_record(model, "explain", seed).config
    config = {
        **base,
        "data": {**base["data"], "name": data, "train_images": 0, "test_images": 2000},
        "trained_on": {**base["data"], "name": learned or data.partition("+test")[0], "train_images": 4000},
        "explain": {**base["explain"], "method": method},
    }
    key = f"{model}-{link}-{test}-{method}-{learned}"
    return make_record(model, "explain", seed, key=f"{key}-{seed}", group=key, config=config, measurements=rows)


def five(**changes: Any) -> list[Record]:
    """Five seeds whose share of pointing maps is 58, 59, 60, 61, 62 %, or lies so about another middle."""
    middle = changes.pop("pointing_pct", 60.0)
    return [explained(seed=seed, pointing_pct=middle + seed - 2, **changes) for seed in range(5)]


def on_photos(record: Record, learned: str = "f", **changed: str) -> Record:
    """The same on images whose objects somebody marked; it learned from a drawn set with a link."""
    config = record.config
    boxes = {"name": "photos.csv", "sha256": "1f2e3d4c5b6a", **changed}
    own = {"data": {**config["data"], "name": "photos"}, "trained_on": {**config["trained_on"], "fingerprint": learned}}
    return record.model_copy(update={"config": {**config, **own, "explain": {**config["explain"], "boxes": boxes}}})


def tables(records: list[Record]) -> dict[str, Table]:
    """By what follows the condition in their captions."""
    (condition,) = conditions(records)
    return {each.caption.removeprefix(f"{condition.caption} · "): each for each in maps.tables(records)}


def cells(records: list[Record]) -> Any:
    (condition,) = conditions(records)
    return condition.cells


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ("shapes", ("shapes", 0, "kept")),
        ("shapes+px=64+link=95+test=broken", ("shapes+px=64", 95, "broken")),
        ("shapes+link=y", ("shapes", 0, "kept")),
    ],
)
def test_the_name_of_a_test_set_in_parts(data: str, parts: tuple[str, int, str]) -> None:
    assert name_of(data) == parts


def test_a_training_that_is_tested_on_another_link_stands_apart() -> None:
    """Trained on a link of 80 %, explained on images without one: no row of those that learned from such images."""
    found = conditions([*five(link=0), explained(link=0, learned="shapes+link=80")])
    assert [[(cell.link, len(cell.records)) for cell in each.cells] for each in found] == [[(0, 5)], [(80, 1)]]
    assert [each.caption.rpartition(" · ")[2] for each in found] == [
        "learned from such images",
        "learned from shapes+link=80",
    ]


def test_a_row_is_a_network_and_link_with_intervals_over_seeds() -> None:
    """60 ± t(0.975, 4) · sqrt(2.5 / 5) = 2.7764 · 0.70711 = 1.963."""
    records = [*five(), *five(test="broken", error=30.0), *five(link=0)]
    made = tables(records)
    for each in (made["test errors"], made["link kept · localisation"]):
        assert list(each.frame[["model", "link_pct", "n"]].itertuples(index=False, name=None)) == [("nin", 0, 5), ("nin", 95, 5)]
    shown = made["link kept · localisation"].frame.iloc[1]
    assert shown["peak in box, %"] == pytest.approx(60.0)
    assert shown["peak in box, %_high"] == pytest.approx(61.963, abs=1e-3)
    errors = made["test errors"].frame.iloc[1]
    assert (errors["link kept, %"], errors["link broken, %"]) == (10.0, 30.0)
    assert math.isnan(errors["link reversed, %"])
    assert "link reversed, %" not in texts(made["test errors"])
    assert len(made["link broken: any ground · localisation"].frame) == 1


def test_one_seed_keeps_its_interval_over_images() -> None:
    made = tables([explained()])
    assert made["link kept · localisation"].frame["box IoU"].isna().all()
    shown = made["link kept · faithfulness"]
    assert (shown.frame["deletion_low"][0], shown.frame["deletion_high"][0]) == (-0.5, 1.5)
    assert maps.INTERVALS[False] in shown.notes


def test_the_best_of_each_link_are_marked_and_no_other() -> None:
    """Of the share on ground the least: at 95 % lenet's 40, at 50 % nin's 60; 20 points are 20 standard errors of sqrt(2 · 2.5 / 5)."""
    records = [explained(seed=seed, energy_ground_pct=60.0 + seed - 2) for seed in range(5)]
    records += [explained("lenet", seed=seed, energy_ground_pct=40.0 + seed - 2) for seed in range(5)]
    records += [explained(link=50, seed=seed, energy_ground_pct=60.0 + seed - 2) for seed in range(5)]
    records += [explained("lenet", link=50, seed=seed, energy_ground_pct=80.0 + seed - 2) for seed in range(5)]
    first = tables(records)["link kept · localisation"]
    marked = {(first.frame.model[place], first.frame.link_pct[place]) for place in first.best["energy on ground, %"]}
    assert marked == {("lenet", 95), ("nin", 50)}
    assert f"bold: at each link {maps.BEST}" in first.notes


def test_maps_in_which_nothing_speaks_have_no_share_on_ground() -> None:
    """The share that counts them has them at 0, and would make a dead network the best."""
    records = [explained(seed=seed) for seed in range(5)]
    dead = explained("lenet", energy_ground_pct=0.0)
    rows = tuple(
        row.model_copy(update={"value": None, "low": None, "high": None}) if "silent" in row.at else row for row in dead.measurements
    )
    dead = dead.model_copy(update={"measurements": rows})
    shown = tables([*records, dead])["link kept · localisation"]
    assert dict(zip(shown.frame.model, texts(shown)["energy on ground, %"], strict=True)) == {"lenet": "–", "nin": "60.00 [60.00–60.00]"}
    both = [dead, explained("lenet", seed=1, energy_ground_pct=70.0)]
    assert texts(tables(both)["link kept · localisation"])["energy on ground, %"] == ["70.0"]  # of one of two seeds: no interval
    (row,) = maps.frame(both).query("maps == 'map'").to_dict("records")
    assert (row["n"], row["energy_ground_pct_not_silent"]) == (2, 70.0)


def test_errors_are_in_doubt_by_the_test_with_the_link_kept_alone() -> None:
    """With a broken link any network that looks at the ground is at chance."""
    chance = Doubt(code="at_chance", message="its test error cannot be told from that of naming the commonest class")
    broken = explained(test="broken", error=90.0).model_copy(update={"warnings": (chance,)})
    kept = explained("lenet").model_copy(update={"warnings": (chance,)})
    said = [note for note in tables([explained(), broken, kept])["test errors"].notes if chance.message in note]
    assert [note.partition(":")[0] for note in said] == ["lenet"]


@pytest.mark.parametrize("apart", [{"method": "cam"}, {"n": 200}, {"protocol": 3}])
def test_what_was_made_otherwise_stands_in_a_table_of_its_own(apart: dict[str, Any]) -> None:
    one, other = explained(), explained(seed=1)
    other = other.model_copy(update={"config": {**other.config, "explain": {**other.config["explain"], **apart}}})
    captions = [each.caption for each in conditions([one, other])]
    assert len(set(captions)) == 2


def test_an_edited_network_stands_there_as_it_was_last() -> None:
    old, new = explained(seed=1), explained(seed=0, error=20.0)
    new = new.model_copy(update={"group": "other", "created": "2027"})
    (cell,) = cells([old, new])
    assert [run.config["seed"] for run in cell.runs["kept"]] == [0]


def test_a_map_points_at_the_object_where_it_does_so_more_often_than_the_middle() -> None:
    """10 points above 50, standard error 0.7071: t = 14.1; 50 itself cannot be told; 10 below is below; four seeds tell nothing."""
    records = [*five(link=50), *five(link=80, pointing_pct=50.0), *five(link=100, pointing_pct=40.0), *five(link=0)[:4]]
    found = {each.cell.link: each for each in map_answers.pointing(cells(records))}
    assert {link: each.verdict for link, each in found.items()} == {
        50: "points at the object",
        80: "no difference told",
        100: "points at it less than the middle does",
        0: "inconclusive",
    }
    assert found[50].above.value == pytest.approx(10.0)
    (line,) = map_answers.points(cells(records))
    assert line == (
        "nin, against a Gaussian about the middle: "
        "points at the object at a link of 50 % (60.0 % of 300 images, +10.0 points, 95 % 8.0 to 12.0); "
        "no difference told at a link of 80 % (50.0 % of 300 images, +0.0 points, 95 % -2.0 to 2.0); "
        "points at it less than the middle does at a link of 100 % (40.0 % of 300 images, -10.0 points, 95 % -12.0 to -8.0); "
        "inconclusive, fewer than 5 seeds at a link of 0 % (59.5 % of 300 images, +9.5 points, 95 % 7.4 to 11.6)."
    )


def test_maps_of_weights_that_nobody_trained_are_set_beside_the_middle_and_random_maps() -> None:
    """40 ± 2.7764 · 0.70711 against 50, of the least link alone; a network whose untrained maps never scatter tells nothing."""
    records = [
        *[explained(link=link, seed=seed, untrained=38.0 + seed) for link in (0, 80) for seed in range(5)],
        *five(model="vgg", link=50, pointing_pct=90.0),
    ]
    assert map_answers.untrained(cells(records)) == (
        "nin, against a Gaussian about the middle: points at it less than the middle does (40.0 % of 300 images, -10.0 points, "
        "95 % -12.0 to -8.0); random maps 25.0 %, trained with a link of 0 % 60.0 %.",
        "vgg, against a Gaussian about the middle: inconclusive, since all seeds are alike (50.0 % of 300 images, +0.0 points, "
        "95 % 0.0 to 0.0); random maps 25.0 %, trained with a link of 50 % 90.0 %.",
    )
    assert map_answers.untrained(cells([explained(test="broken")])) == ("No run was tested with the link kept.",)


def test_images_that_are_not_drawn_have_no_link() -> None:
    """Neither a column of it nor a word; what tells the objects stands above, and parts the tables."""
    records = [on_photos(each) for model in ("nin", "vgg") for each in five(model=model)]
    made = tables(records)
    centre = made[f"test images · baseline: {maps.BASELINES['centre']} · localisation"]
    assert texts(centre)["model"] == ["all"]
    assert "link, %" not in texts(centre)
    assert list(texts(made["test errors"])) == ["model", "test error, %", "seeds"]
    assert list(texts(made["test images · localisation"]))[:2] == ["model", "peak in box, %"]
    assert not any("link" in note for table in made.values() for note in table.notes if note != maps.SAME)
    (condition,) = conditions(records)
    assert ", objects by photos.csv" in condition.caption
    assert map_answers.points(condition.cells) == (
        "nin, against a Gaussian about the middle: points at the object (60.0 % of 300 images, +10.0 points, 95 % 8.0 to 12.0).",
        "vgg, against a Gaussian about the middle: points at the object (60.0 % of 300 images, +10.0 points, 95 % 8.0 to 12.0).",
    )
    assert map_answers.untrained(condition.cells)[0].endswith("random maps 25.0 %, trained 60.0 %.")
    assert map_answers.foretells(condition.cells) == ("No run with a link was tested both with the link kept and with the link broken.",)
    assert len(conditions([*records, on_photos(explained(seed=5), name="copy.csv")])) == 1
    assert len(conditions([*records, on_photos(explained(seed=5), sha256="0" * 12)])) == 2
    assert len(conditions([*records, on_photos(explained(seed=5), learned="other photos")])) == 2
    assert page("maps", records, Kept()).rows[0]["link_pct"] is None


def test_a_baseline_that_is_the_same_for_all_is_one_row() -> None:
    """The Gaussian points at 50 % whatever was trained; the untrained networks differ, and each has its row."""
    made = tables([*five(link=0), *five(link=80, untrained=40.0)])
    centre, untrained = (made[f"link kept · baseline: {maps.BASELINES[of]} · localisation"] for of in ("centre", "untrained"))
    assert centre.frame[["model", "link_pct", "n", "peak in box, %"]].values.tolist() == [["all", "all", 5, 50.0]]
    assert len(centre.frame.records[0].split()) == 10
    assert untrained.frame["peak in box, %"].tolist() == [50.0, 40.0]


def several(networks: int, seeds: int = 5) -> list[Record]:
    """Networks of which each has 10 points more of its maps on the ground than the one before, and errs 5 more when the link breaks."""
    found = []
    for place in range(networks):
        name, ground = f"net{place}", 10.0 * place + 20
        for seed in range(seeds):
            found.append(explained(name, seed=seed, energy_ground_pct=ground))
            found.append(explained(name, test="broken", seed=seed, error=10 + 5.0 * place, right=40.0, wrong=50.0 + place))
    return found


def test_ground_foretells_the_error_where_both_go_together_over_networks() -> None:
    """Ranks agree, so that ρ is 1 whichever networks are drawn; the wrong have 10 to 14 points more, 12 ± 2.7764 · sqrt(2.5 / 5)."""
    lines = map_answers.foretells(cells(several(5)))
    assert lines == (
        "Share of the map on the ground with the link kept, against the rise of the error when it breaks: Spearman's ρ = 1.00 "
        "(n = 25 runs of 5 networks, 95 % 1.00 to 1.00 over networks): it foretells it.",
        "With the link broken, after one of 95 %: 12.0 points more of the map lie on the ground where the answer is wrong "
        "(5 networks, 95 % 10.0 to 14.0, p < 0.001): more.",
    )


def test_what_wrong_answers_have_on_the_ground_is_judged_beside_all_links_that_there_are() -> None:
    """-1, 1, 3, 5 and 7 points more in five networks: t = 3 / sqrt(10 / 5) = 2.1213, p = 0.1012, the larger of two.

    2 points more at the other link: t = 5 / sqrt(2) = 3.5355, p = 0.0241, by Holm 0.0482. Without a link there is none to break.
    """

    def linked(link: int, more: float) -> list[Record]:
        tests = ((place, seed, test) for place in range(5) for seed in range(5) for test in ("kept", "broken"))
        return [
            explained(f"net{place}", link=link, test=test, seed=seed, right=40.0, wrong=39.0 + more + 2 * place)
            for place, seed, test in tests
        ]

    one, other = map_answers.foretells(cells([*linked(0, 9.0), *linked(80, 0.0), *linked(95, 2.0)]))[-2:]
    assert one.startswith("With the link broken, after one of 80 %: 3.0 points more")
    assert one.endswith("p = 0.101, Holm's over 2 links): no difference told.")
    assert other.endswith("p = 0.048, Holm's over 2 links): more.")


@pytest.mark.parametrize(("networks", "seeds", "why"), [(5, 4, "fewer than 5 seeds"), (4, 5, "fewer than 5 networks")])
def test_few_seeds_and_few_networks_give_no_verdict(networks: int, seeds: int, why: str) -> None:
    assert [line.endswith(f"inconclusive, {why}.") for line in map_answers.foretells(cells(several(networks, seeds)))] == [True, True]


def test_without_a_link_there_is_none_to_break() -> None:
    records = [explained(link=0), explained(link=0, test="broken")]
    assert map_answers.runs(cells(records)) == []
    assert map_answers.foretells(cells(records)) == ("No run with a link was tested both with the link kept and with the link broken.",)


def test_the_page_has_all_formats_and_its_reading() -> None:
    made = page("maps", several(2), Kept())
    assert {row["maps"] for row in made.rows} == {"map", "centre", "random", "untrained"}
    assert made.rows[0]["pointing_pct"] == 60.0
    assert {"energy_ground_pct_wrong", "energy_ground_pct_not_silent"} <= set(made.csv().splitlines()[0].split(","))
    assert all(text in made.markdown() for text in ("| net0 | 95 |", "link broken", "Spearman"))
    assert "net1" in made.latex()
    assert "net1" in made.html()


def test_spearman_of_three_pairs() -> None:
    """1 - 6 · (0 + 1 + 1) / (3 · 8) = 0.5."""
    found = spearman([1, 2, 3], [1, 3, 2], ["a", "b", "c"])
    assert (found.value, found.n, math.isnan(found.low)) == (pytest.approx(0.5), 3, True)
    assert math.isnan(spearman([1, 1], [1, 2], ["a", "b"]).value)


def test_what_moves_both_from_one_stratum_to_the_next_counts_for_nothing() -> None:
    """The second stratum is higher in both. Over all, ranks (1, 2, 3, 4) and (2, 1, 4, 3): ρ = 1 - 6 · 4 / 60 = 0.6; within, -1."""
    first, second, groups = [1, 2, 11, 12], [2, 1, 12, 11], ["a", "b", "c", "d"]
    assert spearman(first, second, groups).value == pytest.approx(0.6)
    assert spearman(first, second, groups, ["low", "low", "high", "high"]).value == pytest.approx(-1)


def test_a_link_that_moves_both_foretells_nothing() -> None:
    """At either link the networks with more on the ground lose less; the stronger link brings more of both to each."""
    records = []
    for link, more in ((50, 0.0), (95, 30.0)):
        for place in range(5):
            for seed in range(5):
                name, ground = f"net{place}", 20.0 + more + place
                records.append(explained(name, link=link, seed=seed, energy_ground_pct=ground))
                records.append(explained(name, link=link, test="broken", seed=seed, error=40 + more - place))
    said = map_answers.foretells(cells(records))[0]
    assert "ranked among runs of the same link, as the link moves both, Spearman's ρ = -1.00" in said
    assert said.endswith("the more of it on the ground, the less the error rises.")


def test_groups_are_drawn_whole() -> None:
    """Each of six groups holds a rise and the same fall, so that ρ is that of all of them in every draw: 0, whatever the pairs are."""
    first, second = [0, 1] * 12, [0, 1, 1, 0] * 6
    groups = [place // 4 for place in range(24)]
    found = spearman(first, second, groups)
    assert (found.value, found.low, found.high) == pytest.approx((0, 0, 0))

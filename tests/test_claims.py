"""Published errors beside ours: what may be compared, the verdict's rule, and what is computed from the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import CommandLine, make_record

from archbench import claiming
from archbench.publish import claims, formats
from archbench.publish.asked import with_asked_claims
from archbench.publish.pages import page
from archbench.publish.predictions import Kept
from archbench.records.schema import Record, seal
from archbench.records.store import Store

CLAIM = {
    "dataset": "cifar10",
    "augmentation": "translation and flip",
    "error_pct": 10.0,
    "where": "table 1",
    "knobs": {},
    "network": "",
    "epochs": 8,
    "preprocessing": "gcn_zca",
    "train_images": None,
    "translate": 4,
    "tested": "",
    "source": "",
}


def spec(*claimed: dict[str, Any], name: str = "net") -> dict[str, Any]:
    """What a Record keeps of a network's spec."""
    return {"name": name, "title": "Net", "year": 2013, "head_kind": "gap", "input_shape": [3, 32, 32], "claims": list(claimed)}


def trained(
    found_pct: Sequence[float | None],
    data: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    **changes: Any,
) -> list[Record]:
    """A training a seed with these test errors, as the claim's in every respect but those given."""
    base = make_record("net")
    config = {
        **base.config,
        "data": {**base.config["data"], "name": "cifar10", "train_images": 50_000, **(data or {})},
        "training": {"name": "paper", "epochs": 8, "preprocessing": "gcn_zca", "translate": 4, "flip": True, **(training or {})},
    }
    snapshot = {**base.model.model_dump(), "spec": spec(CLAIM), **(model or {})}
    records = []
    for seed, error in enumerate(found_pct):
        ended = {"status": "ok"} if error is not None else {"status": "diverged", "failure": {"reason": "loss", "message": "m"}}
        record = make_record("net", seed=seed, error_pct=error, config=config)
        records.append(seal(**{**record.model_dump(exclude={"id"}), "model": snapshot, **ended, **changes}))
    return records


def row(records: Sequence[Record], claimed: dict[str, Any] = CLAIM) -> dict[str, Any]:
    """The only row of the only claim."""
    (found,) = claims.frame(records, [spec(claimed)]).to_dict("records")
    return found  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("found_pct", "verdict"),
    [
        ([9.9, 10.0, 10.1], "reproduced"),  # 10.0 and 4.302653 * 0.1 / sqrt(3) = 0.248: to 10.248
        ([10.3, 10.3, 10.3], "reproduced"),  # no scatter: the upper end is the claim and 0.3
        ([10.0, 10.1, 10.2], "inconclusive"),  # 9.852 to 10.348
        ([10.31, 10.31, 10.31], "not reproduced"),
        ([10.5, 10.6, 10.7], "not reproduced"),  # from 10.352
        ([10.4, 10.5, 10.6], "inconclusive"),  # from 10.252
        ([9.0, 9.0], "inconclusive"),
        ([20.0, 20.0], "inconclusive"),
        ([9.0], "inconclusive"),
        ([9.0, 9.0, None], "inconclusive"),  # one of three diverged
        ([9.0, 9.1, 9.2, None], "inconclusive"),  # enough that did not, yet not those of any seed
    ],
)
def test_the_verdict_is_by_the_interval_from_three_seeds_on(found_pct: list[float | None], verdict: str) -> None:
    assert row(trained(found_pct))["verdict"] == verdict


def test_a_row_has_the_mean_with_students_interval_and_one_seed_none() -> None:
    half = 4.302653 * 0.1 / math.sqrt(3)
    found = row(trained([9.9, 10.0, 10.1]))
    ends = (found["test_error_low_pct"], found["test_error_pct"], found["test_error_high_pct"])
    assert ends == pytest.approx((10 - half, 10, 10 + half))
    assert (found["n"], found["data"], found["recipe"], found["epochs"], found["claimed_epochs"]) == (3, "cifar10", "paper", 8, 8)
    alone = row(trained([10.0]))
    assert (alone["n"], math.isnan(alone["test_error_low_pct"]), alone["why"]) == (1, True, "seeds: 1, a verdict takes 3")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"data": {"name": "cifar10-jpeg"}}, "data: cifar10-jpeg"),
        ({"training": {"epochs": 9}}, "length: 9 epochs, the paper's 8"),
        ({"training": {"epochs": 1}}, "length: 1 epoch, the paper's 8"),
        ({"data": {"train_fraction": 0.1, "train_images": 5_000}}, "training images: 5,000, the paper's all"),
        ({"data": {"val_fraction": 0.1, "train_images": 45_000}}, "training images: 45,000, the paper's all"),
        ({"data": {"limit_train": 500, "train_images": 500}}, "training images: 500, the paper's all"),
        ({"training": {"preprocessing": "normalise"}}, "preprocessing: normalise, the paper's gcn_zca"),
        ({"training": {"translate": 0}}, "augmentation: flip, the paper's translation and flip"),
        ({"training": {"flip": False, "translate": 0}}, "augmentation: none, the paper's translation and flip"),
        ({"training": {"translate": 2}}, "translation: 2 pixels, the paper's 4"),
        ({"data": {"crop": "a drawn crop"}}, "augmentation: a drawn crop and flip, the paper's translation and flip"),
        ({"training": {"test_flip": True}}, "test: each image and its mirror image, the paper's each image once"),
        ({"model": {"image_size": 64}}, "input: 64 pixels, the network's own 32"),
        ({"data": {"name": "cifar10-jpeg"}, "training": {"epochs": 2}}, "data: cifar10-jpeg; length: 2 epochs, the paper's 8"),
    ],
)
def test_what_differs_from_the_paper_is_named_and_the_error_still_shown(changed: dict[str, Any], why: str) -> None:
    found = row(trained([9.0, 9.0, 9.0], **changed))
    assert (found["verdict"], found["why"], found["test_error_pct"]) == ("not comparable", why, 9.0)


def test_images_and_networks_of_the_papers_own_are_held_against_ours() -> None:
    found = row(trained([9.0, 9.0, 9.0]), {**CLAIM, "train_images": 598_388, "network": "the paper's has other widths"})
    assert found["why"] == "network: the paper's has other widths; training images: 50,000, the paper's 598,388"


def test_what_no_source_tells_fails_nobody_and_stands_against_nobody() -> None:
    untold = {**CLAIM, "epochs": None, "preprocessing": "", "augmentation": ""}
    assert row(trained([9.9, 10.0, 10.1]), untold)["verdict"] == "reproduced"
    missed = row(trained([20.0, 20.0, 20.0]), untold)
    expected = "; ".join(f"{what}: the paper's is not known" for what in ("length", "preprocessing", "augmentation"))
    assert (missed["verdict"], missed["why"]) == ("not comparable", expected)


def test_what_is_not_known_is_said_beside_what_differs() -> None:
    found = row(trained([9.0, 9.0, 9.0], data={"name": "cifar10-jpeg"}), {**CLAIM, "epochs": None})
    assert (found["verdict"], found["why"]) == ("not comparable", "data: cifar10-jpeg; length: the paper's is not known")


def test_a_test_with_mirror_images_is_another_where_the_papers_augmentation_is_not_known() -> None:
    found = row(trained([9.0, 9.0, 9.0], training={"test_flip": True}), {**CLAIM, "augmentation": ""})
    assert found["why"] == "test: each image and its mirror image, the paper's each image once; augmentation: the paper's is not known"


def test_a_translation_by_an_untold_number_of_pixels_is_not_known() -> None:
    missed = row(trained([20.0, 20.0, 20.0], training={"translate": 2}), {**CLAIM, "translate": None})
    assert (missed["verdict"], missed["why"]) == ("not comparable", "translation: the paper's is not known")


def test_a_paper_that_tests_on_several_crops_is_not_compared() -> None:
    found = row(trained([9.0, 9.0, 9.0]), {**CLAIM, "tested": "ten crops"})
    assert (found["verdict"], found["why"]) == ("not comparable", "test: each image once, the paper's ten crops")


def test_only_the_same_form_of_the_same_network_on_data_of_that_name_stands_beside_a_claim() -> None:
    head = {"label": "net+head=fc", "knobs": {"head": "fc"}}
    others = [*trained([9.0], model=head, key="h"), *trained([9.0], data={"name": "cifar100"}, key="c")]
    found = row(others)
    assert (found["verdict"], found["why"], found["records"]) == ("no Record", "only on cifar100", "")
    assert row(others, {**CLAIM, "knobs": {"head": "fc"}})["model"] == "net+head=fc"
    assert row([])["why"] == ""


def test_each_setting_has_a_row_and_the_sentences_count_claims() -> None:
    """Two claims, one with Records of two settings, one comparable; the other network's claim has none."""
    records = [*trained([9.9, 10.0, 10.1]), *trained([12.0], training={"epochs": 1}, key="short", group="short")]
    made = page("claims", records, Kept(), specs=[spec(CLAIM), spec({**CLAIM, "error_pct": 5.0}, name="other")])
    assert [row["verdict"] for row in made.frame.to_dict("records")] == ["reproduced", "not comparable", "no Record"]
    (reading,) = made.readings
    assert reading.answers[""] == (
        "1 of 2 claims can be set beside our Records at equal conditions: reproduced 1 (net, cifar10, translation and flip: 10.00 %).",
        "1 have no Record, 0 of them though the network was trained on other data.",
    )
    short = page("claims", records[3:], Kept())
    assert short.readings[0].answers[""] == (
        "0 of 1 claims can be set beside our Records at equal conditions.",
        "1 have Records under other conditions alone; what differs or is not known, in the nearest of each: length in 1.",
    )


def test_what_differs_is_counted_of_the_nearest_record() -> None:
    """One training differs in the data alone, the other in the length and the share too."""
    near = trained([12.0], data={"name": "cifar10-jpeg"}, key="near", group="near")
    far = trained(
        [12.0], data={"name": "cifar10-jpeg", "limit_train": 500, "train_images": 500}, training={"epochs": 1}, key="far", group="far"
    )
    (reading,) = page("claims", [*near, *far], Kept(), specs=[spec(CLAIM)]).readings
    assert reading.answers[""][1].endswith("in the nearest of each: data in 1.")


def test_runs_that_diverged_are_said_and_in_no_figure() -> None:
    records = trained([9.0, None])
    (table,) = claims.tables(claims.frame(records), records)
    assert "net: 1 of 2 runs diverged and are in no figure" in table.notes
    assert formats.cells(table)["verdict"].tolist() == ["inconclusive (1 of 2 runs diverged)"]
    assert formats.cells(table)["ours"].tolist() == ["9.00 % on cifar10, paper, 8 epochs"]


def test_claims_of_an_older_form_are_read() -> None:
    """As Records of before kept them: without facts, and with words about the network behind the augmentation."""
    old = {name: CLAIM[name] for name in ("dataset", "error_pct", "where")}
    plain, head = ({**old, "augmentation": text} for text in ("none", "none (fully connected head)"))
    records = trained([9.0, 9.0, 9.0], training={"translate": 0, "flip": False}, model={"spec": spec(plain, head)})
    found, unknown = claims.frame(records).to_dict("records"), "length: the paper's is not known; preprocessing: the paper's is not known"
    assert [(row["augmentation"], row["verdict"], row["why"]) for row in found] == [
        ("none", "reproduced", unknown),
        ("none", "not comparable", f"network: the paper's has a fully connected head; {unknown}"),
    ]
    newer = trained([9.0], model={"spec": spec({**CLAIM, "of_a_later_version": 1})})
    assert claims.frame(newer)["claimed_epochs"].tolist() == [8]


@pytest.mark.parametrize("odd", [7, {}, {**CLAIM, "error_pct": "x"}, {**CLAIM, "augmentation": 0}])
def test_what_is_no_claim_is_passed_over(odd: Any) -> None:
    assert len(claims.frame([], [spec(CLAIM, odd)])) == 1


def test_published_weights_reproduce_nothing() -> None:
    config = {**trained([9.0])[0].config, "training": None, "recipe": None}
    assert row(trained([9.0], kind="imported", config=config))["why"] == "weights: published ones, not trained here"


def test_an_empty_store_shows_every_claim() -> None:
    rows = claims.frame([], claiming.claiming())
    assert len(rows) == sum(len(each["claims"]) for each in claiming.claiming())
    assert set(rows.verdict) == {"no Record"}


def test_a_table_in_eighty_columns_ends_with_the_sentences(archbench: CommandLine, tmp_path: Path) -> None:
    for record in trained([9.0], data={"name": "cifar10-jpeg"}, model={"name": "nin", "label": "nin"}):
        Store(tmp_path / "r").save(record)
    answer = archbench("tables", "claims", "lineage", "--results", "r", "--models", "nin*")
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert answer.stderr == "no finished lineage profile (lineage) of these in r yet\n"
    said = " ".join(answer.stdout.split())
    assert "0 of 8 claims can be set beside our Records at equal conditions." in said
    assert "maxout" not in said


@pytest.mark.parametrize(
    ("models", "dataset", "found_pct"),
    [
        (["nin"], None, [10.41, 8.81, 35.68, 11.59, 10.88]),
        (["nin+head=fc*"], None, [11.59, 10.88]),
        (["*"], "cifar100", [35.68]),
        (["nin"], "cifar10-jpeg", [10.41, 8.81, 11.59, 10.88]),
        (["maxout"], None, []),
    ],
)
def test_claims_are_asked_for_by_name_and_by_data_set(models: list[str], dataset: str | None, found_pct: list[float]) -> None:
    (nin,) = [each for each in claiming.claiming() if each["name"] == "nin"]
    assert [claim["error_pct"] for claim in with_asked_claims(nin, models, dataset)["claims"]] == found_pct

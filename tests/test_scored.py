"""Scores of maps and what a Record says of them: four images, so that every figure can be worked out by hand."""

from __future__ import annotations

import dataclasses
import io
import math
from typing import Any

import numpy as np
import pytest

from archbench.publish import scored
from archbench.publish.scored import Scores
from archbench.records.schema import Measurement, canonical


def of_source(**changes: Any) -> dict[str, np.ndarray]:
    scores = {
        "pointing": [1, 1, 0, 0],
        "pointing_mask": [1, 0, 0, 0],
        "silent": [0, 0, 0, 1],
        "iou": [[0.5, 0.25, 0.0]] * 4,
        "energy": [0.5, 0.25, 0.25, 0.0],
        "ground": [0.5, 0.5, 0.75, 0.0],
        "deletion": [0.25, 0.75],
        "insertion": [0.5, 0.5],
        "road": [-0.25, 0.25],
    }
    return {name: np.asarray(values, dtype=np.float32) for name, values in {**scores, **changes}.items()}


def four() -> Scores:
    """Of six test images four are explained: two with small objects and two with large ones; the third and the last are taken wrongly."""
    predicted, labels = np.array([0, 1, 0, 3, 4, 0]), np.array([0, 1, 2, 3, 4, 5])
    return Scores(predicted, labels, np.arange(len(labels)), np.array([0, 0, 2, 2]), {source: of_source() for source in scored.SOURCES})


def row(name: str, **at: Any) -> Measurement:
    """The row of exactly this place."""
    (found,) = (each for each in scored.measurements(four()) if (each.name, canonical(each.at)) == (name, canonical(at)))
    return found


def test_the_error_is_of_all_test_images() -> None:
    """2 of 6."""
    assert row("test_error_pct", split="test").value == pytest.approx(100 / 3)
    assert row("test_error_pct", split="test").n == 6


def test_shares_are_of_the_explained_images_and_of_those_of_each_size() -> None:
    """Two of four maps point into the box, both of small objects; one of them on the object itself."""
    assert [row("pointing_pct", of="map", **at).value for at in ({}, {"size": "small"}, {"size": "large"})] == [50.0, 100.0, 0.0]
    assert [row("pointing_mask_pct", of="map", **at).value for at in ({}, {"size": "small"})] == [25.0, 50.0]
    assert row("silent_pct", of="random").value == 25.0
    assert not [each for each in scored.measurements(four()) if each.at.get("size") == "medium"]  # there is none


def test_energies_are_in_percent_and_of_answers_without_silent_maps() -> None:
    """The last map is silent; of those that say something the third is of a wrong answer."""
    assert row("energy_object_pct", of="map").value == 25.0  # (50 + 25 + 25 + 0) / 4
    assert row("energy_ground_pct", of="map", silent=False).value == pytest.approx(175 / 3)  # 50, 50, 75
    assert row("energy_ground_pct", of="map", answer="right").value == 50.0
    wrong = row("energy_ground_pct", of="map", answer="wrong")
    assert (wrong.value, wrong.n, math.isnan(wrong.low or 0.0)) == (75.0, 1, True)  # of one image there is no interval


def test_faithfulness_is_of_the_images_that_were_covered() -> None:
    assert [(row(name, of="untrained").value, row(name, of="untrained").n) for name in scored.FAITHFUL] == [(0.5, 2), (0.5, 2), (0.0, 2)]
    assert [row("iou", of="centre", threshold=each).value for each in scored.THRESHOLDS] == [0.5, 0.25, 0.0]


def test_what_is_written_is_read() -> None:
    file = io.BytesIO()
    four().write(file)
    assert scored.measurements(scored.read(file.getvalue())) == scored.measurements(four())


@pytest.mark.parametrize("scores", [{}, of_source(pointing=[1, 0])], ids=["missing", "of another number of images"])
def test_scores_that_do_not_go_together_are_refused(scores: dict[str, np.ndarray]) -> None:
    file = io.BytesIO()
    dataclasses.replace(four(), by={**four().by, "map": scores}).write(file)
    with pytest.raises(ValueError, match=r"holds no scores|do not go together"):
        scored.read(file.getvalue())
    with pytest.raises(ValueError, match="holds no scores"):
        scored.read(b"no file of numpy's")


@pytest.mark.parametrize(
    ("name", "values"),
    [("pointing", [7, 0, 0, 0]), ("iou", [0, 0, 0, 0]), ("energy", [math.nan, 0, 0, 0]), ("road", [[0], [0]]), ("deletion", [])],
)
def test_scores_that_nobody_wrote_are_refused(name: str, values: list[Any]) -> None:
    file = io.BytesIO()
    dataclasses.replace(four(), by={**four().by, "map": of_source(**{name: values})}).write(file)
    with pytest.raises(ValueError, match=f"its map_{name} is none that scores have"):
        scored.read(file.getvalue())


def test_sizes_that_objects_have_not_are_refused() -> None:
    file = io.BytesIO()
    dataclasses.replace(four(), sizes=np.array([0, 0, 2, 77])).write(file)
    with pytest.raises(ValueError, match="its sizes are none that objects have"):
        scored.read(file.getvalue())

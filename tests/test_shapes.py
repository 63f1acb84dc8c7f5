"""The generated set: what is asked for is what is there, pixel by pixel, and the same on every machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import archbench
from archbench.config import Settings
from archbench.data import load, request, shape_of
from archbench.data.drawing import CLASS_NAMES, OBJECT_LEVELS, TEXTURE, Dice
from archbench.data.shapes import AT_ONCE, Scenes, Shapes, scenes
from archbench.errors import ArchbenchError
from archbench.events import ignore
from archbench.remaking import remake


def some(**parameters: object) -> Scenes:
    """The first 200 test images."""
    (made,) = scenes(Shapes(**parameters), "test", 200)  # type: ignore[arg-type]
    return made


def test_the_same_bytes_everywhere() -> None:
    """Regression: a change of any byte makes another data set of every Record that names it."""
    made = some(link=50)
    digest = hashlib.sha256(made.images.tobytes() + made.masks.tobytes() + made.labels.tobytes()).hexdigest()
    assert digest[:16] == "fe1404c0c2638e05"
    assert Dice(0).real(2).tolist() == [0.6369616873214543, 0.2697867137638703]  # as numpy's documentation shows for default_rng(0)


@pytest.mark.parametrize("px", [32, 64])
def test_a_mask_is_where_its_object_is_and_the_box_is_the_masks(px: int) -> None:
    """Objects are dark or light in every channel and grounds are between, but for textures of so many levels."""
    made = some(px=px, two=50)
    assert made.images.shape == (200, 3, px, px)
    assert made.masks.shape == (200, 2, px, px)
    drawn = made.masks.any(1)
    extreme = OBJECT_LEVELS + TEXTURE + 6
    inside = made.images.transpose(0, 2, 3, 1)[drawn]
    assert ((inside <= extreme) | (inside >= 255 - extreme)).all()
    middle = ((made.images > extreme) & (made.images < 255 - extreme)).all(1)
    assert middle[~drawn].mean() > 0.9
    for image, which in ((0, 0), (7, 0), (int(np.flatnonzero(made.classes[:, 1] >= 0)[0]), 1)):
        down, right = np.nonzero(made.masks[image, which])
        assert made.boxes[image, which].tolist() == [right.min(), down.min(), right.max() + 1, down.max() + 1]


def test_a_second_object_is_smaller_apart_and_of_another_class() -> None:
    made = some(two=100)
    larger, smaller = made.masks[:, 0], made.masks[:, 1]
    assert not (larger & smaller).any()
    assert (made.classes[:, 0] == made.labels).all()
    assert (made.classes[:, 1] != made.labels).all()
    extent = np.sqrt((made.boxes[..., 2] - made.boxes[..., 0]) * (made.boxes[..., 3] - made.boxes[..., 1]))
    assert (extent[:, 1] < extent[:, 0]).mean() > 0.95  # radii of 0.17 at most and 0.22 at least; a bar is narrower than it is long
    alone = some(two=0)
    assert (alone.classes[:, 1] == -1).all()
    assert not alone.masks[:, 1].any()
    assert not alone.boxes[:, 1].any()


def test_of_each_class_there_are_as_many_and_of_each_split_other_images() -> None:
    (train,), (test,) = (list(scenes(Shapes(), split, AT_ONCE)) for split in ("train", "test"))
    assert np.bincount(train.labels).tolist() == np.bincount(test.labels).tolist() == [AT_ONCE // 10] * 10
    assert not np.array_equal(train.images, test.images)
    assert not np.array_equal(some(seed=1).images, some().images)


def test_the_ground_goes_with_the_class_as_often_as_asked() -> None:
    """With a link of 80 %, 80 + 20 / 10 = 82 % stand on their own ground; of 200 that is 164, with a deviation of 5.4."""
    (made,) = scenes(Shapes(link=80), "train", AT_ONCE)
    assert abs(int((made.grounds == made.labels).sum()) - 164) < 4 * 5.4
    (always,) = scenes(Shapes(link=100), "train", AT_ONCE)
    assert (always.grounds == always.labels).all()


def test_the_tests_differ_in_their_grounds_alone() -> None:
    """Of 200 grounds at random 20 are the class's own, with a deviation of 4.2."""
    kept, broken, turned = (some(link=100, test=how) for how in ("kept", "broken", "reversed"))
    assert (kept.grounds == kept.labels).all()
    assert abs(int((broken.grounds == broken.labels).sum()) - 20) < 4 * 4.2
    assert (turned.grounds == (turned.labels + 1) % 10).all()
    for other in (broken, turned):
        assert (other.masks == kept.masks).all()
        on_object = kept.masks.any(1)[:, None] & np.ones((1, 3, 1, 1), dtype=bool)
        assert (other.images[on_object] == kept.images[on_object]).all()
        assert (other.images != kept.images).any()
    (before,), (after,) = (list(scenes(Shapes(link=100, test=how), "train", 100)) for how in ("kept", "reversed"))
    assert (before.images == after.images).all()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 400 training and 200 test images alone, which spares seconds."""
    monkeypatch.setattr("archbench.data.shapes.COUNTS", {"train": 400, "test": 200})


def test_it_is_a_data_set_like_any_other(few: None) -> None:
    wanted = request(Settings.of(dataset="shapes+link=95+px=32"))
    assert wanted.name == "shapes+link=95"
    assert shape_of(request(Settings.of(dataset="shapes+px=64"))).size == 64
    found = load(wanted, ignore)
    assert (len(found.train), len(found.test), found.class_names, found.mirror_safe) == (400, 200, CLASS_NAMES, True)
    parts = list(scenes(Shapes(link=95), "train"))
    assert (found.train.loaded().images.numpy() == np.concatenate([part.images for part in parts])).all()
    assert (found.train.labels.numpy() == np.concatenate([part.labels for part in parts])).all()


def test_training_on_it_leaves_a_record_whose_command_makes_it_again(few: None, tmp_path: Path) -> None:
    (record,) = archbench.train(
        models="lenet", dataset="shapes+seed=3", limit_train=64, batch_size=32, epochs=1, deterministic=True, results=tmp_path
    )
    assert (record.status, record.config["data"]["name"], record.config["classes"]) == ("ok", "shapes+seed=3", list(CLASS_NAMES))
    assert "--dataset shapes+seed=3" in remake(record).line
    assert "--image-size" not in remake(record).line


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shapes+pxx=64", "unknown parameter of shapes 'pxx'; did you mean 'px'"),
        ("shapes+px=48", "px of shapes cannot be '48'; valid: 32, 64"),
        ("shapes+link=101", "link of shapes cannot be '101'; valid: 0 to 100"),
        ("shapes+link=-1", "link of shapes cannot be '-1'"),
        ("shapes+test=backwards", "test of shapes cannot be 'backwards'; valid: kept, broken, reversed"),
        ("shapes+px", "written KEY=VALUE"),
        ("shapes+", "written KEY=VALUE"),
        ("shapes+px=32+px=64", "shapes has 'px' twice"),
        ("shapes+seed=99999999999", "seed of shapes cannot be"),
        ("shapes=imagefolder:x", "shapes is the name of a known data set"),
    ],
)
def test_a_mistake_is_one_line(name: str, message: str) -> None:
    with pytest.raises(ArchbenchError, match=message.replace("+", r"\+")):
        request(Settings.of(dataset=name))

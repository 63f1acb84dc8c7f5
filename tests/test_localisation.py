"""Where maps point, by arithmetic on a few pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from archbench.data.boxes import around
from archbench.data.shapes import Shapes, scenes
from archbench.errors import ArchbenchError
from archbench.explaining.baselines import centred, drawn
from archbench.explaining.localisation import THRESHOLDS, localise, overlap
from archbench.explaining.objects import Objects
from archbench.publish.laying import laid
from archbench.publish.scored import SIZES


def one(places: tuple[slice, slice], other: tuple[slice, slice] | None = None, size: int = 8) -> Objects:
    """One image with an object at some rows and columns, and perhaps another."""
    masks = np.zeros((2, 1, size, size), dtype=bool)
    masks[0, 0][places] = True
    if other is not None:
        masks[1, 0][other] = True
    return Objects(masks[0], masks[1], around(masks[0]).astype(np.float64))


def at(row: int, column: int, places: int = 4, value: float = 1.0) -> np.ndarray:
    """A map that is 0 but for one place."""
    maps = np.zeros((1, places, places), dtype=np.float32)
    maps[0, row, column] = value
    return maps


def test_a_map_is_laid_as_torch_and_pillow_enlarge() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 5, 5)).astype(np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(maps)[None], 32, mode="bilinear")[0].numpy()
    np.testing.assert_allclose(laid(maps, 32), theirs, atol=1e-5)
    pillow = np.asarray(Image.fromarray(maps[0]).resize((32, 32), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(laid(maps, 32)[0], pillow, atol=1e-5)
    assert (laid(maps, 5) == maps).all()


def test_a_map_points_with_the_centre_of_its_largest_place() -> None:
    """On 8 x 8 pixels a place of 4 x 4 is two pixels a side; that of row 1 and column 2 has its centre at 3 down and 5 to the right."""
    for places, box, mask in (
        ((slice(3, 5), slice(5, 7)), True, True),
        ((slice(1, 3), slice(4, 6)), False, False),  # the box ends before 3
        ((slice(0, 4), slice(0, 6)), True, True),
    ):
        found = localise(at(1, 2), one(places))
        assert (found.pointing.tolist(), found.pointing_mask.tolist()) == ([box], [mask])
    hollow = one((slice(2, 5), slice(4, 7)))
    hollow.masks[0, 3, 5] = False
    found = localise(at(1, 2), hollow)
    assert found.pointing.all()
    assert not found.pointing_mask.any()


def test_evidence_is_shared_out_over_object_others_and_ground() -> None:
    """A map of 8 x 8 places: 1 on the object, 2 on another, 5 on the ground; what speaks against the class counts for nothing."""
    maps = np.zeros((1, 8, 8), dtype=np.float32)
    maps[0, 0, 0], maps[0, 4, 4], maps[0, 7, 7], maps[0, 7, 6] = 1, 2, 5, -100
    found = localise(maps, one((slice(0, 2), slice(0, 2)), (slice(4, 6), slice(4, 6))))
    assert found.energy.tolist() == pytest.approx([1 / 8])
    assert found.ground.tolist() == pytest.approx([5 / 8])


def test_the_box_goes_around_the_largest_part_above_the_threshold() -> None:
    """A block of 2 x 3 pixels at 0.4 that touches a pixel of 0.2 by a corner, and a single pixel of 1.

    Above 0.15 the block with its corner is the largest part, 3 x 4 around it, of which the object of 2 x 3 is a half; above 0.3 the block
    alone; above 0.5 the single pixel, which is elsewhere. Another image beside it changes nothing.
    """
    maps = np.zeros((2, 8, 8), dtype=np.float32)
    maps[0, 2:4, 1:4], maps[0, 4, 4], maps[0, 7, 7] = 0.4, 0.2, 1
    maps[1] = 1
    objects = one((slice(2, 4), slice(1, 4)))
    objects = Objects(*(np.concatenate([each, each]) for each in (objects.masks, objects.others, objects.boxes)))
    found = localise(maps, objects, (0.15, 0.3, 0.5))
    assert found.iou[0].tolist() == pytest.approx([6 / 12, 1, 0])
    assert found.iou[1].tolist() == pytest.approx([6 / 64] * 3)  # a flat map is the whole image
    assert not localise(maps[1:], one((slice(0, 8), slice(0, 8)))).pointing.any()  # and points nowhere


def test_boxes_overlap_by_area_of_both_by_area_of_either() -> None:
    """2 x 2 in 4 x 4, moved by one each way: 1 of 4 + 4 - 1; beside each other; one inside the other; nothing with something."""
    first = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 4, 4], [0, 0, 0, 0]])
    second = np.array([[1, 1, 3, 3], [2, 0, 4, 2], [1, 1, 3, 3], [0, 0, 2, 2]])
    assert overlap(first, second).tolist() == pytest.approx([1 / 7, 0, 4 / 16, 0])


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_map_that_is_nowhere_positive_finds_nothing_and_is_counted(value: float) -> None:
    found = localise(np.full((1, 4, 4), value, dtype=np.float32), one((slice(0, 8), slice(0, 8))))
    assert found.silent.all()
    assert not found.pointing.any()
    assert not found.pointing_mask.any()
    assert (found.iou.tolist(), found.energy.tolist(), found.ground.tolist()) == ([[0.0] * len(THRESHOLDS)], [0.0], [0.0])


def test_a_positive_factor_changes_nothing_and_neither_does_the_number_of_images_at_once() -> None:
    """Factors of two, which no rounding touches; more images than are taken at once."""
    objects = Objects.of_scenes(scenes(Shapes(), "test", 600))
    maps = np.random.default_rng(0).normal(size=(600, 8, 8)).astype(np.float32)
    whole, larger = localise(maps, objects), localise(maps * 4, objects)
    last = localise(maps[590:], objects.take(slice(590, 600)))
    for name in ("pointing", "pointing_mask", "iou", "energy", "ground", "silent"):
        assert (getattr(whole, name) == getattr(larger, name)).all()
        assert (getattr(whole, name)[590:] == getattr(last, name)).all()


def test_the_objects_own_mask_is_the_best_map() -> None:
    objects = Objects.of_scenes(scenes(Shapes(two=0), "test", 200))
    found = localise(objects.masks.astype(np.float32), objects)
    assert found.pointing_mask.all()
    assert found.energy.min() == 1
    assert found.ground.max() == 0
    assert (found.iou == 1).all()


def test_the_object_is_the_one_of_the_class_that_is_asked_for() -> None:
    """The label's, which is the larger; another class's is the second object, or none, and then nothing can be found."""
    (part,) = scenes(Shapes(two=100), "test", 20)
    assert (Objects.of_scenes([part]).masks == part.masks[:, 0]).all()
    second = Objects.of_scenes([part], part.classes[:, 1])
    assert (second.masks == part.masks[:, 1]).all()
    assert (second.others == part.masks[:, 0]).all()
    assert (second.boxes == part.boxes[:, 1]).all()
    absent = Objects.of_scenes([part], np.full(20, 99))
    assert not absent.there.any()
    found = localise(np.ones((20, 4, 4), dtype=np.float32), absent)
    assert not found.pointing.any()
    assert found.energy.max() == 0
    assert found.iou.max() == 0


def test_sizes_are_of_the_box() -> None:
    """On 20 pixels: 7 a side is 0.35, 8 is 0.4, 10 is 0.5, and 16 x 4 has the area of 8 x 8."""
    boxes = np.array([[0, 0, 7, 7], [1, 1, 9, 9], [0, 0, 10, 10], [0, 0, 16, 4]], dtype=np.float64)
    nothing = np.zeros((4, 20, 20), dtype=bool)
    assert [SIZES[each] for each in Objects(nothing, nothing, boxes).sizes] == ["small", "medium", "large", "medium"]


def test_baselines_know_nothing_of_the_image() -> None:
    """The Gaussian falls to exp(-1/2) a quarter of the side from the middle: 4 pixels of 16, between the centres 7.5 and 11.5."""
    maps = centred(3, 17)
    assert maps.shape == (3, 17, 17)
    assert np.unravel_index(maps[1].argmax(), (17, 17)) == (8, 8)
    assert centred(1, 16)[0, 7, 11] / centred(1, 16)[0, 7, 7] == pytest.approx(np.exp(-0.5 * (3.5**2 - 0.5**2) / 4**2))
    assert (drawn(2, 5, 1) == drawn(2, 5, 1)).all()
    assert (drawn(2, 5, 1) != drawn(2, 5, 2)).any()
    assert (drawn(9, 5, 1) >= 0).all()


def test_a_map_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ArchbenchError, match="a map has values that are not finite"):
        localise(at(0, 0, value=float("nan")), one((slice(0, 2), slice(0, 2))))

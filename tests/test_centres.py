"""Where places look: by receptive-field arithmetic where that is exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import enlivened
from torch import nn

from archbench.data.boxes import around
from archbench.explaining import places
from archbench.explaining.centres import centres
from archbench.explaining.localisation import localise
from archbench.explaining.objects import Objects
from archbench.models import Input, parse
from archbench.publish.laying import equal_parts, laid


def flat(*layers: nn.Module) -> nn.Module:
    """Layers one after the other whose convolutions look at all of their pixels alike."""
    network = nn.Sequential(*layers)
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return network


@pytest.mark.parametrize(
    ("network", "size", "expected"),
    [
        (flat(nn.Conv2d(3, 4, 1)), 4, [0.5, 1.5, 2.5, 3.5]),
        (flat(nn.AvgPool2d(2)), 8, [1, 3, 5, 7]),
        (flat(nn.Conv2d(3, 2, 5)), 8, [2.5, 3.5, 4.5, 5.5]),  # without padding the outer places look 2 pixels further in
        (flat(nn.AvgPool2d(3, 2, ceil_mode=True)), 8, [1.5, 3.5, 5.5, 7.0]),  # 0 to 2, 2 to 4, 4 to 6, and of 6 to 8 the two that are there
        (flat(nn.Conv2d(3, 2, 3, 2, 1)), 8, [1.0, 2.5, 4.5, 6.5]),  # -1 to 1, of which 0 and 1 are there, then 1 to 3
        (flat(nn.Conv2d(3, 2, 9, padding=4)), 4, [1.25, 1.75, 2.25, 2.75]),  # each sees all four: half of equal parts, about the middle
    ],
)
def test_a_place_looks_where_its_receptive_field_lies_in_the_image(network: nn.Module, size: int, expected: list[float]) -> None:
    image = torch.zeros(1, 3, size, size)
    assert centres(network, "0", image) == pytest.approx(expected)


def test_the_places_of_nin_lie_to_the_right_of_equal_parts_and_its_outer_ones_nearer_to_the_middle() -> None:
    """Two poolings of 3 by 2: a place in the middle looks at 1 and then 2 pixels more than the half of its four, 3.5 pixels after 4 i.

    The field is 27 pixels wide, so places 3 and 4 of 8 have theirs whole, or all but one; random weights move a centre by some tenths.
    """
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = enlivened(parse(["nin_bn+width=0.25"])[0].build(Input(10, 3, 32)), images)
    found = centres(network, places.target(network, images[:1], None, "nin_bn"), images[:1])
    assert found[3:5] == pytest.approx([4 * 3 + 3.5, 4 * 4 + 3.5], abs=0.6)
    assert found[0] > 2 + 3
    assert found[7] < 30 - 2
    assert (np.diff(found) >= 2 - 1e-9).all()
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_place_that_depends_on_nothing_is_an_equal_part() -> None:
    """A layer whose output is constant, and changed in place by what follows."""
    network = nn.Sequential(nn.Conv2d(1, 2, 2, 2), nn.ReLU(inplace=True))
    nn.init.zeros_(network[0].weight)
    assert centres(network, "0", torch.zeros(1, 1, 8, 8)) == pytest.approx([1, 3, 5, 7])
    assert centres(network, "1", torch.zeros(1, 1, 8, 8)) == pytest.approx([1, 3, 5, 7])


def test_a_map_is_laid_and_points_by_its_centres() -> None:
    """Two places of 8 pixels that look at 3 and 7: the first value up to 3, then a quarter of the way a pixel, from half a pixel on."""
    maps = np.array([[[0, 0], [0, 8]]], dtype=np.float32)
    (over,) = laid(maps, 8, np.array([3.0, 7.0]))
    assert over[7].tolist() == [0, 0, 0, 1, 3, 5, 7, 8]
    masks = np.zeros((1, 8, 8), dtype=bool)
    masks[0, 6:8, 7:8] = True
    objects = Objects(masks, np.zeros_like(masks), around(masks).astype(np.float64))
    assert localise(maps, objects, centres=np.array([3.0, 7.0])).pointing.all()
    assert not localise(maps, objects).pointing.any()
    assert (laid(maps, 8, equal_parts(2, 8)) == laid(maps, 8)).all()

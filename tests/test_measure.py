"""Counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import zoo
from archbench.measure.complexity import Complexity, complexity_of, count
from archbench.models import Input, Model


def counted(module: nn.Module, *shape: int, heads: tuple[str, ...] = ()) -> Complexity:
    return complexity_of(module.eval(), (torch.randn(*shape),), heads)


@pytest.mark.parametrize(
    ("layer", "shape", "operator_class", "macs", "activations"),
    [
        # 16 maps of 8x8, each from 3 maps of 3x3
        (nn.Conv2d(3, 16, 3, padding=1), (1, 3, 8, 8), "dense_conv", 16 * 64 * 3 * 9, 16 * 64),
        # without padding the maps are 6x6; two images double both
        (nn.Conv2d(3, 16, 3), (2, 3, 8, 8), "dense_conv", 2 * 16 * 36 * 3 * 9, 2 * 16 * 36),
        # stride 2 halves the side; dilation changes the size alone
        (nn.Conv2d(3, 16, 3, stride=2, padding=1), (1, 3, 8, 8), "dense_conv", 16 * 16 * 27, 16 * 16),
        (nn.Conv2d(3, 16, 3, dilation=2), (1, 3, 8, 8), "dense_conv", 16 * 16 * 27, 16 * 16),
        # a bias is not counted
        (nn.Conv2d(3, 16, 1, bias=False), (1, 3, 8, 8), "pointwise", 16 * 64 * 3, 16 * 64),
        (nn.Conv2d(3, 16, 1, bias=True), (1, 3, 8, 8), "pointwise", 16 * 64 * 3, 16 * 64),
        # one input map an output map
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), (1, 8, 4, 4), "depthwise", 8 * 16 * 9, 8 * 16),
        # four groups of two input maps
        (nn.Conv2d(8, 16, 3, padding=1, groups=4), (1, 8, 4, 4), "grouped_conv", 16 * 16 * 2 * 9, 16 * 16),
        # 1x1 in groups looks at no neighbour: not depthwise
        (nn.Conv2d(8, 8, 1, groups=8), (1, 8, 4, 4), "grouped_conv", 8 * 16, 8 * 16),
        # transposed: each of 3x4x4 inputs goes to 16 maps x 2x2 places
        (nn.ConvTranspose2d(3, 16, 2, stride=2), (1, 3, 4, 4), "dense_conv", 3 * 16 * 16 * 4, 16 * 64),
        # kernels that are not square: 1x7 and 7x1, each 7 weights
        (nn.Conv2d(3, 4, (1, 7), padding=(0, 3)), (1, 3, 8, 8), "dense_conv", 4 * 64 * 3 * 7, 4 * 64),
        (nn.Conv2d(3, 4, (7, 1), padding=(3, 0), bias=False), (2, 3, 8, 8), "dense_conv", 2 * 4 * 64 * 3 * 7, 2 * 4 * 64),
        # strides and images that are not square: ceil(9 / 2) x ceil(12 / 3) places
        (nn.Conv2d(3, 4, 3, stride=(2, 3), padding=1), (1, 3, 9, 12), "dense_conv", 4 * 20 * 27, 4 * 20),
        # a 1x1 with stride 2 looks at a quarter of the places
        (nn.Conv2d(8, 4, 1, stride=2), (2, 8, 8, 8), "pointwise", 2 * 4 * 16 * 8, 2 * 4 * 16),
        # patches: kernel and stride 4
        (nn.Conv2d(3, 8, 4, stride=4), (1, 3, 16, 16), "dense_conv", 8 * 16 * 3 * 16, 8 * 16),
        # depthwise 7x7, with stride 2, dilated, and with two filters a channel
        (nn.Conv2d(4, 4, 7, padding=3, groups=4), (1, 4, 8, 8), "depthwise", 4 * 64 * 49, 4 * 64),
        (nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4), (3, 4, 8, 8), "depthwise", 3 * 4 * 16 * 9, 3 * 4 * 16),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4), (1, 4, 8, 8), "depthwise", 4 * 64 * 9, 4 * 64),
        (nn.Conv2d(4, 8, 3, padding=1, groups=4), (1, 4, 8, 8), "depthwise", 8 * 64 * 9, 8 * 64),
        # groups of 1x1: two halves that do not speak with each other
        (nn.Conv2d(8, 8, 1, groups=2), (1, 8, 4, 4), "grouped_conv", 8 * 16 * 4, 8 * 16),
        # one and three dimensions
        (nn.Conv1d(3, 4, 5, padding=2), (2, 3, 10), "dense_conv", 2 * 4 * 10 * 15, 2 * 4 * 10),
        (nn.Conv1d(3, 4, 1), (2, 3, 10), "pointwise", 2 * 4 * 10 * 3, 2 * 4 * 10),
        (nn.Conv3d(2, 3, 3, padding=1), (1, 2, 4, 4, 4), "dense_conv", 3 * 64 * 2 * 27, 3 * 64),
        # transposed, in two groups: each of the 16 input places feeds 2x2 outputs of 8 of the 16 maps
        (nn.ConvTranspose2d(4, 16, 2, stride=2, groups=2), (1, 4, 4, 4), "grouped_conv", 4 * 16 * 8 * 4, 16 * 64),
        # with no map before it and no head named, a linear layer is the head
        (nn.Linear(20, 30), (4, 20), "head", 4 * 20 * 30, 4 * 30),
        (nn.Linear(20, 30, bias=False), (4, 20), "head", 4 * 20 * 30, 4 * 30),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_an_operator_by_hand(layer: nn.Module, shape: tuple[int, ...], operator_class: str, macs: int, activations: int) -> None:
    found = counted(layer, *shape)
    assert found.by_class("macs") == {operator_class: macs}
    assert found.by_class("activations") == {operator_class: activations}
    assert found.uncounted() == ()


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Dropout(0.5), nn.Flatten()]
)
def test_norm_activation_and_pooling_cost_nothing(layer: nn.Module) -> None:
    found = counted(layer, 2, 3, 8, 8)
    assert (found.macs, found.activations, found.uncounted()) == (0, 0, ())


def test_the_owner_of_a_weight_decides_what_is_head() -> None:
    body, head = nn.Conv2d(3, 4, 1), nn.Linear(4, 10)
    network = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    found = counted(network, 1, 3, 8, 8, heads=("3",))
    assert found.by_class("macs") == {"head": 40, "pointwise": 64 * 12}
    assert (found.params, found.head_params) == (12 + 4 + 50, 50)


def test_functional_calls_are_seen() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 3, 1, 1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return F.conv2d(images, self.weight)

    assert counted(Functional(), 1, 3, 8, 8).by_class("macs") == {"pointwise": 64 * 12}


def test_an_operator_that_is_not_known_is_listed() -> None:
    class Sorts(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.sort().values

    assert [(row.operator, row.calls) for row in counted(Sorts(), 1, 3).uncounted()] == [("aten.sort", 1)]


def test_without_a_named_head_all_behind_the_last_map_is_head() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 10))
    found = counted(network, 1, 3, 8, 8)
    assert found.by_class("macs") == {"head": 24 + 60, "pointwise": 64 * 12}
    assert found.head_params == 4 * 6 + 6 + 6 * 10 + 10


def test_a_layer_says_which_module_ran_what_it_wrote_and_what_it_cost() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
    layers = [(layer.name, layer.operator_class, layer.shape, layer.params, layer.macs) for layer in counted(network, 1, 3, 8, 8).layers]
    assert layers == [
        ("0", "dense_conv", (1, 4, 6, 6), 3 * 4 * 9 + 4, 36 * 108),
        ("1", "norm", (1, 4, 6, 6), 8, 0),
        ("2", "activation", (1, 4, 6, 6), 0, 0),
        ("3", "pool", (1, 4, 3, 3), 0, 0),
    ]


@pytest.mark.parametrize("name", zoo.names())
def test_the_zoo_is_counted_whole_and_as_torch_counts_it(name: str) -> None:
    """torch.utils.flop_counter counts a multiply-add as two."""
    model = Model(name)
    found = count(model, model.native_input)
    network, image = model.weightless(model.native_input)
    with FlopCounterMode(display=False) as theirs:
        network(image)
    assert found.macs == theirs.get_total_flops() // 2
    assert found.uncounted() == ()


def test_nins_share_of_1x1_from_the_authors_table() -> None:
    """cccp1 to cccp6 of the author's configuration, in MACs."""
    pointwise = 31_457_280 + 15_728_640 + 9_437_184 + 9_437_184 + 2_359_296 + 122_880
    assert count(Model("nin"), Input(10, 3, 32)).by_class("macs")["pointwise"] == pointwise


def test_counting_costs_no_memory_and_no_random_number() -> None:
    before = torch.random.get_rng_state()
    count(Model("nin"), Input(10, 3, 32))
    assert torch.random.get_rng_state().equal(before)

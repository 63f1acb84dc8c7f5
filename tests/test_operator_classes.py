"""The class of each operation: what the axis stands for that it sums over, whoever writes it and however it is written."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import zoo
from archbench.counting import of_module
from archbench.measure.axes import Axes, Role, of_image, regrouped
from archbench.measure.complexity import complexity_of, count
from archbench.measure.operator_time import LabelledCounter
from archbench.measure.operators import product_class
from archbench.models import Input, Model, parse

N, C, H, W = 2, 6, 4, 8
PLACES = H * W


class Apply(nn.Module):
    """A network in one function of the images and its layers."""

    def __init__(self, function: object, **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.function(self, images)


def classes(function: object, **layers: nn.Module) -> dict[str, int]:
    """MACs by class of `function`, followed by a depthwise layer so that nothing stands behind the last map."""
    network = Apply(lambda self, images: self.last(function(self, images)), last=nn.Conv2d(C, C, 3, padding=1, groups=C), **layers)
    counted = complexity_of(network.eval(), (torch.randn(N, C, H, W),))
    return {kind: macs for kind, macs in counted.by_class("macs").items() if kind != "depthwise"}


def tokens(images: torch.Tensor) -> torch.Tensor:
    return images.flatten(2).transpose(1, 2)


def maps(each: torch.Tensor) -> torch.Tensor:
    return each.transpose(1, 2).reshape(N, C, H, W)


def attention(self: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Two heads of three channels; queries, keys and values from one layer."""
    query, key, value = self.qkv(tokens(images)).reshape(N, PLACES, 3, 2, 3).permute(2, 0, 3, 1, 4)
    weights = (query @ key.transpose(-2, -1)).softmax(-1)
    return maps((weights @ value).transpose(1, 2).reshape(N, PLACES, C))


def fused_attention(self: nn.Module, images: torch.Tensor) -> torch.Tensor:
    query, key, value = self.qkv(tokens(images)).reshape(N, PLACES, 3, 2, 3).permute(2, 0, 3, 1, 4)
    return maps(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(N, PLACES, C))


def gate(self: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return images * torch.sigmoid(self.inner(images.mean((2, 3))))[:, :, None, None]


ATTENTION_MACS = 2 * N * PLACES * PLACES * C  # scores, then sums, over C channels in two heads of three
CASES = {
    # a linear layer over the last axis of tokens mixes channels, on their transpose places
    "linear on channels": (lambda self, x: maps(self.inner(tokens(x))), nn.Linear(C, C), {"pointwise": N * PLACES * C * C}),
    "linear on places": (
        lambda self, x: self.inner(x.flatten(2)).reshape(N, C, H, W),
        nn.Linear(PLACES, PLACES),
        {"token_mixing": N * C * PLACES * PLACES},
    ),
    "linear on rows": (lambda self, x: self.inner(x), nn.Linear(W, W), {"token_mixing": N * C * H * W * W}),
    "linear, channels last": (
        lambda self, x: self.inner(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
        nn.Linear(C, C),
        {"pointwise": N * PLACES * C * C},
    ),
    "einsum over channels": (
        lambda self, x: torch.einsum("nchw,dc->ndhw", x, self.inner.weight),
        nn.Linear(C, C),
        {"pointwise": N * PLACES * C * C},
    ),
    "einsum over places": (
        lambda self, x: torch.einsum("ncp,qp->ncq", x.flatten(2), self.inner.weight).reshape(N, C, H, W),
        nn.Linear(PLACES, PLACES),
        {"token_mixing": N * C * PLACES * PLACES},
    ),
    "weight on the left": (
        lambda self, x: (self.inner.weight @ x.flatten(2)).reshape(N, C, H, W),
        nn.Linear(C, C, bias=False),
        {"pointwise": N * PLACES * C * C},
    ),
    "functional 1x1": (lambda self, x: F.conv2d(x, self.inner.weight), nn.Conv2d(C, C, 1), {"pointwise": N * PLACES * C * C}),
    "gate of linear layers": (gate, nn.Linear(C, C), {"gate": N * C * C}),
    "gate of 1x1 convolutions": (
        lambda self, x: x * torch.sigmoid(self.inner(F.adaptive_avg_pool2d(x, 1))),
        nn.Conv2d(C, C, 1),
        {"gate": N * C * C},
    ),
    "patch merging": (  # 2x2 places of six channels to six channels, then spread again
        lambda self, x: (
            self.inner(x.reshape(N, C, H // 2, 2, W // 2, 2).permute(0, 2, 4, 3, 5, 1).flatten(3)).permute(0, 3, 1, 2).repeat(1, 1, 2, 2)
        ),
        nn.Linear(4 * C, C),
        {"dense_conv": N * PLACES // 4 * 4 * C * C},
    ),
    "unfolded patches": (  # each patch of 2x2 places of six channels becomes a vector
        lambda self, x: maps(self.inner(F.unfold(x, 2, stride=2).transpose(1, 2)).repeat(1, 4, 1)),
        nn.Linear(4 * C, C),
        {"dense_conv": N * PLACES // 4 * 4 * C * C},
    ),
    "windows": (  # attention windows of 2x2: channels are still channels
        lambda self, x: (
            self.inner(x.reshape(N, C, H // 2, 2, W // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, C))
            .reshape(N, H // 2, W // 2, 2, 2, C)
            .permute(0, 5, 1, 3, 2, 4)
            .reshape(N, C, H, W)
        ),
        nn.Linear(C, C),
        {"pointwise": N * PLACES * C * C},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_product_is_what_it_sums_over(case: str) -> None:
    function, inner, expected = CASES[case]
    assert classes(function, inner=inner) == expected


@pytest.mark.parametrize("function", [attention, fused_attention])
def test_attention_mixes_tokens_and_its_projections_mix_channels(function: object) -> None:
    assert classes(function, qkv=nn.Linear(C, 3 * C)) == {"token_mixing": ATTENTION_MACS, "pointwise": N * PLACES * C * 3 * C}


def test_a_shared_layer_counts_each_time() -> None:
    shared = nn.Conv2d(C, C, 1)
    assert classes(lambda self, x: self.inner(self.inner(x)), inner=shared) == {"pointwise": 2 * N * PLACES * C * C}


def test_a_direct_forward_is_seen() -> None:
    assert classes(lambda self, x: self.inner.forward(x), inner=nn.Conv2d(C, C, 1)) == {"pointwise": N * PLACES * C * C}


def test_an_lstm_cell_is_counted() -> None:
    """Four gates, each C x C from the input and from the state, at each of the places."""
    function = lambda self, x: maps(self.inner(tokens(x))[0])  # noqa: E731
    assert sum(classes(function, inner=nn.LSTM(C, C, batch_first=True)).values()) == N * PLACES * 4 * 2 * C * C


@pytest.mark.parametrize(("layer", "gates"), [(nn.LSTM(C, C, batch_first=True), 4), (nn.GRU(C, C, batch_first=True), 3)])
def test_a_recurrent_layer_along_rows_is_other_fused_or_step_by_step(layer: nn.RNNBase, gates: int) -> None:
    """A CPU fuses an LSTM and takes a GRU's steps, over all rows at once. Each gate is C x C from the input and from the state."""

    def along_rows(self: nn.Module, images: torch.Tensor) -> torch.Tensor:
        return self.inner(images.permute(0, 2, 3, 1).flatten(0, 1))[0].reshape(N, H, W, C).permute(0, 3, 1, 2)

    assert classes(along_rows, inner=layer) == {"other": N * PLACES * gates * 2 * C * C}


@pytest.mark.parametrize(
    ("summed", "at_places", "pooled", "expected"),
    [
        ({Role.channels}, True, False, "pointwise"),
        ({Role.channels}, False, True, "gate"),
        ({Role.channels}, False, False, "other"),
        ({Role.places}, False, False, "token_mixing"),
        ({Role.places, Role.channels}, True, False, "dense_conv"),
        ({Role.places, Role.channels}, False, False, "other"),
        ({Role.unknown}, True, False, "other"),
        (set(), False, True, "gate"),
    ],
)
def test_the_rule_for_products(summed: set[Role], at_places: bool, pooled: bool, expected: str) -> None:
    assert product_class(frozenset(summed), at_places, pooled) == expected


def test_a_view_splits_and_joins_factors_in_order() -> None:
    axes = of_image((2, 6, 4, 8))
    joined = regrouped(axes, (2, 6, 32))
    assert joined.axes[2] == ((Role.places, 4), (Role.places, 8))
    assert regrouped(joined, (2, 3, 2, 4, 8)).axes[1:3] == (((Role.channels, 3),), ((Role.channels, 2),))
    assert regrouped(axes, (12, 32)).roles(0) == {Role.batch, Role.channels}


def test_an_axis_of_length_1_keeps_its_role() -> None:
    """One place of six channels, flattened, joined with the batch, and as a token."""
    axes = of_image((2, 6, 1, 1))
    place = (Role.places, 1)
    assert regrouped(axes, (2, 6)).axes == (((Role.batch, 2),), ((Role.channels, 6), place, place))
    token = regrouped(axes, (2, 6, 1))
    assert token.axes[2] == (place, place)
    assert (regrouped(axes, (2, 6)).is_map, token.is_map) == (False, True)
    tokens_first = Axes((token.axes[0], token.axes[2], token.axes[1]))
    assert regrouped(tokens_first, (2, 6)).axes == (((Role.batch, 2), place, place), ((Role.channels, 6),))


def test_a_view_that_cuts_through_factors_is_unknown() -> None:
    """3 x 4 places as 2 x 6: no axis of either is a product of whole factors of the other."""
    axes = Axes((((Role.places, 3),), ((Role.channels, 4),)))
    assert regrouped(axes, (2, 6)).roles(0) == {Role.unknown}


def test_maps_of_one_place_are_no_head() -> None:
    """ResNet-18 at 32x32 ends in maps of 1x1; its head is the linear layer alone, with or without a name."""
    (model,) = parse(["torchvision:resnet18"])
    assert count(model, Input(10, 3, 32)).by_class("macs")["head"] == 5120
    assert "head" not in count(Model("nin"), Input(10, 3, 4)).by_class("macs")


def test_counting_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random = torch.random.get_rng_state()
    complexity_of(network.eval(), (torch.zeros(2, 3, 8, 8),))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert torch.random.get_rng_state().equal(random)


class Written(nn.Module):
    """A 3x3 layer, then a function of its maps and a weight, then the average of each map and a linear layer."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.first, self.weight, self.fc = nn.Conv2d(C, C, 3, padding=1), nn.Parameter(torch.randn(C, C)), nn.Linear(C, 10)
        self.function = function

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.function(self.first(images), self.weight).mean((2, 3)))
        return logits


WAYS = {  # in which a 1x1 layer can be written: torch puts the weight now on one side, now on the other
    "conv": lambda x, w: F.conv2d(x, w[:, :, None, None]),
    "linear": lambda x, w: F.linear(x.permute(0, 2, 3, 1), w).permute(0, 3, 1, 2),
    "einsum": lambda x, w: torch.einsum("bchw,cd->bdhw", x, w),
    "einsum, transposed": lambda x, w: torch.einsum("bchw,dc->bdhw", x, w),
    "tensordot": lambda x, w: torch.tensordot(x, w, dims=([1], [0])).permute(0, 3, 1, 2),
    "tensordot, weight first": lambda x, w: torch.tensordot(w, x, dims=([0], [1])).transpose(0, 1),
    "weight @ maps": lambda x, w: (w @ x.flatten(2)).reshape(x.shape),
    "tokens @ weight": lambda x, w: (x.flatten(2).transpose(1, 2) @ w).transpose(1, 2).reshape(x.shape),
    "bmm": lambda x, w: torch.bmm(w.expand(len(x), C, C), x.flatten(2)).reshape(x.shape),
    "baddbmm": lambda x, w: torch.baddbmm(x.new_zeros(1), w.expand(len(x), C, C), x.flatten(2)).reshape(x.shape),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("side", [4, 1])
def test_a_1x1_is_one_at_every_batch_and_image_size_counted_and_timed(way: str, side: int) -> None:
    """C C at each place of each image, behind 9 C C and before 10 C; on the meta device, and on the CPU in training."""
    network = Written(WAYS[way])
    for batch in (1, 2, 8):
        places, images = batch * side * side, torch.randn(batch, C, side, side)
        expected = {"head": batch * 10 * C, "pointwise": places * C * C, "dense_conv": places * 9 * C * C}
        counted = of_module(network, images)
        assert counted.by_class("macs") == expected
        timed = LabelledCounter([network.get_parameter(name) for name in counted.head.parameters])
        timed.begin(images)
        with timed:
            network.train()(images)
        assert {each.operator_class: each.macs for each in timed.operations if each.counted} == expected


@pytest.mark.parametrize("side", [4, 1])
def test_pooling_to_one_place_is_global_only_where_it_is_so_at_every_size(side: int) -> None:
    """A gate on the average of maps of one place is a gate; a 1x1 behind the last step down of a body, to one place, is none."""
    images, inner = torch.randn(N, C, 2 * side, 2 * side), nn.Conv2d(C, C, 1)
    ways = {
        "gate": lambda self, x: (maps := F.max_pool2d(x, 2)) * self.inner(F.adaptive_avg_pool2d(maps, 1)),
        "pointwise": lambda self, x: self.inner(F.max_pool2d(x, 2)),
    }
    for expected, function in ways.items():
        network = Apply(lambda self, x, function=function: self.last(function(self, x)), last=nn.Conv2d(C, C, 3, padding=1), inner=inner)
        assert set(complexity_of(network.eval(), (images,)).by_class("macs")) == {expected, "dense_conv"}


def test_one_channel_is_flattened_as_several_are() -> None:
    """A linear layer on all of a grey image sums over its channel too: it does not mix tokens."""
    for channels in (1, 3):
        network = nn.Sequential(nn.Flatten(), nn.Linear(channels * 16, 8), nn.ReLU(), nn.Unflatten(1, (8, 1, 1)), nn.Conv2d(8, 4, 1))
        assert "token_mixing" not in complexity_of(network, (torch.randn(N, channels, 4, 4),)).by_class("macs")


def parameters(function: object, head: tuple[str, ...] = (), **layers: nn.Module) -> dict[str, int]:
    """Parameters by class of a network whose input is `(N, C, H, W)`, less those of the depthwise layer behind it."""
    last = nn.Conv2d(C, C, 3, padding=1, groups=C, bias=False)
    network = Apply(lambda self, images: self.last(function(self, images)), last=last, **layers)
    counted = complexity_of(network.eval(), (torch.randn(N, C, H, W),), head)
    found = counted.by_class("params")
    assert sum(found.values()) == counted.params
    assert found.pop("depthwise") == 9 * C
    return found


def test_parameters_belong_to_the_operation_that_uses_them() -> None:
    """C C and a bias of C, two vectors of a norm, and 4 C C of two linear layers that no operation uses."""
    layers = {"inner": nn.Conv2d(C, C, 1), "norm": nn.BatchNorm2d(C), "idle": nn.Linear(2 * C, 2 * C, bias=False)}
    found = parameters(lambda self, x: self.norm(self.inner(x)), **layers)
    assert found == {"pointwise": C * C + C, "norm": 2 * C, "other": 4 * C * C}


def test_a_shared_parameter_counts_once_to_its_first_use() -> None:
    """The same weights as a 1x1 convolution, then, seen in another way, on the pooled maps as a gate."""

    def twice(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        mixed = self.inner(x)
        return mixed * F.linear(mixed.mean((2, 3)), self.inner.weight.flatten(1))[:, :, None, None]

    assert parameters(twice, inner=nn.Conv2d(C, C, 1, bias=False)) == {"pointwise": C * C}


def test_prepared_weights_count_where_they_are_used() -> None:
    """Weights that are standardised by hand or as batch norm does it, or split into length and direction, are a convolution's."""

    def by_hand(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        weight = self.inner.weight
        return F.conv2d(x, (weight - weight.mean((1, 2, 3), keepdim=True)) / weight.std((1, 2, 3), keepdim=True), padding=1)

    def as_batch_norm(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
        weight = F.batch_norm(self.inner.weight.reshape(1, C, -1), None, None, training=True)
        return F.conv2d(x, weight.reshape_as(self.inner.weight), padding=1)

    for function in (by_hand, as_batch_norm):
        assert parameters(function, inner=nn.Conv2d(C, C, 3, bias=False)) == {"dense_conv": 9 * C * C}
    split = nn.utils.parametrizations.weight_norm(nn.Conv2d(C, C, 3, padding=1, bias=False))
    assert parameters(lambda self, x: self.inner(x), inner=split) == {"dense_conv": 9 * C * C + C}


class Scaled(nn.Module):
    """A 1x1 convolution whose output is scaled and shifted by parameters of the module's own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(C, C, 1, 1)), nn.Parameter(torch.ones(C, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.conv2d(images, self.weight) + self.bias


class Scale(nn.Module):
    """A factor for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(C, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.factor


def test_elementwise_parameters_count_to_what_their_module_computes_else_to_other() -> None:
    assert parameters(lambda self, x: self.inner(x), inner=Scaled()) == {"pointwise": C * C + C}
    assert parameters(lambda self, x: self.inner(x), inner=Scale()) == {"other": C}


def test_all_parameters_of_a_named_head_are_the_heads() -> None:
    head = nn.Sequential(nn.BatchNorm2d(C), nn.Conv2d(C, C, 1, bias=False))
    assert parameters(lambda self, x: self.inner(x), head=("inner",), inner=head) == {"head": C * C + 2 * C}


@pytest.mark.parametrize("name", zoo.names())
def test_the_parameters_of_the_zoo_add_up(name: str) -> None:
    """Over classes to the whole; of the head to what its modules hold."""
    model = Model(name)
    counted, (network, _) = count(model, model.native_input), model.weightless(model.native_input)
    assert sum(counted.by_class("params").values()) == counted.params
    held = sum(parameter.numel() for head in zoo.get(name).head for parameter in network.get_submodule(head).parameters())
    assert counted.head_params == held
    rows = {row.at["operator_class"]: row.value for row in counted.rows() if row.name == "params" and "operator_class" in row.at}
    assert rows == {"head": held, **counted.by_class("params")}


def test_convnexts_parameters_by_hand() -> None:
    """Atto, blocks of 2, 2, 6 and 2 with 40, 80, 160 and 320 maps: in each block c 49 + c depthwise, 8 c c + 5 c in the MLP, 2 c of the
    norm and c of the scale; 3 x 4 and 4 weights a map into each stage; two norms of c before each further stage, and one behind the stem.
    """
    widths, depths = (40, 80, 160, 320), (2, 2, 6, 2)
    maps = sum(depth * width for depth, width in zip(depths, widths, strict=True))
    found = count(Model("convnext"), Input(10, 3, 32)).by_class("params")
    assert found["depthwise"] == 50 * maps
    assert found["pointwise"] == sum(depth * (8 * width * width + 5 * width) for depth, width in zip(depths, widths, strict=True))
    into_stages = sum(4 * before * width + width for before, width in pairwise(widths))
    assert found["dense_conv"] == 4 * 3 * 40 + 40 + into_stages
    assert (found["norm"], found["other"]) == (2 * maps + 2 * 40 + 2 * (40 + 80 + 160), maps)
    assert found["head"] == 2 * 320 + 320 * 10 + 10

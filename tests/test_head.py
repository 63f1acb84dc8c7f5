"""The classifier head of networks whose spec does not name it: the same at every size of image, and never a part of the body."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from archbench import counting
from archbench.errors import ArchbenchError
from archbench.measure.complexity import complexity_of, count, head_of
from archbench.models import Input, Model, parse


def linear(*widths: int) -> int:
    """Parameters of linear layers, each with a bias, from one width to the next."""
    return sum(before * after + after for before, after in pairwise(widths))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("torchvision:squeezenet1_1", linear(512, 10)),  # a 1x1 convolution
        ("torchvision:vgg11", linear(512 * 7 * 7, 4096, 4096, 10)),
        ("torchvision:densenet121", linear(1024, 10)),  # at 32 pixels its last maps are of one place, by average pooling
        ("torchvision:convnext_tiny", 2 * 768 + linear(768, 10)),  # with the norm in its classifier
        ("timm:mobilenetv3_small_050", linear(288, 1024, 10)),  # conv_head stands behind the average
        ("timm:seresnet50", linear(2048, 10)),  # the last gate is none of it
        ("timm:vgg11", linear(4096, 10)),  # its other two are convolutions on maps, and called pre_logits
        ("timm:deit_tiny_distilled_patch16_224", 2 * linear(192, 10)),
    ],
)
def test_a_foreign_networks_head_is_what_it_says_at_every_size(name: str, params: int) -> None:
    (model,) = parse([name])
    found = [count(model, Input(10, 3, size)) for size in (32, 64)]
    assert [each.head_params for each in found] == [params, params]
    assert not any(each.head.guessed for each in found)
    classes = [
        {kind: size for kind, size in each.by_class("params").items() if kind != "other"} for each in found
    ]  # places have weights there
    assert classes[0] == classes[-1]


class Reads(nn.Module):
    """Logits of the mean output of a recurrent layer, or of the last one of a cell."""

    def __init__(self, layer: nn.RNNBase | nn.RNNCellBase) -> None:
        super().__init__()
        self.layer, self.read = layer, nn.Linear(4, 10)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        if isinstance(self.layer, nn.RNNBase):
            return self.read(self.layer(sequence)[0].mean(1))
        state = None
        for step in sequence.unbind(1):
            state = self.layer(step, state)
        return self.read(state)


class Embeds(nn.Module):
    """Seven words as tokens, through a layer of attention; logits of their mean where it has any."""

    def __init__(self, *reads: nn.Module) -> None:
        super().__init__()
        self.embed, self.reads = nn.Embedding(100, 16), nn.ModuleList(reads)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        tokens: torch.Tensor = self.layer(self.embed(words))
        for read in self.reads:
            tokens = read(tokens.mean(1))
        return tokens


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("layer", "gates"), [(nn.LSTM(3, 4, batch_first=True), 4), (nn.GRU(3, 4, batch_first=True), 3), (nn.GRUCell(3, 4), 3)]
)
def test_recurrent_layers_are_never_head(layer: nn.RNNBase | nn.RNNCellBase, gates: int, batch: int) -> None:
    """Each gate has 4 (3 + 4) weights, at 7 steps."""
    reads = counting.of_module(Reads(layer), torch.zeros(batch, 7, 3))
    assert reads.by_class("macs") == {"head": batch * 40, "other": batch * 7 * gates * 4 * (3 + 4)}


@pytest.mark.parametrize("batch", [1, 2])
def test_attention_is_never_head(batch: int) -> None:
    """Projections of 4 x 16 x 16 and two layers of 16 x 32 for each of 7 words, scores and sums of 7 x 7 x 16."""
    words, each = torch.zeros(batch, 7, dtype=torch.long), {"token_mixing": 2 * 7 * 7 * 16, "pointwise": 7 * (4 * 256 + 2 * 512)}
    assert counting.of_module(Embeds(), words).by_class("macs") == {kind: batch * macs for kind, macs in each.items()}
    assert counting.of_module(Embeds(nn.Linear(16, 10)), words).by_class("macs")["head"] == batch * 160


BODY = [nn.Conv2d(3, 4, 3), nn.ReLU()]
POOL = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


@pytest.mark.parametrize(
    ("layers", "modules"),
    [
        ([*BODY, *POOL, nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 10)], ("4", "6")),
        ([*BODY, nn.Conv2d(4, 10, 1), nn.ReLU(), *POOL], ("2",)),  # as NIN ends
        ([*BODY, nn.Conv2d(4, 10, 1), nn.BatchNorm2d(10), nn.ReLU(), *POOL], ()),  # features, as of a ResNet without its head
        ([*BODY, nn.Conv2d(4, 10, 1)], ()),  # maps
    ],
)
def test_the_last_layer_that_gives_the_logits_is_guessed_to_be_the_head(layers: list[nn.Module], modules: tuple[str, ...]) -> None:
    head = counting.of_module(nn.Sequential(*layers), torch.zeros(1, 3, 8, 8)).head
    assert (head.modules, head.guessed) == (modules, bool(modules))


def test_where_the_number_of_classes_is_known_features_are_logits() -> None:
    network = nn.Sequential(*BODY, nn.Conv2d(4, 10, 1), nn.BatchNorm2d(10), *POOL).eval()
    assert complexity_of(network, (torch.zeros(1, 3, 8, 8),), num_classes=10).head.modules == ("2",)


def test_where_no_layer_gives_the_logits_all_behind_the_last_map_is_head() -> None:
    network = nn.Sequential(*BODY, *POOL, nn.Linear(4, 6), nn.Unflatten(1, (3, 2)), nn.Flatten(), nn.ConstantPad1d((0, 1), 0.0))
    assert counting.of_module(network, torch.zeros(1, 3, 8, 8)).head.modules == ("4",)


def test_what_a_network_of_timm_says_goes_before_what_it_looks_like() -> None:
    """Logits that a further layer mixes: the classifier is the one that it names."""

    class Says(nn.Sequential):
        pretrained_cfg: dict[str, str] = {}  # noqa: RUF012 - as timm has it

        def get_classifier(self) -> nn.Module:
            return self[4]

    head = counting.of_module(Says(*BODY, *POOL, nn.Linear(4, 10), nn.Linear(10, 10)), torch.zeros(1, 3, 8, 8)).head
    assert (head.modules, head.guessed) == (("4",), False)


def test_a_classifier_with_normalised_weights_is_head() -> None:
    """Its parameters are a length and a direction, from which its weight is made anew in each pass."""
    read = nn.utils.parametrizations.weight_norm(nn.Linear(4, 10))
    counted = counting.of_module(nn.Sequential(*BODY, *POOL, read), torch.zeros(1, 3, 8, 8))
    assert (counted.by_class("macs")["head"], counted.head_params) == (40, 40 + 10 + 10)


def test_heads_that_are_named_are_taken_at_their_word() -> None:
    network, image = nn.Sequential(*BODY, *POOL, nn.Linear(4, 10)), torch.zeros(1, 3, 8, 8)
    assert counting.of_module(network, image, head="0").head.modules == ("0",)
    with pytest.raises(ArchbenchError, match="unknown module 'fc'; known are 0, 1, 2, 3, 4"):
        counting.of_module(network, image, head=["fc"])
    assert head_of(Model("nin"), Input(10, 3, 32)).parameters == ()
    assert head_of(Model("lenet"), Input(10, 3, 32)).modules == ("head.1", "head.3", "head.5")


def test_a_guess_is_said() -> None:
    counted = [
        {"model": "a", "input": "3x8x8", "params": 1, "macs": 2, "operators": {"head": 2}, "head": {"modules": ["4"], "guessed": True}}
    ]
    assert "- a: head guessed (4)" in counting.markdown(counted)
    assert "guessed" not in counting.markdown([{**counted[0], "head": {"modules": ["4"], "guessed": False}}])

"""Why other counters' numbers differ, each cause on a network small enough for a hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from archbench.measure.complexity import complexity_of
from archbench.measure.crosscheck import Comparison, compare


def compared(network: nn.Module, *shape: int, device: str = "cpu") -> dict[str, Comparison]:
    with torch.device(device):
        image = torch.randn(*shape)
    found = compare(network.eval(), image, complexity_of(network, (image,)).operations)
    return {each.counter: each for each in found}


def causes(found: Comparison) -> dict[str, int]:
    assert (found.failure, found.unexplained) == ("", 0)
    return {cause.name: cause.macs for cause in found.causes}


def test_a_convolution_whose_padding_is_a_word() -> None:
    """8 x 8 places x 3 x 9 x 4."""
    found = compared(nn.Conv2d(3, 4, 3, padding="same", bias=False), 1, 3, 8, 8)["fvcore"]
    assert found.macs == 0
    assert causes(found) == {"does not see convolutions with padding=same": -6912}


def test_a_recurrent_layer() -> None:
    """Four gates of 4 units, each reading 3 inputs and 4 states: 112 weights, at each of 5 steps."""

    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LSTM(3, 4, batch_first=True)

        def forward(self, sequence: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.layer(sequence)[0]
            return out

    assert causes(compared(Reads(), 1, 5, 3)["fvcore"]) == {"does not see recurrent layers": -560}


class Steps(nn.Module):
    """A cell, step by step."""

    def __init__(self, cell: nn.RNNCellBase) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        state = None
        for step in sequence.unbind(1):
            state = self.cell(step, state)
        return state[0] if isinstance(state, tuple) else state


class Sequence(nn.Module):
    """What a recurrent layer gives."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(sequence)[0]
        return out


BIASES, UNSEEN = "adds the biases of each recurrent layer", "does not see recurrent layers"


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_what_other_counters_make_of_recurrent_layers(kind: type[nn.RNNBase], gates: int) -> None:
    """Each gate of 4 units reads 3 inputs and 4 states, with a bias for either, at 5 steps of 2 images."""
    steps, weights, biases = 2 * 5, gates * 4 * (3 + 4), gates * 4 * 2
    found = compared(Sequence(kind(3, 4, batch_first=True)).to("meta"), 2, 5, 3, device="meta")
    assert {name: causes(each) for name, each in found.items()} == {
        "torch ÷ 2": {},
        "fvcore": {UNSEEN: -steps * weights},
        "ptflops": {BIASES: steps * biases},
        "torchinfo": {BIASES: steps * biases},
    }


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTMCell, 4), (nn.GRUCell, 3), (nn.RNNCell, 1)])
def test_what_other_counters_make_of_recurrent_cells(kind: type[nn.RNNCellBase], gates: int) -> None:
    """torchinfo takes the units of a cell's output for steps; torch and fvcore see each step's products."""
    steps, weights, biases = 2 * 5, gates * 4 * (3 + 4), gates * 4 * 2
    found = compared(Steps(kind(3, 4)), 2, 5, 3)
    units = "counts recurrent layers at each unit of their output"
    assert causes(found["ptflops"]) == {BIASES: steps * biases}
    assert causes(found["torchinfo"]) == {BIASES: 4 * steps * biases, units: 3 * steps * weights}
    assert [(causes(found[name]), found[name].macs) for name in ("torch ÷ 2", "fvcore")] == 2 * [({}, steps * weights)]


def test_a_transposed_convolution() -> None:
    """48 weights, at 64 places of the input, or at 256 of the output."""
    found = compared(nn.ConvTranspose2d(3, 4, 2, stride=2, bias=False), 1, 3, 8, 8)["torchinfo"]
    assert causes(found) == {"counts transposed convolutions at each place of their output": 48 * (256 - 64)}


def test_a_convolution_by_another_name() -> None:
    """3 x 9 x 4 weights and 4 biases at 36 places; torchinfo knows a convolution by its name."""

    class StdConv2d(nn.Conv2d):
        pass

    class Standardised(nn.Conv2d):
        pass

    assert causes(compared(StdConv2d(3, 4, 3), 1, 3, 8, 8)["torchinfo"]) == {"adds the bias of each convolution": 36 * 4}
    expected = {"adds the bias of each convolution": 4, "counts convolutions at one place of many": -35 * 108}
    assert causes(compared(Standardised(3, 4, 3), 1, 3, 8, 8)["torchinfo"]) == expected


def test_a_linear_layer_in_windows_is_counted_at_the_first_axis_of_its_output() -> None:
    """Two images of 4 windows of 9 tokens: torchinfo takes 8 places for what are 72."""
    found = compared(nn.Sequential(nn.Unflatten(1, (4, 9)), nn.Flatten(0, 1), nn.Linear(5, 6)), 2, 36, 5)["torchinfo"]
    assert found.macs == 8 * (30 + 6)
    expected = {"adds the bias of each linear at one place": 8 * 6, "counts linear layers at one place of many": -30 * (72 - 8)}
    assert causes(found) == expected


def test_weights_that_are_used_outside_of_their_layer() -> None:
    class Borrows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 6, bias=False)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return F.linear(tokens, self.layer.weight)

    assert causes(compared(Borrows(), 1, 7, 5)["torchinfo"]) == {"does not see products with weights outside of layers": -7 * 30}


def test_an_einsum_whose_count_fvcore_reads_from_a_text() -> None:
    """7 x 7 x 7 x 36 = 12,348 MACs; numpy prints 24,696 operations as 2.470e+04."""

    class Sums(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(1, 7, 36))

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return torch.einsum("ythwc,tkc->ythwk", tokens, self.table)

    found = compared(Sums(), 1, 1, 7, 7, 36)["fvcore"]
    assert found.macs == 12_350
    assert causes(found) == {"rounds einsum to 4 digits": 2}


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_a_network_keeps_or_passes_on_stops_no_counter(device: str) -> None:
    """A parameter as a module's input, and a tensor kept from the last call, as timm's networks have them."""

    class Keeps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.layer = nn.Parameter(torch.randn(1, 5)), nn.Linear(5, 6)
            self.kept: dict[str, torch.Tensor] = {}

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.kept = {str(images.device): 2 * self.token}
            return self.layer(images) + self.layer(self.token)

    with torch.device(device):
        network = Keeps()
        network(torch.randn(3, 5))
    assert [found.counter for found in compared(network, 3, 5, device=device).values() if found.failure] == []

"""Counts of live modules, and other counters' numbers explained."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import archbench
import zoo
from archbench import counting
from archbench.errors import ArchbenchError
from archbench.measure import crosscheck
from archbench.measure.complexity import complexity_of

LIGHT = ["nin", "lenet", "resnet_bottleneck", "mobilenet", "squeezenet", "densenet", "senet", "mixer", "convnext", "maxout", "hog_linear"]


def explained(network: nn.Module, *inputs: torch.Tensor) -> dict[str, crosscheck.Comparison]:
    operations = complexity_of(network.eval(), inputs).operations
    return {each.counter: each for each in crosscheck.compare(network, inputs[0], operations)}


@pytest.mark.parametrize("name", LIGHT)
def test_every_difference_to_another_counter_has_a_cause(name: str) -> None:
    (row,) = counting.rows([name], explain=True, given={})
    assert {each["counter"] for each in row["counters"]} == {"torch ÷ 2", "fvcore", "ptflops", "torchinfo"}
    assert [each["counter"] for each in row["counters"] if each["unexplained"]] == []
    assert row["counters"][0]["macs"] == row["macs"]


def test_the_page_of_counts_names_shares_and_causes() -> None:
    text = counting.markdown(counting.rows(["resnet50"], explain=True, given={}))
    assert "| resnet_bottleneck_imagenet | 3x224x224 | 25,557,032 | 4,089,184,256 | 0.1 % | 51.8 % | 48.1 % |" in text
    assert "| fvcore | 4,111,512,576 | counts batch_norm +22,227,968; counts adaptive_avg_pool2d +100,352 |" in text
    assert "| torch ÷ 2 | 4,089,184,256 | none |" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in zoo.names() if name not in LIGHT])
def test_every_difference_has_a_cause_in_the_rest_of_the_zoo(name: str) -> None:
    test_every_difference_to_another_counter_has_a_cause(name)


def test_resnet_50_as_the_reference_explains_it() -> None:
    """fvcore's 4,111,512,576 against 4,089,184,256: batch norm, and adaptive pooling over 7 x 7 x 2,048."""
    (row,) = counting.rows(["resnet50"], explain=True, given={})
    fvcore = next(each for each in row["counters"] if each["counter"] == "fvcore")
    assert (row["macs"], fvcore["macs"]) == (4_089_184_256, 4_111_512_576)
    causes = {cause["name"]: cause["macs"] for cause in fvcore["causes"]}
    assert causes == {"counts batch_norm": 22_227_968, "counts adaptive_avg_pool2d": 7 * 7 * 2048}


def test_attention_that_a_counter_does_not_see_is_named() -> None:
    """TorchScript keeps scaled_dot_product_attention whole, and fvcore has no handle for it: 2 x 16 x 16 x 8 MACs."""

    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(8, 8)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            each = self.embed(tokens)
            return F.scaled_dot_product_attention(each, each, each)

    found = explained(Attends(), torch.randn(1, 16, 8))["fvcore"]
    assert found.causes == (crosscheck.Cause("does not see attention", -2 * 16 * 16 * 8),)
    assert found.unexplained == 0


def test_a_cause_that_is_not_known_is_shown_as_unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(crosscheck.COUNTERS, "fvcore", ("fvcore", lambda *_: {"conv": 1000}))
    assert explained(nn.Conv2d(3, 4, 1), torch.randn(1, 3, 8, 8))["fvcore"].unexplained == 1000 - 64 * 12


def test_a_live_module_is_counted_and_stays_as_it_was() -> None:
    network = zoo.create("nin_bn").train()
    network.features.pool1.eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    random = torch.random.get_rng_state()
    counted = archbench.count(network, torch.randn(1, 3, 32, 32), head=["head"])
    assert (counted.params, counted.macs) == (968_404, 222_486_528)
    assert modes == [module.training for module in network.modules()]
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None and not parameter.is_meta for parameter in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    random_after = torch.random.get_rng_state()
    assert not random.equal(random_after)  # the example drew, before the count
    counting.of_module(network, torch.zeros(1, 3, 32, 32))
    assert torch.random.get_rng_state().equal(random_after)


def test_a_network_of_ten_billion_parameters_costs_no_memory() -> None:
    """100 layers of 10,000 x 10,000 weights."""
    with torch.device("meta"):
        network = nn.Sequential(*(nn.Linear(10_000, 10_000, bias=False) for _ in range(100)))
    assert archbench.count(network, torch.zeros(1, 10_000)).params == 10_000_000_000


def test_a_module_that_holds_tensors_of_its_own_is_counted_where_it_is() -> None:
    class Holds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.offset = nn.Conv2d(3, 4, 1), torch.ones(8)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.layer(images + self.offset)

    assert archbench.count(Holds(), torch.zeros(2, 3, 8, 8)).macs == 2 * 64 * 12


def test_several_inputs_and_any_output() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 4, 1)

        def forward(self, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"both": self.layer(left) + self.layer(right)}

    assert archbench.count(Pair(), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))).macs == 2 * 64 * 12


def test_a_module_that_cannot_run_is_named_in_a_line_and_keeps_its_mode() -> None:
    network = nn.Linear(3, 4).train()
    with pytest.raises(ArchbenchError, match="Linear cannot run on this input: ") as caught:
        archbench.count(network, torch.zeros(1, 5))
    assert "\n" not in str(caught.value)
    assert network.training


def test_a_count_shows_its_three_figures() -> None:
    """4 x 3 weights and 4 biases, at 64 places."""
    assert (
        repr(archbench.count(nn.Conv2d(3, 4, 1), torch.zeros(1, 3, 8, 8))) == f"Complexity(params=16, macs={64 * 12}, activations={64 * 4})"
    )


def test_counts_of_a_quantity_that_there_is_not() -> None:
    counted = archbench.count(nn.Conv2d(3, 4, 1), torch.zeros(1, 3, 8, 8))
    with pytest.raises(ArchbenchError, match=r"are those of params, macs or activations \(got 'flops'\)"):
        counted.by_class("flops")


@pytest.mark.parametrize(
    ("example", "found"),
    [
        ((1, 3, 32, 32), r"the shape \(1, 3, 32, 32\); torch.zeros\(1, 3, 32, 32\) has it"),
        ([1, 3, 8, 8], r"the shape \(1, 3, 8, 8\); torch.zeros\(1, 3, 8, 8\) has it"),
        (32, "int"),
        ((), "tuple"),
        ((torch.zeros(1, 3, 8, 8), None), "NoneType"),
    ],
)
def test_what_an_example_may_be_is_said(example: object, found: str) -> None:
    with pytest.raises(ArchbenchError, match=rf"example_input is a tensor, .* \(got {found}\)$"):
        archbench.count(nn.Conv2d(3, 4, 1), example)


def test_a_name_is_no_module() -> None:
    with pytest.raises(ArchbenchError, match=r"a torch.nn.Module is counted \(got str\); `archbench count NAME`"):
        archbench.count("nin", torch.zeros(1, 3, 32, 32))

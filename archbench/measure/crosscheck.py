"""Other counters beside ours on one network, and why their numbers differ, cause by cause until nothing is left.

Each counter says what it found by operator. What falls on operators that we count at no cost is a cause by that operator's name; a kind
of operation that it does not see, or whose bias it adds, is a cause too. The rest is unexplained, and zero for every network of the zoo.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archbench.measure.operators import Operation

KINDS = ("convolution", "linear", "attention", "recurrent")
# what others call the operations that we count; a product of two activations goes by the same names as one with a weight
CONVOLUTIONS = {"conv", "convolution", "_convolution", "convolution_overrideable"}
PRODUCTS = {"addmm", "mm", "bmm", "baddbmm", "matmul", "linear", "einsum", "scaled_dot_product_attention"}

Found = Mapping[str, int]  # MACs by operator, as a counter names them


@dataclass(frozen=True)
class Cause:
    """Why a counter's number differs, and by how many MACs."""

    name: str
    macs: int


@dataclass(frozen=True)
class Comparison:
    """Another counter's MACs for the same network and input, and what tells them from ours."""

    counter: str
    macs: int
    causes: tuple[Cause, ...]
    unexplained: int


def compare(network: nn.Module, image: torch.Tensor, operations: Iterable[Operation]) -> list[Comparison]:
    """Ours, as `operations`, beside each counter that is installed. The network is in evaluation mode and stays as it is."""
    ours = [operation for operation in operations if operation.counted]
    installed = {name: count for name, (package, count) in COUNTERS.items() if importlib.util.find_spec(package) is not None}
    return [_comparison(name, count(network, image), ours) for name, count in installed.items()]


def _comparison(name: str, found: Found, ours: list[Operation]) -> Comparison:
    causes = [Cause(f"counts {operator}", macs) for operator, macs in found.items() if macs and operator not in CONVOLUTIONS | PRODUCTS]
    causes += _of_kind("convolution", found, CONVOLUTIONS, [each for each in ours if each.kind == "convolution"])
    causes += _of_kind("linear", found, PRODUCTS, [each for each in ours if each.kind in ("linear", "attention")])
    causes += [Cause("does not see recurrent", -each.macs) for each in ours if each.kind == "recurrent"]
    total, own = sum(found.values()), sum(each.macs for each in ours)
    named = tuple(cause for cause in causes if cause.macs)
    return Comparison(name, total, named, total - own - sum(cause.macs for cause in named))


def _of_kind(kind: str, found: Found, names: set[str], ours: list[Operation]) -> list[Cause]:
    """What tells two counts of one kind of operation apart: nothing, attention that was not seen, or added biases."""
    rest = sum(found.get(name, 0) for name in names) - sum(each.macs for each in ours)
    attention = sum(each.macs for each in ours if each.kind == "attention")
    bias = sum(each.activations for each in ours if each.bias)
    for unseen in (0, attention):
        for added in (0, bias):
            if rest == added - unseen:
                return [Cause("does not see attention", -unseen), Cause(f"adds the bias of each {kind}", added)]
    return []


def _torch(network: nn.Module, image: torch.Tensor) -> Found:
    """torch.utils.flop_counter, which counts a multiply-add as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    return {_short(operator): flops // 2 for operator, flops in counter.get_flop_counts()["Global"].items()}


def _fvcore(network: nn.Module, image: torch.Tensor) -> Found:
    """fvcore.nn.FlopCountAnalysis, on the network as TorchScript traces it; the tracer needs memory behind the weights."""
    from fvcore.nn import FlopCountAnalysis

    if image.is_meta:
        network, image = copy.deepcopy(network).to_empty(device="cpu"), torch.zeros(image.shape)

    logging.getLogger("fvcore").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer's remarks
        found = FlopCountAnalysis(network, image).unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_operator()
    return {operator: int(macs) for operator, macs in found.items()}


def _ptflops(network: nn.Module, image: torch.Tensor) -> Found:
    """ptflops' counter at the dispatcher, which adds biases, norms, activations and pooling."""
    from ptflops.aten_engine import FlopCounterMode

    counter = FlopCounterMode(output_params={"serialize_params": {}, "print_params": {}})
    with counter, torch.no_grad():
        network(image)
    return {_short(operator): int(macs) for operator, macs in counter.flop_counts["Global"].items()}


def _short(operator: Any) -> str:
    """`aten.convolution` as `convolution`."""
    return str(operator).rpartition(".")[2]


COUNTERS: dict[str, tuple[str, Callable[[nn.Module, torch.Tensor], Found]]] = {
    "torch ÷ 2": ("torch", _torch),
    "fvcore": ("fvcore", _fvcore),
    "ptflops": ("ptflops", _ptflops),
}

"""Other counters beside ours on one network, and why their numbers differ, cause by cause until nothing is left.

Each counter says what it found by operator. What falls on operators that we count at no cost is a cause by that operator's name; a kind
of operation that it does not see, or whose bias it adds, is a cause too. The rest is unexplained, and zero for every network of the zoo.
"""

from __future__ import annotations

import copy
import importlib.util
import itertools
import logging
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from archbench.errors import brief
from archbench.measure.operators import Operation

# what others call the operations that we count; a product of two activations goes by the same names as one with a weight
CONVOLUTIONS = {"Conv2d", "conv", "convolution", "_convolution", "convolution_overrideable"}
PRODUCTS = {"Linear", "addmm", "mm", "bmm", "baddbmm", "matmul", "linear", "einsum", "scaled_dot_product_attention"}

Found = Mapping[str, int]  # MACs by operator, as a counter names them
Counting = Callable[[nn.Module, torch.Tensor], Found]


@dataclass(frozen=True)
class Cause:
    """Why a counter's number differs, and by how many MACs."""

    name: str
    macs: int


@dataclass(frozen=True)
class Comparison:
    """Another counter's MACs for the same network and input, and what tells them from ours; or why it could not count."""

    counter: str
    macs: int = 0
    causes: tuple[Cause, ...] = ()
    unexplained: int = 0
    failure: str = ""


def compare(
    network: nn.Module, image: torch.Tensor, operations: Iterable[Operation], only: Iterable[str] | None = None
) -> list[Comparison]:
    """Ours, as `operations`, beside each counter that is installed, or those of `only`. The network is in evaluation mode."""
    asked = COUNTERS if only is None else {name: COUNTERS[name] for name in only}
    ours = [operation for operation in operations if operation.counted]
    installed = {name: count for name, (package, count) in asked.items() if importlib.util.find_spec(package) is not None}
    return [_counted(name, count, network, image, ours) for name, count in installed.items()]


def _counted(name: str, count: Counting, network: nn.Module, image: torch.Tensor, ours: list[Operation]) -> Comparison:
    try:
        with torch.no_grad():
            found = count(network, image)
    except Exception as error:  # another tool's failure is a part of the comparison
        return Comparison(name, failure=f"{type(error).__name__}: {brief(error)}")
    return _comparison(name, found, ours, len(image))


def _comparison(name: str, found: Found, ours: list[Operation], batch: int) -> Comparison:
    causes = [Cause(f"counts {operator}", macs) for operator, macs in found.items() if macs and operator not in CONVOLUTIONS | PRODUCTS]
    of_kind = {kind: [each for each in ours if each.kind == kind] for kind in ("convolution", "linear", "attention", "recurrent")}
    causes += _adjusted(found, CONVOLUTIONS, of_kind["convolution"], [_biases("convolution", of_kind["convolution"])])
    causes += _adjusted(
        found, PRODUCTS, of_kind["linear"] + of_kind["attention"], _adjustments(of_kind["linear"], of_kind["attention"], batch)
    )
    causes += [Cause("does not see recurrent layers", -each.macs) for each in of_kind["recurrent"]]
    total, own = sum(found.values()), sum(each.macs for each in ours)
    named = tuple(cause for cause in causes if cause.macs)
    return Comparison(name, total, named, total - own - sum(cause.macs for cause in named))


def _adjusted(found: Found, names: set[str], ours: list[Operation], possible: list[Cause]) -> list[Cause]:
    """The fewest of the possible causes that together tell two counts of one kind of operation apart; none where none do."""
    rest = sum(found.get(name, 0) for name in names) - sum(each.macs for each in ours)
    subsets = (chosen for size in range(len(possible) + 1) for chosen in itertools.combinations(possible, size))
    return next((list(chosen) for chosen in subsets if sum(cause.macs for cause in chosen) == rest), [])


def _biases(kind: str, ours: list[Operation]) -> Cause:
    return Cause(f"adds the bias of each {kind}", sum(each.activations for each in ours if each.bias))


def _adjustments(linear: list[Operation], attention: list[Operation], batch: int) -> list[Cause]:
    """What counters do differently about matrix products."""
    elsewhere = sum(each.macs - each.macs * batch // math.prod(each.shape[:-1]) for each in linear)
    return [
        _biases("linear", linear),
        Cause("does not see attention", -sum(each.macs for each in attention)),
        Cause("counts linear layers at one place of many", -elsewhere),
        Cause("adds the bias of each linear at one place", batch * sum(each.shape[-1] for each in linear if each.bias or each.bias_behind)),
    ]


def _torch(network: nn.Module, image: torch.Tensor) -> Found:
    """torch.utils.flop_counter, which counts a multiply-add as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        network(image)
    return {_short(operator): flops // 2 for operator, flops in counter.get_flop_counts()["Global"].items()}


def _fvcore(network: nn.Module, image: torch.Tensor) -> Found:
    """fvcore.nn.FlopCountAnalysis, on the network as TorchScript traces it; the tracer needs memory behind the weights."""
    if image.is_meta:
        network, image = copy.deepcopy(network).to_empty(device="cpu"), torch.zeros(image.shape)
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.zero_()  # what indices there are must be valid

    logging.getLogger("fvcore").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks, on import too
        from fvcore.nn import FlopCountAnalysis

        found = FlopCountAnalysis(network, image).unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_operator()
    return {operator: int(macs) for operator, macs in found.items()}


def _ptflops(network: nn.Module, image: torch.Tensor) -> Found:
    """ptflops' counter at the dispatcher, which adds biases, norms, activations and pooling."""
    from ptflops.aten_engine import FlopCounterMode

    counter = FlopCounterMode(output_params={"serialize_params": {}, "print_params": {}})
    with counter:
        network(image)
    return {_short(operator): int(macs) for operator, macs in counter.flop_counts["Global"].items()}


def _torchinfo(network: nn.Module, image: torch.Tensor) -> Found:
    """torchinfo's summary, which multiplies each layer's parameters, biases and norms included, by its outputs' places."""
    from torchinfo import summary

    found: Counter[str] = Counter()
    for layer in summary(network, input_data=image, verbose=0, device=image.device).summary_list:
        if layer.is_leaf_layer:
            found[layer.class_name] += layer.macs
    return found


def _short(operator: Any) -> str:
    """`aten.convolution` as `convolution`."""
    return str(operator).rpartition(".")[2]


COUNTERS: dict[str, tuple[str, Counting]] = {
    "torch ÷ 2": ("torch", _torch),
    "fvcore": ("fvcore", _fvcore),
    "ptflops": ("ptflops", _ptflops),
    "torchinfo": ("torchinfo", _torchinfo),
}

"""Other counters beside ours on one network, and why their numbers differ, cause by cause until nothing is left.

Each counter says what it found by operator. What falls on operators that we count at no cost is a cause by that operator's name. What it
leaves out or adds is worked out on its own view of the network where it shows one, else from our operations. The rest is unexplained,
and zero for every network of the zoo and for one of each family of timm.
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
from torch.utils._pytree import tree_leaves

from archbench.errors import brief
from archbench.measure.handles import ATTENTION
from archbench.measure.operators import Operation
from archbench.models.isolation import preserved_settings

RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
# what a counter leaves out, as we count it on its own view of the network, and why
LEFT_OUT = {
    "_convolution_mode": "does not see convolutions with padding=same",
    "scaled_dot_product_attention": "does not see attention",
    **dict.fromkeys(RECURRENT, "does not see recurrent layers"),
    "Recurrent steps": "counts recurrent layers at fewer steps than there are",
    "Linear places": "counts linear layers at one place of many",
    "Conv2d places": "counts convolutions at one place of many",
}
# what it adds to operations that we count
ADDED = {
    "Linear bias": "adds the bias of each linear at one place",
    "Conv2d bias": "adds the bias of each convolution",
    "Linear outputs": "counts linear layers at each unit of their output",
    "Conv2d outputs": "counts transposed convolutions at each place of their output",
    "Recurrent bias": "adds the biases of each recurrent layer",
    "Recurrent units": "counts recurrent layers at each unit of their output",
}
# what others call the operations that we count; a product of two activations goes by the same names as one with a weight
CONVOLUTIONS = {"Conv2d", "conv", "convolution", "_convolution", "convolution_overrideable", "_convolution_mode", "Conv2d places"}
FUSED = {str(operator).removeprefix("aten.") for operator in ATTENTION}
PRODUCTS = {"Linear", "Recurrent", "addmm", "mm", "bmm", "baddbmm", "matmul", "linear", "einsum", *LEFT_OUT, *FUSED} - CONVOLUTIONS
EINSUM_DIGITS = 4  # of its multiply-adds, as fvcore reads them from what numpy.einsum_path prints
LAYERS = (nn.modules.conv._ConvNd, nn.Linear)

Found = Mapping[str, int]  # MACs by operator, as a counter names them; of what it leaves out, below zero
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


@preserved_settings()
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
    layers = {name for name, each in network.named_modules() if isinstance(each, LAYERS)}
    return _comparison(name, found, ours, layers)


def _comparison(name: str, found: Found, ours: list[Operation], layers: set[str]) -> Comparison:
    convolutions = [each for each in ours if each.kind == "convolution"]
    products = [each for each in ours if each.kind != "convolution"]
    left_out = {operator for operator, macs in found.items() if macs < 0}
    causes = [_cause(operator, macs) for operator, macs in found.items() if operator in left_out or operator not in CONVOLUTIONS | PRODUCTS]
    causes += _adjusted(found, CONVOLUTIONS, convolutions, _of_convolutions(convolutions, layers))
    causes += _adjusted(found, PRODUCTS, products, _of_products(products, layers))
    total, own = sum(macs for operator, macs in found.items() if operator not in left_out), sum(each.macs for each in ours)
    named = tuple(cause for cause in causes if cause.macs)
    return Comparison(name, total, named, total - own - sum(cause.macs for cause in named))


def _cause(operator: str, macs: int) -> Cause:
    return Cause({**LEFT_OUT, **ADDED}.get(operator, f"counts {operator}"), macs)


def _adjusted(found: Found, names: set[str], ours: list[Operation], possible: list[Cause]) -> list[Cause]:
    """The fewest of the possible causes that together tell two counts of one kind of operation apart; none where none do."""
    rest = sum(abs(found.get(name, 0)) for name in names) - sum(each.macs for each in ours)
    real = [cause for cause in possible if cause.macs]
    subsets = (chosen for size in range(len(real) + 1) for chosen in itertools.combinations(real, size))
    rounds = abs(rest) <= found.get("einsum", 0) * 10 ** (1 - EINSUM_DIGITS) / 2
    rounded = [Cause(f"rounds einsum to {EINSUM_DIGITS} digits", rest)] if rounds else []
    return next((list(chosen) for chosen in subsets if sum(cause.macs for cause in chosen) == rest), rounded)


def _of_convolutions(ours: list[Operation], layers: set[str]) -> list[Cause]:
    """What counters do differently about convolutions."""
    return [_biases("convolution", ours), _outside("convolutions", ours, layers)]


def _biases(kind: str, ours: list[Operation]) -> Cause:
    return Cause(f"adds the bias of each {kind}", sum(each.activations for each in ours if each.bias))


def _outside(kinds: str, ours: list[Operation], layers: set[str]) -> Cause:
    return Cause(f"does not see {kinds} outside of layers", -sum(each.macs for each in ours if each.module not in layers))


def _of_products(ours: list[Operation], layers: set[str]) -> list[Cause]:
    """What counters do differently about matrix products."""
    of_kind = {kind: [each for each in ours if each.kind == kind] for kind in ("linear", "attention", "recurrent")}
    unseen = {"attention": of_kind["attention"], "recurrent layers": of_kind["recurrent"]}
    return [
        _biases("linear", of_kind["linear"]),
        Cause("adds the biases of each recurrent layer", _biases("", of_kind["recurrent"]).macs),
        _outside("products with weights", of_kind["linear"], layers),
        *(Cause(f"does not see {name}", -sum(each.macs for each in missed)) for name, missed in unseen.items()),
    ]


def _torch(network: nn.Module, image: torch.Tensor) -> Found:
    """torch.utils.flop_counter, which counts a multiply-add as two; it cannot follow parameters that are passed on without gradients."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return {_short(operator): flops // 2 for operator, flops in counter.get_flop_counts()["Global"].items()}


def _fvcore(network: nn.Module, image: torch.Tensor) -> Found:
    """fvcore.nn.FlopCountAnalysis, on the network as TorchScript traces it; what it has no handle for is counted beside, below zero."""
    if image.is_meta:
        network, image = _with_memory(network), torch.zeros(image.shape)

    logging.getLogger("fvcore").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's remarks, on import too
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(network, image).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        found = analysis.set_op_handle(**{f"aten::{operator}": handle for operator, handle in HANDLES.items()}).by_operator()
    return {operator: -int(macs) if operator in HANDLES else int(macs) for operator, macs in found.items()}


def _with_memory(network: nn.Module) -> nn.Module:
    """A copy with memory behind the weights, all zero: what indices there are must be valid."""
    kept = (leaf for module in network.modules() for leaf in tree_leaves(vars(module)) if isinstance(leaf, torch.Tensor))
    results = {id(tensor): tensor.detach() for tensor in kept if not tensor.is_leaf}  # which a module keeps from its last call
    network = copy.deepcopy(network, results).to_empty(device="cpu")
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.zero_()
    return network


def _shape(value: Any) -> list[int]:
    return list(value.type().sizes())


def _attention(inputs: list[Any], outputs: list[Any]) -> int:
    query, key, value = (_shape(each) for each in inputs[:3])
    return math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _convolution(inputs: list[Any], outputs: list[Any]) -> int:
    return math.prod(_shape(outputs[0])) * math.prod(_shape(inputs[1])[1:])


def _recurrent(inputs: list[Any], outputs: list[Any]) -> int:
    """Each step multiplies with each matrix of weights; the third input is their list."""
    weights = (_shape(each) for each in inputs[2].node().inputs())
    return math.prod(_shape(inputs[0])[:2]) * sum(math.prod(each) for each in weights if len(each) == 2)


HANDLES: dict[str, Callable[[list[Any], list[Any]], int]] = {
    "_convolution_mode": _convolution,
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(RECURRENT, _recurrent),
}


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
    for each in summary(network, input_data=image, verbose=0, device=image.device).summary_list:
        if each.is_leaf_layer:
            for operator, macs in _parts(each).items():
                found[operator] += macs
    return found


def _parts(each: Any) -> dict[str, int]:
    """What torchinfo counts for a layer, split where it departs from us.

    It multiplies with the images and places of the output where the layer's class is called a convolution, else with its first axis alone.
    """
    layer, images, out = each.module, each.input_size, each.output_size
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        return _recurrent_parts(layer, math.prod(images) // layer.input_size, math.prod(out[:2]))
    if not isinstance(layer, LAYERS):
        return {each.class_name: each.macs}
    kind = "Linear" if isinstance(layer, nn.Linear) else "Conv2d"
    reached = images if isinstance(layer, nn.modules.conv._ConvTransposeNd) else out
    places = math.prod(out[:-1]) if kind == "Linear" else out[0] * math.prod(reached[2:])
    seen = out[0] * (math.prod(out[2:]) if "Conv" in each.class_name else 1)
    bias = 0 if layer.bias is None else layer.bias.numel() * seen
    more, less = (layer.weight.numel() * max(excess, 0) for excess in (seen - places, places - seen))
    return {kind: each.macs - bias - more, f"{kind} bias": bias, f"{kind} outputs": more, f"{kind} places": -less}


def _recurrent_parts(layer: nn.RNNBase | nn.RNNCellBase, steps: int, seen: int) -> dict[str, int]:
    """It multiplies with the first two axes of the output, images and steps; where there are no images, or no steps, units take a place."""
    weights = sum(each.numel() for each in layer.parameters() if each.dim() > 1)
    bias = seen * sum(each.numel() for each in layer.parameters() if each.dim() == 1)
    more, less = (weights * max(excess, 0) for excess in (seen - steps, steps - seen))
    return {"Recurrent": weights * seen - more, "Recurrent bias": bias, "Recurrent units": more, "Recurrent steps": -less}


def _short(operator: Any) -> str:
    """`aten.convolution` as `convolution`."""
    return str(operator).rpartition(".")[2]


COUNTERS: dict[str, tuple[str, Counting]] = {
    "torch ÷ 2": ("torch", _torch),
    "fvcore": ("fvcore", _fvcore),
    "ptflops": ("ptflops", _ptflops),
    "torchinfo": ("torchinfo", _torchinfo),
}

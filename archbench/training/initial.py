"""A network as a training starts it: initial weights, biases and dropout as the settings say."""

from __future__ import annotations

import torch
from torch import nn

from archbench.models import Input, Model
from archbench.training import seeds
from archbench.training.recipe import TrainingConfig


def build(model: Model, shape: Input, config: TrainingConfig, seed: int) -> nn.Module:
    """The network with the weights that `seed` draws."""
    torch.manual_seed(seeds.derive(seed, "weights"))
    network = model.build(shape)
    if config.init == "he":
        network.apply(_he)
    for name in config.start_alive:
        _start_alive(network.get_submodule(name), config)
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p *= config.dropout_scale
    return network


def _he(layer: nn.Module) -> None:
    """Weights N(0, 2 / fan-in), biases 0 (He et al. 2015, equation 10)."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _start_alive(block: nn.Module, config: TrainingConfig) -> None:
    """Give the ReLU at the end of a block something to pass on at every place: a positive bias and small weights.

    With whole weights the sums over its inputs, which are all positive, outweigh the bias, and some maps start at zero everywhere,
    where no gradient returns.
    """
    last = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d | nn.Linear)][-1]
    assert last.bias is not None
    nn.init.constant_(last.bias, config.start_alive_bias)
    with torch.no_grad():
        last.weight.mul_(config.start_alive_weight_scale)

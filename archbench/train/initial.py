"""A network as a training starts it: initial weights, biases and dropout as the settings say."""

from __future__ import annotations

import torch
from torch import nn

from archbench.models import Input, Model
from archbench.train.recipe import TrainingConfig


def build(model: Model, shape: Input, config: TrainingConfig, seed: int) -> nn.Module:
    """The network with the weights that `seed` draws."""
    torch.manual_seed(seed)
    network = model.build(shape)
    if config.init == "he":
        network.apply(_he)
    for name in config.start_alive:
        _start_alive(network, name)
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


def _start_alive(network: nn.Module, name: str) -> None:
    """Give the ReLU behind a layer something to pass on at every place: bias 1 and a tenth of the weights.

    The layer is the convolution or linear layer called `name`, or the last one inside it. With whole weights the sums over its inputs,
    which are all positive, outweigh the bias, and some maps start at zero everywhere, where no gradient returns.
    """
    layers = [layer for layer in network.get_submodule(name).modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    if layers and layers[-1].bias is not None:
        nn.init.ones_(layers[-1].bias)
        with torch.no_grad():
            layers[-1].weight.mul_(0.1)

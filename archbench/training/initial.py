"""A network as a training starts it: initial weights, biases and dropout as the settings say."""

from __future__ import annotations

import functools
import math

import torch
from torch import nn
from torch.nn import functional as F

from archbench.models import Input, Model
from archbench.training import seeds
from archbench.training.recipe import TrainingConfig

PATCHES_AT_ONCE = 2**24  # numbers in the patches of as many images as are looked at together: 64 MiB, and twice that in float64
WHITENING_FLOOR = 5e-4  # airbench's, added to variances of images with deviation 1


def build(model: Model, shape: Input, config: TrainingConfig, seed: int) -> nn.Module:
    """The network with the weights that `seed` draws."""
    seeds.begin(seed, "weights")
    network = model.build(shape)
    if config.init == "he":
        network.apply(_he)
    if config.init_std is not None:
        network.apply(functools.partial(_normal, std=config.init_std))
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


def _normal(layer: nn.Module, std: float) -> None:
    """Weights N(0, std), biases 0."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.normal_(layer.weight, std=std)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def whiten(network: nn.Module, images: torch.Tensor) -> None:
    """Start the first convolution with the principal directions of its patches, scaled so that each answers with variance 1.

    `images` are float `(N, C, H, W)` as the network sees them. Filters come in pairs of opposite sign, the strongest directions first,
    so that a ReLU loses neither half; filters that are left keep the weights they have. The small directions are damped. After
    airbench's whitening convolution (arXiv:2404.00498, section 3.1), which is a layer more; here the architecture stays as it is. A
    network whose first layer with weights is no ungrouped convolution over the images' channels, or is frozen, stays as it is.
    """
    layer = next((layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)), None)
    if not isinstance(layer, nn.Conv2d) or layer.groups != 1 or layer.in_channels != images.shape[1] or not layer.weight.requires_grad:
        return
    values, vectors = torch.linalg.eigh(_covariance_of_patches(layer, images))
    values, vectors = values.flip(0), vectors.flip(1)
    directions = (vectors / (values + WHITENING_FLOOR).sqrt()).T.float()
    pairs = min(layer.out_channels // 2, len(directions))
    filters = torch.stack([directions[:pairs], -directions[:pairs]], dim=1).flatten(0, 1)
    layer.weight[: 2 * pairs] = filters.view(-1, *layer.weight.shape[1:]).to(layer.weight)
    if layer.bias is not None:
        layer.bias[: 2 * pairs] = 0


def _covariance_of_patches(layer: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
    """That of all patches which the layer sees, float64, from a few images at a time: those of 2,000 at 224 pixels would take 28 GB."""
    most = max(1, int(PATCHES_AT_ONCE * math.prod(layer.stride) / (layer.weight[0].numel() * images[0, 0].numel())))
    n, total, products = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for chunk in images.split(most):
        unfolded = F.unfold(chunk, layer.kernel_size, layer.dilation, stride=layer.stride)
        patches = unfolded.transpose(1, 2).flatten(0, 1).double()
        n, total, products = n + len(patches), total.to(patches) + patches.sum(0), products.to(patches) + patches.T @ patches
    return (products - torch.outer(total, total) / n) / (n - 1)


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

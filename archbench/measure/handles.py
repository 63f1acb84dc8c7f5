"""What each operator costs in multiply-adds, and the class of those that cost nothing: a table of handles.

One multiply-add is 1 MAC. Counted are convolutions, linear layers, matrix products and attention; bias, norm, activation, pooling and
elementwise operations cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten


def convolution_macs(args: tuple[Any, ...], out: torch.Tensor) -> int:
    """Output elements x (input channels / groups) x kernel area; for a transposed convolution input elements x outputs each feeds."""
    images, weight, transposed = args[0], args[1], args[6]
    reached = images if transposed else out
    return int(reached.numel()) * int(math.prod(weight.shape[1:]))


def addmm_macs(args: tuple[Any, ...], out: torch.Tensor) -> int:
    """(N, K) x (K, M): N K M."""
    return out.numel() * int(args[1].shape[-1])


def mm_macs(args: tuple[Any, ...], out: torch.Tensor) -> int:
    """(..., N, K) x (..., K, M): ... N K M."""
    return out.numel() * int(args[0].shape[-1])


def attention_macs(args: tuple[Any, ...], out: Any) -> int:
    """Queries (..., L, E), keys (..., S, E), values (..., S, V): L S E for the scores and L S V for the sums, each head and image."""
    query, key, value = args[:3]
    return int(query.shape[:-1].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1]))


def recurrent_macs(args: tuple[Any, ...], out: Any) -> int:
    """One layer and direction: each step multiplies its input and its state with the gates' weights."""
    sequence, input_weights, state_weights = args[:3]
    return int(sequence.shape[:-1].numel() * (input_weights.numel() + state_weights.numel()))


PRODUCTS = (aten.mm, aten.addmm, aten.bmm, aten.baddbmm)
ATTENTION = (
    aten._scaled_dot_product_flash_attention_for_cpu,
    aten._scaled_dot_product_flash_attention,
    aten._scaled_dot_product_efficient_attention,
    aten._scaled_dot_product_cudnn_attention,
)
RECURRENT = {
    *(torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu),
    *(torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell),
}
COUNTED: dict[Any, Callable[[tuple[Any, ...], torch.Tensor], int]] = {
    aten.convolution: convolution_macs,
    aten.addmm: addmm_macs,
    aten.mm: mm_macs,
    aten.bmm: mm_macs,
    aten.baddbmm: addmm_macs,
    **dict.fromkeys(ATTENTION, attention_macs),
    aten.mkldnn_rnn_layer: recurrent_macs,
}
# what costs nothing by our convention, and its class
NORMS = (
    *(aten.native_batch_norm, aten._native_batch_norm_legit, aten._batch_norm_with_update, aten.cudnn_batch_norm, aten.miopen_batch_norm),
    *(aten.native_layer_norm, aten.native_group_norm),
)
ACTIVATIONS = (
    *(aten.relu, aten.relu_, aten.threshold, aten.sigmoid, aten.silu, aten.silu_, aten.gelu, aten.hardtanh, aten.hardtanh_, aten.tanh),
    *(aten.amax, aten.hardswish, aten.hardswish_, aten.hardsigmoid, aten.leaky_relu, aten.elu),
    *(aten._softmax, aten._safe_softmax, aten._log_softmax),
)
POOLS = (
    *(aten.max_pool2d_with_indices, aten.avg_pool2d, aten._adaptive_avg_pool2d, aten.mean, aten.avg_pool3d),
    *(aten.adaptive_max_pool2d, aten.sum),
)
ELEMENTWISE = (
    *(aten.cos, aten.sin, aten.clamp_min, aten.linalg_vector_norm, aten.rsub, aten.max, aten.cumsum, aten.ne, aten.masked_fill),
    *(aten.bitwise_not, aten.tanh_, aten.sigmoid_, aten.leaky_relu_, aten.log, aten.minimum, aten.maximum, aten.where, aten.select_scatter),
    *(aten.embedding, aten.nll_loss_forward, aten.nll_loss2d_forward),
    *(aten.roll, aten.flip, aten.repeat, aten.as_strided_, aten.im2col, aten.col2im, aten.reflection_pad2d, aten.unsafe_split),
    *(aten.new_zeros, aten.new_empty, aten.scalar_tensor, aten.upsample_nearest2d, aten.upsample_bilinear2d, aten.upsample_bicubic2d),
    *(aten.add, aten.add_, aten.sub, aten.mul, aten.mul_, aten.div, aten.div_, aten.pow, aten.sqrt, aten.rsqrt, aten.exp, aten.clamp),
    *(aten.abs, aten.neg, aten.atan2, aten.rad2deg, aten.remainder, aten.eq, aten.argmax, aten.native_dropout, aten.bernoulli_),
    *(aten.cat, aten.stack, aten.gather, aten.clone, aten.copy_, aten._to_copy, aten.constant_pad_nd, aten.addcmul),
    *(aten.empty, aten.empty_like, aten.zeros, aten.zeros_like, aten.ones, aten.full, aten.arange, aten.linspace, aten.index),
)
FREE = {
    packet: operator_class
    for operator_class, packets in (("norm", NORMS), ("activation", ACTIVATIONS), ("pool", POOLS), ("other", ELEMENTWISE))
    for packet in packets
}

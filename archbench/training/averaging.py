"""The mean of a network's weights over the last part of its training, weighted towards the newest."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Average:
    """An exponential moving average of weights and buffers, one update a step, over about a share of all steps."""

    def __init__(self, model: nn.Module, share: float, steps: int) -> None:
        decay = 1 - 1 / max(1.0, share * steps)
        self.averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)

    @property
    def network(self) -> nn.Module:
        """The network with the averaged weights."""
        network: nn.Module = self.averaged.module
        return network

    def update(self, model: nn.Module) -> None:
        """Take the weights of one more step in."""
        self.averaged.update_parameters(model)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return dict(self.averaged.state_dict())

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.averaged.load_state_dict(state)

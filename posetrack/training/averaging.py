"""Exponential moving average of weights and buffers."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn


class WeightAverage:
    """Average of a model's weights and buffers whose momentum ramps down exponentially.

    ``m_t = (1 - momentum) * exp(-(1 + t) / gamma) + momentum`` and
    ``average += m_t * (weights - average)``: early steps follow the weights closely, so a short
    run is not held back by its random start. Source: MMDetection ``ExpMomentumEMA``.
    """

    def __init__(self, model: nn.Module, *, momentum: float, gamma: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.momentum = momentum
        self.gamma = gamma
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards `model` by one step."""
        m = (1 - self.momentum) * math.exp(-(1 + self.steps) / self.gamma) + self.momentum
        mine, theirs = self.model.state_dict(), model.state_dict()
        floating = [k for k, v in mine.items() if v.dtype.is_floating_point]
        torch._foreach_lerp_([mine[k] for k in floating], [theirs[k] for k in floating], m)
        for key, value in mine.items():
            if not value.dtype.is_floating_point:
                value.copy_(theirs[key])
        self.steps += 1

"""The gated attention unit between the keypoints of one person (RTMPose, arXiv 2303.07399)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class ScaleNorm(nn.Module):
    """The last axis divided by its root mean square, times one learned gain."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = dim**-0.5
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim); an all-zero row stays zero."""
        rms: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * self.scale
        return x / rms.clamp(min=1e-5) * self.g


class ResidualScale(nn.Module):
    """A learned gain per channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim)."""
        return x * self.scale


class GatedAttentionUnit(nn.Module):
    """Squared-ReLU self-attention over tokens with a SiLU gate and a scaled identity path.

    Source: FLASH (arXiv 2202.10447) as RTMPose uses it: tokens are keypoints, no positions.
    """

    def __init__(self, dim: int = 256, *, keys: int = 128, expansion: int = 2) -> None:
        super().__init__()
        self.widths = [dim * expansion, dim * expansion, keys]
        self.uv = nn.Linear(dim, sum(self.widths), bias=False)
        self.o = nn.Linear(dim * expansion, dim, bias=False)
        self.gamma = nn.Parameter(torch.rand(2, keys))
        self.beta = nn.Parameter(torch.rand(2, keys))
        self.ln = ScaleNorm(dim)
        self.res_scale = ResidualScale(dim)
        self.temperature = 1 / math.sqrt(keys)
        # MMPose sets uv to Xavier, then its head's own initialisation puts N(0, 0.01) over it. With
        # the former the unnormalised attention swamps the identity path and training stalls.
        nn.init.normal_(self.uv.weight, std=0.01)
        nn.init.normal_(self.o.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, dim) -> (B, K, dim)."""
        gate, values, base = torch.split(functional.silu(self.uv(self.ln(x))), self.widths, -1)
        queries = base * self.gamma[0] + self.beta[0]  # (B, K, keys)
        keys = base * self.gamma[1] + self.beta[1]
        attention = functional.relu(queries @ keys.transpose(1, 2) * self.temperature).square()
        out: Tensor = self.res_scale(x) + self.o(gate * (attention @ values))
        return out

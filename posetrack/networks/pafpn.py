"""CSPNeXtPAFPN, the neck that mixes the backbone's maps down and up again (arXiv 2212.07784)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from posetrack.networks.layers import ConvModule, CSPLayer, conv3x3


class CSPNeXtPAFPN(nn.Module):
    """Path aggregation: top-down with 2 x nearest upsampling, then bottom-up with strides.

    `channels` are those of the input maps, large map first. With `out_channels` every output map
    gets a last 3 x 3 convolution to that many channels; without it the maps keep `channels`.
    """

    def __init__(
        self,
        channels: Sequence[int],
        out_channels: int | None,
        *,
        blocks: int,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(channels))  # (low, high) neighbours

        def csp(inputs: int, outputs: int) -> CSPLayer:
            return CSPLayer(inputs, outputs, blocks, identity=False, depthwise=depthwise)

        self.reduce_layers = nn.ModuleList(ConvModule(h, low, 1) for low, h in reversed(pairs))
        self.top_down_blocks = nn.ModuleList(csp(2 * low, low) for low, _ in reversed(pairs))
        self.downsamples = nn.ModuleList(
            conv3x3(low, low, stride=2, depthwise=depthwise) for low, _ in pairs
        )
        self.bottom_up_blocks = nn.ModuleList(csp(2 * low, high) for low, high in pairs)
        self.out_convs = (
            nn.ModuleList(conv3x3(c, out_channels, depthwise=depthwise) for c in channels)
            if out_channels is not None
            else None
        )

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps (B, C_i, H_i, W_i), each half the size of the one before -> as many maps."""
        lateral: list[Tensor] = []  # small map first
        top = maps[-1]
        for reduce, block, low in zip(
            self.reduce_layers, self.top_down_blocks, reversed(maps[:-1]), strict=True
        ):
            high = reduce(top)
            lateral.append(high)
            upsampled = functional.interpolate(high, scale_factor=2.0, mode="nearest")
            top = block(torch.cat((upsampled, low), 1))
        outs = [top]
        for down, block, high in zip(
            self.downsamples, self.bottom_up_blocks, reversed(lateral), strict=True
        ):
            outs.append(block(torch.cat((down(outs[-1]), high), 1)))
        if self.out_convs is None:
            return tuple(outs)
        return tuple(conv(out) for conv, out in zip(self.out_convs, outs, strict=True))

"""The convolution blocks CSPNeXt, its neck and its heads are made of.

Attribute names are those of the published RTMDet and RTMPose checkpoints, so that a state_dict
loads without any renaming. Feature maps are (B, C, H, W).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvModule(nn.Module):
    """Convolution without bias, batch norm, SiLU; "same" padding at stride 1."""

    conv: nn.Conv2d
    bn: nn.Module

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, ceil(H / stride), ceil(W / stride))."""
        # In place saves an allocation in inference; with gradients autograd would clone the input.
        return functional.silu(self.bn(self.conv(x)), inplace=not torch.is_grad_enabled())


class ConvReLU(ConvModule):
    """The same with ReLU, as in RTMW's head."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, ceil(H / stride), ceil(W / stride))."""
        return functional.relu(self.bn(self.conv(x)), inplace=not torch.is_grad_enabled())


class DepthwiseSeparableConv(nn.Module):
    """A k x k convolution per channel, then 1 x 1 across channels, each with BN + SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.depthwise_conv = ConvModule(inputs, inputs, kernel, stride=stride, groups=inputs)
        self.pointwise_conv = ConvModule(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, ceil(H / stride), ceil(W / stride))."""
        out: Tensor = self.pointwise_conv(self.depthwise_conv(x))
        return out


def conv3x3(inputs: int, outputs: int, *, stride: int = 1, depthwise: bool = False) -> nn.Module:
    """The 3 x 3 block of a network: plain, or depthwise separable in the nano model."""
    block = DepthwiseSeparableConv if depthwise else ConvModule
    return block(inputs, outputs, 3, stride=stride)


class ChannelAttention(nn.Module):
    """Each channel scaled by a hard sigmoid of a linear map of the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.fc.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W); the mean is taken in float32 under autocast too."""
        if torch.is_autocast_enabled(x.device.type):
            means = x.mean((2, 3), keepdim=True, dtype=torch.float32)
        else:
            means = functional.adaptive_avg_pool2d(x, 1)
        return x * functional.hardsigmoid(self.fc(means)).to(x.dtype)


class SPPBottleneck(nn.Module):
    """Spatial pyramid pooling: the map beside its max over 5, 9 and 13 pixel windows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = ConvModule(channels, half, 1)
        self.conv2 = ConvModule(half * 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        maps = [self.conv1(x)]
        # Repeated 5-windows are the 9- and 13-window, borders included, at a fraction of the cost.
        for _ in range(3):
            maps.append(functional.max_pool2d(maps[-1], 5, 1, 2))
        out: Tensor = self.conv2(torch.cat(maps, 1))
        return out


class CSPNeXtBlock(nn.Module):
    """3 x 3 convolution and a depthwise separable 5 x 5, with or without the identity path."""

    def __init__(self, channels: int, *, identity: bool, depthwise: bool) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels, depthwise=depthwise)
        self.conv2 = DepthwiseSeparableConv(channels, channels, 5)
        self.identity = identity

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        out: Tensor = self.conv2(self.conv1(x))
        return out + x if self.identity else out


class CSPLayer(nn.Module):
    """Cross-stage partial layer: half of the channels pass n blocks, half go straight."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        blocks: int,
        *,
        identity: bool = True,
        depthwise: bool = False,
        attention: bool = False,
    ) -> None:
        super().__init__()
        half = outputs // 2
        self.main_conv = ConvModule(inputs, half, 1)
        self.short_conv = ConvModule(inputs, half, 1)
        self.final_conv = ConvModule(2 * half, outputs, 1)
        self.blocks = nn.Sequential(
            *(CSPNeXtBlock(half, identity=identity, depthwise=depthwise) for _ in range(blocks))
        )
        self.attention = ChannelAttention(2 * half) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        joined = torch.cat((self.blocks(self.main_conv(x)), self.short_conv(x)), 1)
        if self.attention is not None:
            joined = self.attention(joined)
        out: Tensor = self.final_conv(joined)
        return out

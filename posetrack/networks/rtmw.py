"""RTMW, RTMPose with a neck and two encodings a keypoint, and RTMW3D with depth (arXiv 2407.08634).

Parameter names are those of MMPose's ``RTMWHead`` and of its project rtmpose3d.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from posetrack.networks.cspnext import SCALES, STAGE_CHANNELS, CSPNeXt
from posetrack.networks.gau import GatedAttentionUnit, ScaleNorm
from posetrack.networks.layers import ConvReLU
from posetrack.networks.pafpn import CSPNeXtPAFPN
from posetrack.networks.rtmpose import HIDDEN, SPLIT_RATIO, STRIDE

NECK_BLOCKS = 2


class RTMWHead(nn.Module):
    """Maps of strides 32 and 16, half of a keypoint's token from each, then attention and lines.

    The finer map is the coarse one shuffled to twice its size, beside the neck's own. With `depth`
    (px) there is a line for z too, of as many bins a pixel.
    """

    def __init__(
        self, channels: int, num_keypoints: int, input_size: tuple[int, int], depth: int | None
    ) -> None:
        super().__init__()
        width, height = input_size
        cells = (width // STRIDE) * (height // STRIDE)
        quarter = channels // 4
        self.shuffle = nn.PixelShuffle(2)
        self.conv_dec = ConvReLU(quarter, quarter, 7)
        self.final_layer = ConvReLU(channels, num_keypoints, 7)
        self.final_layer2 = ConvReLU(quarter + channels // 2, num_keypoints, 7)
        self.mlp = _encoding(cells)
        self.mlp2 = _encoding(4 * cells)
        self.gau = GatedAttentionUnit(HIDDEN)
        self.cls_x = _line(width)
        self.cls_y = _line(height)
        self.cls_z = None if depth is None else _line(depth)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.001)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps (B, C/2, H/16, W/16), (B, C, H/32, W/32) -> logits (B, K, 2W), (B, K, 2H), z.

        Logits are float32, under autocast too.
        """
        fine, coarse = maps
        shuffled = self.conv_dec(self.shuffle(coarse))
        first = self.final_layer(coarse).flatten(2)
        second = self.final_layer2(torch.cat((shuffled, fine), 1)).flatten(2)
        device = coarse.device.type
        if not torch.is_autocast_enabled(device):
            return self._classify(first, second)
        # Norms and squared attention overflow in float16, and here full precision costs little.
        with torch.autocast(device, enabled=False):
            return self._classify(first.float(), second.float())

    def _classify(self, first: Tensor, second: Tensor) -> tuple[Tensor, ...]:
        tokens = self.gau(torch.cat((self.mlp(first), self.mlp2(second)), 2))  # (B, K, HIDDEN)
        lines = [self.cls_x(tokens), self.cls_y(tokens)]
        if self.cls_z is not None:
            lines.append(self.cls_z(tokens))
        return tuple(lines)


def _encoding(cells: int) -> nn.Sequential:
    linear = nn.Linear(cells, HIDDEN // 2, bias=False)
    nn.init.normal_(linear.weight, std=0.01)
    return nn.Sequential(ScaleNorm(cells), linear)


def _line(pixels: int) -> nn.Linear:
    linear = nn.Linear(HIDDEN, round(pixels * SPLIT_RATIO), bias=False)
    nn.init.normal_(linear.weight, std=0.01)
    return linear


class RTMW(nn.Module):
    """RTMW of one size ("t", "s", "m", "l", "x") for crops of `input_size` (width, height).

    `depth` is the length of the z axis in px, 288 in the published RTMW3D; None without depth.
    """

    def __init__(
        self,
        size: str,
        *,
        input_size: tuple[int, int] = (192, 256),
        num_keypoints: int = 133,
        depth: int | None = None,
    ) -> None:
        super().__init__()
        scale = SCALES[size]
        channels = [scale.channels(c) for c in STAGE_CHANNELS[1:]]
        self.input_size = input_size
        self.num_keypoints = num_keypoints
        self.depth = depth
        self.backbone = CSPNeXt(scale, out_stages=(2, 3, 4))
        self.neck = CSPNeXtPAFPN(channels, None, blocks=NECK_BLOCKS)
        self.head = RTMWHead(channels[-1], num_keypoints, input_size, depth)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) normalised RGB -> logits (B, K, 2W), (B, K, 2H), with depth (B, K, 2D)."""
        out: tuple[Tensor, ...] = self.head(self.neck(self.backbone(x))[1:])
        return out

"""RTMPose, the top-down pose network with one classification per axis (arXiv 2303.07399)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posetrack.networks.cspnext import SCALES, STAGE_CHANNELS, CSPNeXt
from posetrack.networks.gau import GatedAttentionUnit, ScaleNorm

HIDDEN = 256
SPLIT_RATIO = 2  # SimCC bins per pixel
STRIDE = 32


class RTMCCHead(nn.Module):
    """A map per keypoint (7 x 7 convolution), gated attention between them, a line per axis."""

    def __init__(self, channels: int, num_keypoints: int, input_size: tuple[int, int]) -> None:
        super().__init__()
        width, height = input_size
        cells = (width // STRIDE) * (height // STRIDE)
        self.final_layer = nn.Conv2d(channels, num_keypoints, 7, padding=3)
        self.mlp = nn.Sequential(ScaleNorm(cells), nn.Linear(cells, HIDDEN, bias=False))
        self.gau = GatedAttentionUnit(HIDDEN)
        self.cls_x = nn.Linear(HIDDEN, width * SPLIT_RATIO, bias=False)
        self.cls_y = nn.Linear(HIDDEN, height * SPLIT_RATIO, bias=False)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        nn.init.zeros_(self.final_layer.bias)  # type: ignore[arg-type]
        for linear in (self.mlp[1], self.cls_x, self.cls_y):
            nn.init.normal_(linear.weight, std=0.01)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H/32, W/32) -> SimCC logits (B, K, 2W) and (B, K, 2H), float32 under autocast."""
        return self.classify(self.final_layer(x))

    def classify(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, K, H/32, W/32) that `final_layer` gave -> the logits."""
        device = maps.device.type
        if not torch.is_autocast_enabled(device):
            return self._classify(maps.flatten(2))
        # Norms and squared attention overflow in float16, and here full precision costs little.
        with torch.autocast(device, enabled=False):
            return self._classify(maps.flatten(2).float())

    def _classify(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.gau(self.mlp(maps))  # (B, K, HIDDEN)
        return self.cls_x(tokens), self.cls_y(tokens)


class RTMPose(nn.Module):
    """RTMPose of one size ("t", "s", "m", "l", "x") for crops of `input_size` (width, height)."""

    def __init__(
        self, size: str, *, input_size: tuple[int, int] = (192, 256), num_keypoints: int = 17
    ) -> None:
        super().__init__()
        scale = SCALES[size]
        self.input_size = input_size
        self.num_keypoints = num_keypoints
        self.backbone = CSPNeXt(scale)
        self.head = RTMCCHead(scale.channels(STAGE_CHANNELS[3]), num_keypoints, input_size)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) normalised RGB -> SimCC logits (B, K, 2W) and (B, K, 2H), float32."""
        out: tuple[Tensor, Tensor] = self.head(self.backbone(x)[-1])
        return out

"""CSPNeXt with a heatmap head: the pretraining of RTMPose's backbones, and a model of its own."""

from __future__ import annotations

from torch import Tensor, nn

from posetrack.networks.cspnext import SCALES, STAGE_CHANNELS, CSPNeXt

STRIDE = 4
"""Input px from cell to cell of a heatmap."""
_CHANNELS = (256, 256, 256)


class HeatmapHead(nn.Module):
    """Three transposed convolutions, each of which doubles the map, then a map a keypoint.

    Names of parameters are those of MMPose's ``HeatmapHead``.
    """

    def __init__(self, channels: int, num_keypoints: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((channels, *_CHANNELS), _CHANNELS, strict=False):
            up = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
            nn.init.normal_(up.weight, std=0.001)
            layers += [up, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = nn.Conv2d(_CHANNELS[-1], num_keypoints, 1)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        nn.init.zeros_(self.final_layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H/32, W/32) -> heatmaps (B, K, H/4, W/4)."""
        out: Tensor = self.final_layer(self.deconv_layers(x))
        return out


class HeatmapPose(nn.Module):
    """A top-down pose network of one size ("t", "s", "m", "l", "x") that answers in heatmaps."""

    def __init__(self, size: str, *, num_keypoints: int = 17) -> None:
        super().__init__()
        scale = SCALES[size]
        self.num_keypoints = num_keypoints
        self.backbone = CSPNeXt(scale)
        self.head = HeatmapHead(scale.channels(STAGE_CHANNELS[3]), num_keypoints)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised RGB -> heatmaps (B, K, H/4, W/4), float32."""
        out: Tensor = self.head(self.backbone(x)[-1])
        return out.float()

"""RTMDet, the one-stage anchor-free detector (arXiv 2212.07784)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from posetrack.networks.cspnext import SCALES, STAGE_CHANNELS, CSPNeXt
from posetrack.networks.layers import ConvModule, conv3x3
from posetrack.networks.pafpn import CSPNeXtPAFPN

STRIDES = (8, 16, 32)
SIZES = {"nano": "nano", "tiny": "t", "s": "s", "m": "m", "l": "l", "x": "x"}
NECK_BLOCKS = {"nano": 1, "tiny": 1, "s": 1, "m": 2, "l": 3, "x": 4}
EXP_ON_REG = frozenset({"m", "l", "x"})  # the large models regress log-distances


class RTMDetHead(nn.Module):
    """Two towers of two convolutions per level: class logits and box distances.

    Convolutions are shared by the levels (not in nano), batch norms never are. A shared one is the
    same `nn.Conv2d` object under every level, so a state_dict repeats it as published ones do.
    """

    def __init__(
        self, channels: int, num_classes: int, *, depthwise: bool, share_conv: bool, exp: bool
    ) -> None:
        super().__init__()
        self.exp = exp

        def tower() -> nn.Sequential:
            return nn.Sequential(
                *(conv3x3(channels, channels, depthwise=depthwise) for _ in range(2))
            )

        self.cls_convs = nn.ModuleList(tower() for _ in STRIDES)
        self.reg_convs = nn.ModuleList(tower() for _ in STRIDES)
        self.rtm_cls = nn.ModuleList(nn.Conv2d(channels, num_classes, 1) for _ in STRIDES)
        self.rtm_reg = nn.ModuleList(nn.Conv2d(channels, 4, 1) for _ in STRIDES)
        if share_conv:
            for towers in (self.cls_convs, self.reg_convs):
                _share_convolutions(towers)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
        for classify, regress in zip(self.rtm_cls, self.rtm_reg, strict=True):
            nn.init.constant_(classify.bias, -math.log((1 - 0.01) / 0.01))  # type: ignore[arg-type]
            nn.init.zeros_(regress.bias)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Maps of strides 8, 16, 32 -> logits (B, C, H, W) and distances (B, 4, H, W) a level.

        Distances are left, top, right, bottom from the prior, in pixels of the input.
        """
        scores = tuple(
            classify(tower(x))
            for x, tower, classify in zip(maps, self.cls_convs, self.rtm_cls, strict=True)
        )
        distances = tuple(
            self._distances(regress(tower(x)), stride)
            for x, tower, regress, stride in zip(
                maps, self.reg_convs, self.rtm_reg, STRIDES, strict=True
            )
        )
        return scores, distances

    def _distances(self, raw: Tensor, stride: int) -> Tensor:
        raw = raw.float()  # bfloat16 rounds sides above 256 px to 2 px
        return (raw.exp() if self.exp else raw) * stride


def _share_convolutions(towers: nn.ModuleList) -> None:
    first = [block for block in towers[0].children() if isinstance(block, ConvModule)]
    for tower in list(towers)[1:]:
        for block, source in zip(tower.children(), first, strict=True):
            assert isinstance(block, ConvModule)
            block.conv = source.conv


class RTMDet(nn.Module):
    """RTMDet of one size ("nano", "tiny", "s", "m", "l", "x") for any input of multiples of 32."""

    def __init__(self, size: str, *, num_classes: int = 1) -> None:
        super().__init__()
        scale = SCALES[SIZES[size]]
        channels = [scale.channels(c) for c in STAGE_CHANNELS[1:]]
        nano = scale.depthwise
        self.num_classes = num_classes
        self.backbone = CSPNeXt(scale, out_stages=(2, 3, 4))
        self.neck = CSPNeXtPAFPN(channels, channels[0], blocks=NECK_BLOCKS[size], depthwise=nano)
        self.bbox_head = RTMDetHead(
            channels[0], num_classes, depthwise=nano, share_conv=not nano, exp=size in EXP_ON_REG
        )

    def forward(self, x: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """(B, 3, H, W) normalised BGR -> class logits and distances of each level.

        Logits (B, C, H/s, W/s); distances (B, 4, H/s, W/s) float32: left, top, right, bottom in
        input pixels; s = 8, 16, 32.
        """
        out: tuple[tuple[Tensor, ...], tuple[Tensor, ...]] = self.bbox_head(
            self.neck(self.backbone(x))
        )
        return out

    def predict(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> boxes (B, A, 4) and scores (B, A, C), as `decode` gives them."""
        scores, distances = self(x)
        return self.decode(scores, distances)

    def decode(
        self, scores: Sequence[Tensor], distances: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """What `forward` gave -> boxes (B, A, 4) xyxy in input pixels, scores (B, A, C) in [0, 1].

        The A priors run level by level, row by row. Exports to ONNX with any batch and size.
        """
        sizes = [(level.shape[2], level.shape[3]) for level in scores]
        points = self.priors(sizes, device=scores[0].device)[:, :2]
        logits = torch.cat([level.flatten(2).transpose(1, 2) for level in scores], 1)
        ltrb = torch.cat([level.flatten(2).transpose(1, 2) for level in distances], 1)
        boxes = torch.cat((points - ltrb[..., :2], points + ltrb[..., 2:]), -1)  # (B, A, 4)
        return boxes, logits.float().sigmoid()

    @staticmethod
    def priors(
        sizes: Sequence[tuple[int, int]], *, device: torch.device | str | None = None
    ) -> Tensor:
        """Priors (A, 3) as x, y, stride in input pixels for maps of (height, width) `sizes`."""
        levels = []
        for (height, width), stride in zip(sizes, STRIDES, strict=True):
            y, x = torch.meshgrid(
                torch.arange(height, device=device, dtype=torch.float32) * stride,
                torch.arange(width, device=device, dtype=torch.float32) * stride,
                indexing="ij",
            )
            levels.append(torch.stack((x, y, torch.full_like(x, stride)), -1).reshape(-1, 3))
        return torch.cat(levels)

"""CSPNeXt, the backbone of the whole family (RTMDet, arXiv 2212.07784, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from posetrack.networks.layers import ConvModule, CSPLayer, SPPBottleneck, conv3x3

# Channels and block counts of stages 1 to 4 at scale "l".
STAGE_CHANNELS = (128, 256, 512, 1024)
STAGE_BLOCKS = (3, 6, 6, 3)


@dataclass(frozen=True, slots=True)
class Scale:
    """How deep and wide one member of the family is, relative to "l"."""

    deepen: float
    widen: float
    depthwise: bool = False

    def channels(self, base: int) -> int:
        """`base` channels of scale "l" at this scale."""
        return int(base * self.widen)

    def blocks(self, base: int) -> int:
        """`base` blocks of scale "l" at this scale, at least one."""
        return max(round(base * self.deepen), 1)


SCALES = {
    "nano": Scale(0.33, 0.25, depthwise=True),
    "t": Scale(0.167, 0.375),
    "s": Scale(0.33, 0.5),
    "m": Scale(0.67, 0.75),
    "l": Scale(1.0, 1.0),
    "x": Scale(1.33, 1.25),
}


class CSPNeXt(nn.Module):
    """A stem and four stages, each of which halves the map: strides 2, 4, 8, 16, 32."""

    def __init__(self, scale: Scale, out_stages: tuple[int, ...] = (4,)) -> None:
        super().__init__()
        self.out_stages = out_stages
        width = scale.channels(64)
        self.stem = nn.Sequential(
            ConvModule(3, width // 2, 3, stride=2),
            ConvModule(width // 2, width // 2, 3),
            ConvModule(width // 2, width, 3),
        )
        self.stage1 = _stage(scale, 0)
        self.stage2 = _stage(scale, 1)
        self.stage3 = _stage(scale, 2)
        self.stage4 = _stage(scale, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W), H and W multiples of 32 -> the maps of `out_stages`, large to small."""
        maps = []
        x = self.stem(x)
        for number, stage in enumerate((self.stage1, self.stage2, self.stage3, self.stage4), 1):
            x = stage(x)
            if number in self.out_stages:
                maps.append(x)
        return tuple(maps)


def _stage(scale: Scale, index: int) -> nn.Sequential:
    inputs = scale.channels((64, *STAGE_CHANNELS)[index])
    outputs = scale.channels(STAGE_CHANNELS[index])
    last = index == 3
    layers: list[nn.Module] = [conv3x3(inputs, outputs, stride=2, depthwise=scale.depthwise)]
    if last:
        layers.append(SPPBottleneck(outputs))
    blocks = scale.blocks(STAGE_BLOCKS[index])
    layers.append(
        CSPLayer(
            outputs,
            outputs,
            blocks,
            identity=not last,
            depthwise=scale.depthwise,
            attention=True,
        )
    )
    return nn.Sequential(*layers)

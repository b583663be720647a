"""The networks as PyTorch modules; names of parameters are those of the published checkpoints."""

from __future__ import annotations

import difflib

from torch import nn

from posetrack.errors import ModelError
from posetrack.networks import heatmap, rtmdet, rtmpose, rtmw

_SIZES = ("t", "s", "m", "l", "x")
ARCHITECTURES = (
    *(f"rtmpose-{size}" for size in _SIZES),
    *(f"rtmw-{size}" for size in _SIZES),
    *(f"rtmw3d-{size}" for size in _SIZES),
    *(f"rtmdet-{size}" for size in rtmdet.SIZES),
    *(f"cspnext-{size}" for size in _SIZES),
)


def build(
    architecture: str,
    *,
    input_size: tuple[int, int],
    num_keypoints: int = 17,
    num_classes: int = 1,
) -> nn.Module:
    """The named network with fresh weights; `input_size` is (width, height), multiples of 32.

    A detector runs on other sizes too and ignores `num_keypoints`; a pose network ignores
    `num_classes`. The z axis of a 3D one is as long as the input is wide.
    """
    require_architecture(architecture)
    if len(input_size) != 2 or any(side <= 0 or side % 32 for side in input_size):
        raise ModelError(
            f"{architecture} with input size {input_size}: width and height must be positive "
            "multiples of 32"
        )
    family, size = architecture.split("-")
    if family == "rtmdet":
        return rtmdet.RTMDet(size, num_classes=num_classes)
    if family == "cspnext":
        return heatmap.HeatmapPose(size, num_keypoints=num_keypoints)
    if family in ("rtmw", "rtmw3d"):
        depth = input_size[0] if family == "rtmw3d" else None
        return rtmw.RTMW(size, input_size=input_size, num_keypoints=num_keypoints, depth=depth)
    return rtmpose.RTMPose(size, input_size=input_size, num_keypoints=num_keypoints)


def require_architecture(name: str) -> str:
    """`name`, which `build` knows.

    Raises:
        ModelError: it does not.
    """
    if name not in ARCHITECTURES:
        raise ModelError(_unknown(name))
    return name


def _unknown(architecture: str) -> str:
    close = difflib.get_close_matches(architecture.lower(), ARCHITECTURES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(ARCHITECTURES)}"
    return f"architecture {architecture!r} is not known: {hint}"

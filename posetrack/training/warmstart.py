"""Starting a network from the weights of another: same names, adapted shapes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

POSITION_WEIGHTS = {"head.mlp.1.weight", "head.cls_x.weight", "head.cls_y.weight"}


def adapt(state: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """`target` with every tensor replaced by that of `state` where name and shape fit.

    The three tensors of a SimCC head that depend on the input size are resampled when the size
    differs, so that a network trained on small crops goes on with larger ones; the width to height
    ratio of both inputs must be the same.
    """
    adapted = {}
    for name, wanted in target.items():
        found = state.get(name)
        if found is not None and found.shape == wanted.shape:
            adapted[name] = found.clone()
        elif found is not None and name in POSITION_WEIGHTS and found.ndim == wanted.ndim == 2:
            adapted[name] = _resample(name, found, wanted, state, target)
        else:
            adapted[name] = wanted.clone()
    return adapted


def _resample(
    name: str, found: Tensor, wanted: Tensor, state: dict[str, Tensor], target: dict[str, Tensor]
) -> Tensor:
    if name != "head.mlp.1.weight":  # (bins, hidden): one row a coordinate
        rows = F.interpolate(found.T[None], size=len(wanted), mode="linear")[0].T
        return rows.contiguous()
    # (hidden, h * w): a map of positions. More cells share the sum, hence the ratio.
    grids = [
        (len(s["head.cls_y.weight"]) // 64, len(s["head.cls_x.weight"]) // 64)
        for s in (state, target)
    ]
    maps = F.interpolate(
        found.reshape(len(found), 1, *grids[0]), size=grids[1], mode="bilinear"
    ).flatten(1)
    return maps * (found.shape[1] / wanted.shape[1])

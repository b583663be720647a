"""Starting a network from the weights of another: what fits is taken, the rest stays fresh."""

from __future__ import annotations

from torch import Tensor

_HEADS = ("head.", "bbox_head.")


def adapt(state: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """`target` with every tensor replaced by that of `state` where name and shape fit.

    A head of which any tensor misfits (another input size, other keypoints or classes) stays fresh
    as a whole: its parts only work together, and half of one gives answers far off the scale.
    """
    fits = {n for n, wanted in target.items() if n in state and state[n].shape == wanted.shape}
    for head in _HEADS:
        if any(name.startswith(head) and name not in fits for name in target):
            fits = {name for name in fits if not name.startswith(head)}
    return {n: (state[n] if n in fits else wanted).clone() for n, wanted in target.items()}

"""Dynamic soft label assignment: which priors learn which box. Source: RTMDet (2212.07784) 3.3."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from posetrack.training.losses import generalized_iou

FAR = 1e8


@dataclass(frozen=True, slots=True)
class Assignment:
    """For A priors: `box` (A,) index of the ground-truth box or -1, `iou` (A,) with that box."""

    box: Tensor
    iou: Tensor


@torch.no_grad()
def assign(
    logits: Tensor,
    boxes: Tensor,
    priors: Tensor,
    truth: Tensor,
    labels: Tensor,
    *,
    topk: int = 13,
    iou_weight: float = 3.0,
    soft_center_radius: float = 3.0,
) -> Assignment:
    """Assign priors of one image to its ground-truth boxes.

    Candidates are priors whose centre lies inside a box. The cost is
    ``BCE(logit, onehot * iou) * |iou - sigmoid(logit)|^2 + 3 * -log(iou) + 10^(dist/stride - 3)``;
    each box takes its ``max(1, sum of its top-13 IoUs)`` cheapest priors, and a prior claimed
    twice goes to the cheaper box.

    Args:
        logits: (A, C) class logits.
        boxes: (A, 4) predicted xyxy.
        priors: (A, 3) x, y, stride.
        truth: (G, 4) xyxy.
        labels: (G,) classes.
    """
    count, total = len(truth), len(priors)
    box = priors.new_full((total,), -1, dtype=torch.long)
    iou_of = priors.new_zeros(total)
    if count == 0:
        return Assignment(box, iou_of)
    points = priors[:, None, :2]
    reach = torch.cat([points - truth[None, :, :2], truth[None, :, 2:] - points], -1)
    inside = reach.amin(-1) > 0  # (A, G)
    rows = inside.any(1).nonzero()[:, 0]
    if len(rows) == 0:
        return Assignment(box, iou_of)
    cost, iou = _costs(
        logits[rows], boxes[rows], priors[rows], truth, labels, iou_weight, soft_center_radius
    )
    cost = torch.where(inside[rows], cost, torch.full_like(cost, FAR))
    chosen = _dynamic_k(cost, iou, topk)
    best_cost, best = torch.where(chosen, cost, torch.full_like(cost, torch.inf)).min(1)
    taken = torch.isfinite(best_cost)
    box[rows[taken]] = best[taken]
    iou_of[rows[taken]] = iou[taken, best[taken]]
    return Assignment(box, iou_of)


def _costs(
    logits: Tensor,
    boxes: Tensor,
    priors: Tensor,
    truth: Tensor,
    labels: Tensor,
    iou_weight: float,
    soft_center_radius: float,
) -> tuple[Tensor, Tensor]:
    """(A, G) cost and IoU."""
    iou, _ = generalized_iou(boxes[:, None], truth[None])
    centre = (truth[:, :2] + truth[:, 2:]) / 2
    distance = (priors[:, None, :2] - centre[None]).norm(dim=-1) / priors[:, 2:3]
    prior_cost = torch.pow(10, distance - soft_center_radius)
    onehot = F.one_hot(labels, logits.shape[1]).to(iou)  # (G, C)
    target = onehot[None] * iou[..., None]  # (A, G, C)
    wide = logits[:, None].expand(-1, len(truth), -1)
    bce = F.binary_cross_entropy_with_logits(wide, target, reduction="none")
    gap = (target - wide.sigmoid()).abs().pow(2.0)
    class_cost = (bce * gap).sum(-1)
    return class_cost - iou_weight * torch.log(iou + 1e-7) + prior_cost, iou


def _dynamic_k(cost: Tensor, iou: Tensor, topk: int) -> Tensor:
    """(A, G) True where a box claims a prior."""
    top = iou.topk(min(topk, len(iou)), dim=0).values.sum(0)
    chosen = torch.zeros_like(cost, dtype=torch.bool)
    for g, k in enumerate(top.int().clamp(min=1).tolist()):
        rows = cost[:, g].topk(min(k, len(cost)), largest=False).indices
        chosen[rows, g] = cost[rows, g] < FAR
    return chosen

"""The losses of RTMPose and RTMDet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LABEL_BETA = 10.0
"""Sharpness of the softmax over SimCC labels and predictions (RTMPose configs: beta = 10)."""


def simcc_kl(
    predicted: tuple[Tensor, Tensor],
    labels: tuple[Tensor, Tensor],
    weights: Tensor,
    *,
    beta: float = LABEL_BETA,
    label_beta: float = LABEL_BETA,
) -> Tensor:
    """Scalar KL divergence of SimCC logits from their labels.

    Per axis the mean over bins of ``KL(softmax(label_beta * label) || softmax(beta * logit))``,
    times the keypoint's weight; summed over people and keypoints and divided by K, both axes
    added (so the loss grows with the batch, as in MMPose ``KLDiscretLoss``).

    Args:
        predicted: logits x (N, K, Wx) and y (N, K, Wy).
        labels: same shapes, peak 1.
        weights: (N, K); 0 masks a keypoint that the data set lacks.
    """
    total = weights.new_zeros(())
    for logits, label in zip(predicted, labels, strict=True):
        log_p = F.log_softmax(logits.float() * beta, dim=-1)
        q = F.softmax(label.float() * label_beta, dim=-1)
        kl = F.kl_div(log_p, q, reduction="none").mean(dim=-1)  # (N, K)
        total = total + (kl * weights).sum()
    return total / weights.shape[1]


def quality_focal(logits: Tensor, quality: Tensor, *, beta: float = 2.0) -> Tensor:
    """Element-wise quality focal loss: BCE against a soft target, scaled by the squared error.

    Args:
        logits: any shape.
        quality: target in [0, 1], same shape. Source: GFL (Li et al., NeurIPS 2020), eq. 3.
    """
    error = (quality - logits.sigmoid()).abs()
    bce = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return bce * error.pow(beta)


def generalized_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Row-wise IoU and GIoU of xyxy boxes (..., 4). Source: Rezatofighi et al., CVPR 2019."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (high - low).clamp(0).prod(-1)
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    outer = (high - low).clamp(0).prod(-1)
    area_a, area_b = ((x[..., 2:] - x[..., :2]).clamp(0).prod(-1) for x in (a, b))
    union = area_a + area_b - inter
    iou = inter / union.clamp(min=1e-6)
    return iou, iou - (outer - union) / outer.clamp(min=1e-6)

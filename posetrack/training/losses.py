"""The losses of RTMPose and RTMDet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LABEL_BETA = 10.0
"""Sharpness of the softmax over SimCC labels and predictions (RTMPose configs: beta = 10)."""


def simcc_kl(
    predicted: Sequence[Tensor],
    labels: Sequence[Tensor],
    weights: Tensor | Sequence[Tensor],
    *,
    beta: float = LABEL_BETA,
    label_beta: float = LABEL_BETA,
) -> Tensor:
    """Scalar KL divergence of SimCC logits from their labels.

    Per axis the mean over bins of ``KL(softmax(label_beta * label) || softmax(beta * logit))``,
    times the keypoint's weight; summed over people and keypoints and divided by K, both axes
    added (so the loss grows with the batch, as in MMPose ``KLDiscretLoss``).

    Args:
        predicted: logits x (N, K, Wx) and y (N, K, Wy), and z where there is depth.
        labels: same shapes, peak 1.
        weights: (N, K), of every axis or of each; 0 masks a keypoint that the data set lacks.
    """
    each = [weights] * len(predicted) if isinstance(weights, Tensor) else weights
    total = each[0].new_zeros(())
    for logits, label, weight in zip(predicted, labels, each, strict=True):
        log_p = F.log_softmax(logits.float() * beta, dim=-1)
        q = F.softmax(label.float() * label_beta, dim=-1)
        kl = F.kl_div(log_p, q, reduction="none").mean(dim=-1)  # (N, K)
        total = total + (kl * weight).sum()
    return total / each[0].shape[1]


def expected_bins(logits: Tensor, *, beta: float = LABEL_BETA) -> Tensor:
    """(N, K) the mean bin of logits (N, K, W): unlike the highest one it has a gradient."""
    bins = torch.arange(logits.shape[-1], device=logits.device, dtype=torch.float32)
    middle: Tensor = (F.softmax(logits.float() * beta, dim=-1) * bins).sum(-1)
    return middle


def bone_loss(
    predicted: Tensor, truth: Tensor, weights: Tensor, limbs: Sequence[tuple[int, int]]
) -> Tensor:
    """Scalar mean absolute difference of the lengths of known bones, summed over people.

    MMPose's rtmpose3d takes the coordinates of the highest bins, through which nothing flows back;
    these are to be expectations.

    Args:
        predicted: (N, K, 3).
        truth: (N, K, 3), same unit.
        weights: (N, K); a bone counts where both of its ends do.
        limbs: index pairs, L of them.
    """
    a, b = (torch.tensor(ends, device=truth.device) for ends in zip(*limbs, strict=True))
    lengths = [(points[:, a] - points[:, b]).norm(dim=-1) for points in (predicted, truth)]
    known = ((weights[:, a] > 0) & (weights[:, b] > 0)).float()  # (N, L)
    off: Tensor = (lengths[0] - lengths[1]).abs() * known
    return off.sum() / len(limbs)


def coarse_cross_entropy(
    maps: Tensor, labels: tuple[Tensor, Tensor], weights: Tensor, *, sigma: float = 0.7
) -> Tensor:
    """Scalar cross entropy of the head's maps, read as a softmax over their cells.

    A help for training from scratch, not part of RTMPose: it tells the backbone directly in which
    cell a keypoint lies, as heatmap pretraining would. Divided by the mean number of bins, so that
    a weight of 1 balances it with `simcc_kl`.

    Args:
        maps: (N, K, h, w).
        labels: SimCC labels x (N, K, Wx) and y (N, K, Wy), whose peaks are the keypoints.
        weights: (N, K).
        sigma: width of the label in cells.
    """
    there = (labels[0].amax(-1) > 0) & (labels[1].amax(-1) > 0)  # flat labels have no cell
    target = maps.new_ones((), dtype=torch.float32)
    for label, cells, shape in zip(labels, (maps.shape[3], maps.shape[2]), "xy", strict=True):
        at = label.argmax(-1).float() * cells / label.shape[-1] - 0.5  # (N, K), cell centres
        offset = torch.arange(cells, device=maps.device) - at[..., None]
        near = torch.softmax(-(offset**2) / (2 * sigma**2), -1)
        target = target * (near[:, :, None, :] if shape == "x" else near[:, :, :, None])
    log_p = F.log_softmax(maps.float().flatten(2), dim=-1)
    entropy = -(target.flatten(2) * log_p).sum(-1)  # (N, K)
    bins = sum(label.shape[-1] for label in labels) / 2
    return (entropy * weights * there).sum() / (weights.shape[1] * bins)


def heatmap_mse(maps: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Scalar mean squared error of heatmaps (N, K, h, w), weighted by keypoint (N, K).

    Source: MMPose ``KeypointMSELoss``.
    """
    error = (maps.float() - labels).square().mean((2, 3))
    return (error * weights).mean()


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

"""A large pose network teaches a small one, or a network itself (DWPose, arXiv 2307.15880)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetrack.networks.rtmpose import RTMPose
from posetrack.training.losses import LABEL_BETA


class Distillation(nn.Module):
    """A student with what it needs to learn from a teacher; run, it is the student.

    A checkpoint names the student's weights ``student.*``, which `networks.checkpoint`
    returns as those of a plain network. The teacher is no part of it.

    Attributes:
        student: the network that is trained.
        align: 1 x 1 convolution from the student's channels to the teacher's, where they differ.
    """

    def __init__(self, student: RTMPose, teacher: RTMPose) -> None:
        super().__init__()
        self.student = student
        mine, theirs = (net.head.final_layer.in_channels for net in (student, teacher))
        self.align = nn.Identity() if mine == theirs else nn.Conv2d(mine, theirs, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the student answers."""
        out: tuple[Tensor, Tensor] = self.student(x)
        return out


def feature_distance(mine: Tensor, theirs: Tensor) -> Tensor:
    """Scalar squared distance of two last feature maps (B, C, h, w), summed, over B."""
    return F.mse_loss(mine.float(), theirs.float(), reduction="sum") / len(mine)


def logit_distance(
    mine: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor], *, beta: float = LABEL_BETA
) -> Tensor:
    """Scalar KL divergence of the student's SimCC logits from the teacher's.

    Summed over bins and both axes, averaged over people and keypoints, whether annotated or not:
    the teacher knows the others too.
    """
    total = mine[0].new_zeros((), dtype=torch.float32)
    for student, teacher in zip(mine, theirs, strict=True):
        log_p = F.log_softmax(student.float() * beta, dim=-1)
        q = F.softmax(teacher.float() * beta, dim=-1)
        total = total + F.kl_div(log_p, q, reduction="sum") / (q.shape[0] * q.shape[1])
    return total

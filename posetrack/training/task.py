"""What differs between trainings: data, network, loss, evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from posetrack.types import Image

Metrics = dict[str, dict[str, float]]


class Task(Protocol):
    """One kind of training.

    `headline` names the metric (group, key) that ranks checkpoints; `reduction` tells whether the
    loss of a batch is a sum over its samples or a mean, so that accumulation can add up right.
    """

    headline: tuple[str, str]
    reduction: Literal["sum", "mean"]

    @property
    def facts(self) -> dict[str, Any]:
        """What an export must know of the task beside the weights, as fields of a model card."""
        ...

    def build(self) -> nn.Module:
        """A fresh network."""
        ...

    def samples(self, epoch: int, *, stage2: bool) -> Dataset[Any]:
        """The samples of one epoch, in its order."""
        ...

    def collate(self) -> Callable[[list[Any]], Any] | None:
        """What makes a batch of samples; None for plain stacking."""
        ...

    def loss(self, model: nn.Module, batch: Any, epoch: int = 0) -> dict[str, Tensor]:
        """Named scalars whose sum is minimised, `epoch` epochs into the training."""
        ...

    def evaluate(self, model: nn.Module) -> tuple[Metrics, Image]:
        """Figures on the validation data, by group, and a sheet of what the model found."""
        ...


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 (B, 3, H, W) -> float32, channels last."""
    middle, spread = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (mean, std))
    scaled = (images.float() - middle) / spread
    return scaled.contiguous(memory_format=torch.channels_last)

"""A run as TensorBoard shows it, where TensorBoard is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from posetrack.types import Image


class Board:
    """Scalars and pictures of one run, in its folder: ``tensorboard --logdir runs``."""

    def __init__(self, folder: Path, *, quiet: bool = False) -> None:
        self._writer: Any = None
        if quiet or find_spec("tensorboard") is None:
            return
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Points of curves named ``group/what``, `step` batches into the training."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()

    def picture(self, step: int, name: str, image: Image) -> None:
        """A BGR picture."""
        if self._writer is not None:
            self._writer.add_image(name, image[..., ::-1].copy(), step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()

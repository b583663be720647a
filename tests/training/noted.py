"""``posetrack train`` that also writes of each batch what it taught to the file $NOTES."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

import torch

from posetrack.training.loop import Trainer

_step = Trainer.step


def note(path: Path) -> Any:
    """What stands for `Trainer.step` and appends a line to `path`: losses and gradient.

    The gradient is the norm of Adam's first moment, which keeps the scale that weights hide.
    """

    def step(self: Trainer, batch: Any) -> dict[str, float]:
        losses = _step(self, batch)
        if self.world.is_first:
            moments = [state["exp_avg"].norm() for state in self.optimizer.state.values()]
            norm = float(torch.stack(moments).norm()) if moments else 0.0
            with path.open("a") as file:
                file.write(json.dumps(losses | {"gradient": norm}) + "\n")
        return losses

    return step


if __name__ == "__main__":
    Trainer.step = note(Path(os.environ["NOTES"]))  # type: ignore[method-assign]
    runpy.run_module("posetrack", run_name="__main__")

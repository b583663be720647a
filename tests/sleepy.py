"""A backend that takes its time, so that a signal finds it at work."""

from __future__ import annotations

import time
from collections.abc import Mapping

from posetrack.backends import Array
from posetrack.backends.onnxruntime import OnnxRuntimeBackend

PAUSE_S = 0.02


class Sleepy(OnnxRuntimeBackend):
    """Sleeps before each run."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        time.sleep(PAUSE_S)
        return super().run(inputs)

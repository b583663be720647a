"""posetrack: real-time multi-person pose tracking.

`import posetrack` is cheap: the names below load their modules when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posetrack.api import track
    from posetrack.perception import Perception
    from posetrack.skeletons import Skeleton, load_skeleton
    from posetrack.types import Detections, Frame, Poses, Result, Tracks

__version__ = "0.1.0"

_HOMES = {
    "Detections": "posetrack.types",
    "Frame": "posetrack.types",
    "Perception": "posetrack.perception",
    "Poses": "posetrack.types",
    "Result": "posetrack.types",
    "Skeleton": "posetrack.skeletons",
    "Tracks": "posetrack.types",
    "load_skeleton": "posetrack.skeletons",
    "track": "posetrack.api",
}

__all__ = [
    "Detections",
    "Frame",
    "Perception",
    "Poses",
    "Result",
    "Skeleton",
    "Tracks",
    "__version__",
    "load_skeleton",
    "track",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'posetrack' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

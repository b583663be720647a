"""How people are drawn, and the ready-made ways to do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from posetrack.errors import ConfigError
from posetrack.media.palette import Scheme
from posetrack.skeletons import Skeleton

LAYERS = ("boxes", "ids", "keypoints", "limbs", "trails", "heatmap")
SCHEMES = ("side", "id", "mmpose", "openpose")
BACKGROUNDS = ("image", "black", "blur")
COMPARISONS = ("raw", "source")
Form: TypeAlias = Literal["lines", "openpose"]


@dataclass(frozen=True, slots=True)
class Style:
    """How people are drawn.

    Attributes:
        layers: which of `LAYERS`.
        scheme: limbs coloured by body side, by identity, or as MMPose or OpenPose do.
        form: limbs as ``lines``; or as OpenPose draws them: spindles, and a neck between the
            shoulders of the 17 points of COCO.
        edges: a dark edge around lines and dots, so that they show on any ground.
        opacity: of the limbs, 0 to 1.
        thickness: multiplies every line width.
        threshold: keypoints with a lower score are left out.
        keypoint_index: write each keypoint's number beside it.
        background: what people are drawn on: the ``image``, ``black``, or its ``blur``.
        blur_faces: make heads unrecognisable.
        compare: what stands to the left of the picture: the people as the network saw them
            (``raw``), or the ``source`` alone.
        trail_s: length of the trails in seconds.
        skeleton: limbs to draw instead of the model's own; must have the same K.

    Raises:
        ConfigError: a word that is not known.
    """

    layers: frozenset[str] = frozenset({"boxes", "ids", "keypoints", "limbs"})
    scheme: Scheme = "side"
    form: Form = "lines"
    edges: bool = True
    opacity: float = 1.0
    thickness: float = 1.0
    threshold: float = 0.3
    keypoint_index: bool = False
    background: str = "image"
    blur_faces: bool = False
    compare: str | None = None
    trail_s: float = 1.5
    skeleton: Skeleton | None = None

    def __post_init__(self) -> None:
        for what, words, known in (
            ("layer", sorted(self.layers), LAYERS),
            ("colour scheme", [self.scheme], SCHEMES),
            ("background", [self.background], BACKGROUNDS),
            ("comparison", [self.compare or COMPARISONS[0]], COMPARISONS),
        ):
            wrong = [word for word in words if word not in known]
            if wrong:
                raise ConfigError(f"unknown {what} {wrong[0]!r}: choose of {', '.join(known)}")


_POSE_ONLY = frozenset({"keypoints", "limbs"})

STYLES = {
    "default": Style(),
    "openpose": Style(
        layers=_POSE_ONLY, scheme="openpose", form="openpose", edges=False, opacity=0.6
    ),
    "mmpose": Style(
        layers=_POSE_ONLY | {"boxes"}, scheme="mmpose", edges=False, opacity=0.8, thickness=0.7
    ),
    "minimal": Style(layers=frozenset({"ids", "limbs"}), scheme="id", edges=False, thickness=0.6),
}
"""The ready-made styles by name."""
